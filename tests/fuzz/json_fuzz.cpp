// SPDX-License-Identifier: Apache-2.0
// Whatever parses as JSON must print and parse again to the same value.
#include "base/json.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto value = handeye::parse_json(text, {.bytes_max = 64 * 1024, .depth_max = 32});
    if (value) {
        const auto again = handeye::parse_json(handeye::dump_json(*value), {.bytes_max = 1024 * 1024, .depth_max = 32});
        if (!again || *again != *value) {
            std::abort();
        }
    }
    return 0;
}
