// SPDX-License-Identifier: Apache-2.0
// Where a session calls a platform, and where its thread does a task: what nobody caught, of a library or of a stranger's text, ends the
// call and not the daemon.
#pragma once

#include "base/result.h"

#include <exception>

#include <fmt/format.h>

namespace handeye {

/// What `call` returns, a Result; Internal for an exception.
template <class Call>
auto guarded(const Call& call) -> decltype(call()) {
    try {
        return call();
    } catch (const std::exception& problem) {
        return Error{ErrorCode::Internal, fmt::format("unexpected failure: {}", problem.what())};
    }
}

} // namespace handeye
