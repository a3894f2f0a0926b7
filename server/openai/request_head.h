// SPDX-License-Identifier: Apache-2.0
// What of a request's head the checks look at. Pure.
#pragma once

#include "server/openai/service.h"
#include "server/transport/beast_types.h"

#include <string>
#include <string_view>

namespace handeye {

/// Without the query.
std::string path_of(std::string_view target);
/// What is asked. The parser has read a whole head.
OpenAiHead openai_head(const http::request_parser<http::empty_body>& parser);

} // namespace handeye
