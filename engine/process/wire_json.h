// SPDX-License-Identifier: Apache-2.0
// What the readers of heads share. For engine/process/wire*.cpp alone.
#pragma once

#include "base/result.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::wire {

inline Error bad(std::string_view what) { return Error{ErrorCode::ParseFailed, fmt::format("engine message: {}", what)}; }

// Everything that reads a head goes through here: a wrong type or a missing field is an error value.
template <class Read>
auto guarded(Read read) -> decltype(read()) {
    try {
        return read();
    } catch (const nlohmann::json::exception& problem) {
        return bad(problem.what());
    }
}

// Numbers go into an int only when they fit.
inline int int_of(const nlohmann::json& value) {
    const auto wide = value.get<std::int64_t>();
    return static_cast<int>(std::clamp<std::int64_t>(wide, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

} // namespace handeye::wire
