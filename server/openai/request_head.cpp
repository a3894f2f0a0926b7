// SPDX-License-Identifier: Apache-2.0
#include "server/openai/request_head.h"

namespace handeye {

std::string path_of(std::string_view target) { return std::string(target.substr(0, target.find('?'))); }

OpenAiHead openai_head(const http::request_parser<http::empty_body>& parser) {
    const auto& request = parser.get();
    return {.verb = std::string(request.method_string()),
            .path = path_of({request.target().data(), request.target().size()}),
            .content_type = std::string(request[http::field::content_type]),
            .authorization = std::string(request[http::field::authorization]),
            .body_bytes = parser.content_length().value_or(0),
            .is_chunked = parser.chunked()};
}

} // namespace handeye
