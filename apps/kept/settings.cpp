// SPDX-License-Identifier: Apache-2.0
#include "apps/kept/settings.h"

#include "agent/history.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_fields.h"

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::kept {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 64U << 10U;
constexpr std::size_t kShownBytesMax = 200; // a folder of others may hold anything: not all of it is told

std::string shown(const json& value) {
    const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
    return value.is_null() ? "not set" : text.empty() ? "empty" : clip_utf8(text, kShownBytesMax);
}

} // namespace

Result<void> keep_settings(const std::filesystem::path& file, const json& settings) {
    std::error_code problem;
    if (!std::filesystem::exists(file, problem)) {
        return write_file_atomic(file, settings.dump(2, ' ', false, json::error_handler_t::replace) + "\n", 0600);
    }
    const json before = TRY(read_json(file, {.bytes_max = kFileBytesMax}));
    if (!before.is_object()) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} is no JSON object", file.string())};
    }
    json both = before;
    both.update(settings);
    std::string differing;
    for (const auto& [name, value] : both.items()) {
        const std::string was = shown(json_member(before, name.c_str())), is = shown(json_member(settings, name.c_str()));
        if (json_member(before, name.c_str()) != json_member(settings, name.c_str())) {
            differing += fmt::format("{}{} was {} and is {} now", differing.empty() ? "" : "; ", name, was, is);
        }
    }
    return differing.empty() ? Result<void>()
                             : Error{ErrorCode::InvalidArgument, fmt::format("{} holds another run: {}. Go on with what it was, or name another --out", file.parent_path().string(), differing)};
}

} // namespace handeye::kept
