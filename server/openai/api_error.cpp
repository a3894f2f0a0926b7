// SPDX-License-Identifier: Apache-2.0
#include "server/openai/api_error.h"

#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

using nlohmann::json;

ApiError api_error(const Error& error, const std::string& param) {
    ApiError out{.message = error.message, .param = param};
    switch (error.code) {
    case ErrorCode::LimitExceeded: out.code = "context_length_exceeded"; break;
    case ErrorCode::InvalidArgument:
    case ErrorCode::ParseFailed:
    case ErrorCode::OutOfBounds:
    case ErrorCode::PermissionDenied:
    case ErrorCode::Unsupported: break;
    case ErrorCode::NotFound: out.status = 404; break;
    case ErrorCode::Overloaded: out.status = 429; break;
    case ErrorCode::DeadlineExceeded: out.status = 504; break;
    case ErrorCode::Cancelled:
    case ErrorCode::Unavailable:
    case ErrorCode::EngineLost:
    case ErrorCode::OutOfMemory: out.status = 503; break;
    case ErrorCode::IoFailed:
    case ErrorCode::Internal: out.status = 500; break;
    }
    out.type = out.status == 429 ? "rate_limit_error" : out.status >= 500 ? "server_error" : out.type;
    return out;
}

std::string error_json(const ApiError& error) {
    const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
    return dump_json({{"error", {{"message", error.message}, {"type", error.type}, {"param", or_null(error.param)}, {"code", or_null(error.code)}}}}) + "\n";
}

void refuse(const std::string& param, const std::string& message) { throw Refused{{.message = fmt::format("{}: {}", param, message), .param = param}}; }

} // namespace handeye
