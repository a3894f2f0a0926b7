// SPDX-License-Identifier: Apache-2.0
// Any bytes as a GGUF container: an error, or tensors that lie apart inside the bytes; then its tokenizer and its first blocks.
#include "engine/quant/weight_matrix.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/weights/gguf.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> file = std::as_bytes(std::span(data, size));
    const auto contents = handeye::parse_gguf(file);
    if (!contents) {
        return 0;
    }
    std::size_t covered = 0;
    for (const auto& [name, view] : contents->tensors) {
        if (view.data < file.data() || view.data + view.size_bytes() > file.data() + file.size()) {
            std::abort();
        }
        covered += view.size_bytes();
        const std::int64_t cols = view.shape.back();
        if (cols <= 4096) {
            std::vector<float> row(static_cast<std::size_t>(cols));
            const handeye::WeightMatrix w = handeye::matrix_of(view, cols);
            handeye::decode_tile(w, {.row = w.rows - 1, .rows = 1, .col = 0, .cols = cols, .stride = cols}, row.data());
        }
    }
    if (covered > size) {
        std::abort();
    }
    const auto tokenizer = handeye::Tokenizer::from_gguf(contents->metadata);
    if (tokenizer) {
        (void)tokenizer->encode("a text of <|user|> words", handeye::AddedTokens::Recognised);
    }
    return 0;
}
