// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors container: an error, or tensors that all lie inside the bytes.
#include "engine/weights/safetensors.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> file = std::as_bytes(std::span(data, size));
    const auto tensors = handeye::parse_safetensors(file);
    if (!tensors) {
        return 0;
    }
    std::size_t covered = 0;
    for (const auto& [name, view] : *tensors) {
        if (view.data < file.data() || view.data + view.size_bytes() > file.data() + file.size()) {
            std::abort();
        }
        covered += view.size_bytes();
    }
    return covered <= size ? 0 : (std::abort(), 0);
}
