// SPDX-License-Identifier: Apache-2.0
// JSON from outside: parsed under limits, with duplicate keys refused, errors as values.
// Callers that touch the document include <nlohmann/json.hpp> in their .cpp file.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

struct JsonLimits {
    std::size_t bytes_max = 1U << 20U;
    int depth_max = 64;
};

/// Strict JSON (RFC 8259, UTF-8). ParseFailed names line and column; LimitExceeded names the limit.
Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});
Result<nlohmann::json> read_json(const std::filesystem::path& path, const JsonLimits& limits = {});

/// Compact text; bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string dump_json(const nlohmann::json& value);

} // namespace handeye
