// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace handeye {

std::string_view error_code_name(ErrorCode code) {
    switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::ParseFailed: return "parse_failed";
    case ErrorCode::OutOfBounds: return "out_of_bounds";
    case ErrorCode::LimitExceeded: return "limit_exceeded";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::Unsupported: return "unsupported";
    case ErrorCode::PermissionDenied: return "permission_denied";
    case ErrorCode::Unavailable: return "backend_unavailable";
    case ErrorCode::Overloaded: return "overloaded";
    case ErrorCode::Cancelled: return "cancelled";
    case ErrorCode::DeadlineExceeded: return "deadline_exceeded";
    case ErrorCode::IoFailed: return "io_failed";
    case ErrorCode::OutOfMemory: return "out_of_memory";
    case ErrorCode::EngineLost: return "engine_lost";
    case ErrorCode::Internal: return "internal";
    }
    return "internal";
}

Error Error::with_context(std::string_view context) const {
    return Error{code, std::string(context) + ": " + message};
}

void detail::check_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, expression);
    std::abort();
}

} // namespace handeye
