// SPDX-License-Identifier: Apache-2.0
// What is wrong with a request, in the words of OpenAI's errors.
#pragma once

#include "base/result.h"

#include <string>

namespace handeye {

struct ApiError {
    int status = 400;
    std::string message;
    std::string type = "invalid_request_error";
    std::string param; ///< the field; empty: none
    std::string code;  ///< empty: none
};
/// The class of an error of ours.
ApiError api_error(const Error& error, const std::string& param = "");
/// {"error": {"message", "type", "param", "code"}}
std::string error_json(const ApiError& error);

/// How an error travels inside the readers of requests. Each function that reads a whole body catches it; nobody else sees it.
struct Refused {
    ApiError error;
};
[[noreturn]] void refuse(const std::string& param, const std::string& message);

} // namespace handeye
