// SPDX-License-Identifier: Apache-2.0
// A request and the ways to answer it, without sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

namespace handeye {

/// What of a request is there before its body.
struct OpenAiHead {
    std::string verb;
    std::string path; ///< without the query
    std::string content_type;
    std::string authorization;
    std::uint64_t body_bytes = 0; ///< as it announces them
    bool is_chunked = false;      ///< then it does not
};
/// One whose head was good.
struct OpenAiRequest {
    std::string path; ///< without the query
    std::string body;
};
struct OpenAiResponse {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
};

/// How one request is answered: respond() once, or begin_stream(), send() and end(). Any thread.
struct Exchange {
    std::function<void(OpenAiResponse)> respond;
    std::function<void()> begin_stream;
    std::function<void(std::string)> send;
    std::function<void()> end;
    std::stop_token stop; ///< the client has gone, or the server ends
};

} // namespace handeye
