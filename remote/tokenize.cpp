// SPDX-License-Identifier: Apache-2.0
#include "remote/tokenize.h"

#include "base/json.h"
#include "base/json_fields.h"
#include "remote/request_body.h"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kOk = 200;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr std::size_t kTokensBytesMax = 64U << 20U; // a million tokens and their names

} // namespace

Result<TokenizedPrompt> read_tokens(std::string_view text, std::size_t bytes_max) {
    const json body = TRY(parse_json(text, {.bytes_max = bytes_max, .depth_max = 8}));
    const json& tokens = json_member(body, "tokens");
    if (!tokens.is_array()) {
        return Error{ErrorCode::ParseFailed, "/tokenize answered no {\"tokens\": [...]}"};
    }
    TokenizedPrompt out;
    for (const json& token : tokens) {
        if (!token.is_number_integer() || token.get<std::int64_t>() < 0 || token.get<std::int64_t>() > std::numeric_limits<std::int32_t>::max()) {
            return Error{ErrorCode::ParseFailed, "/tokenize answered what is no token id: " + dump_json(token).substr(0, 64)};
        }
        out.ids.push_back(token.get<std::int32_t>());
    }
    for (const json& name : json_list(body, "token_strs")) {
        out.bytes.push_back(name.is_string() ? name.get<std::string>() : "");
    }
    if (out.bytes.size() != out.ids.size()) {
        out.bytes.clear();
    }
    return out;
}

Result<TokenizedPrompt> tokenize_on_server(const Caller& caller, const RemoteAddress& address, const ServerTraits& traits, PictureUrls& pictures, const ChatRequest& request) {
    const std::string body = TRY(tokenize_body(request, {.traits = traits, .pictures = pictures, .tokens_max = 0, .continued = {}}));
    auto asked = caller.ask(address, Caller::Place::Root, "/tokenize", body, StreamWait::lasting(caller.options().timeouts.first_token), kTokensBytesMax);
    if (const auto* const failure = std::get_if<Failure>(&asked)) {
        return failure->error;
    }
    const Caller::Reply& reply = std::get<Caller::Reply>(asked);
    if (reply.head.status == kNotFound || reply.head.status == kMethodNotAllowed) {
        return Error{ErrorCode::Unsupported, origin_of(address.base) + " tells no tokens: it has no /tokenize"};
    }
    if (reply.head.status != kOk) {
        return failure_of(reply.head, read_complaint(reply.body), caller.options().api_key).error.with_context(origin_of(address.base));
    }
    return read_tokens(reply.body, kTokensBytesMax);
}

} // namespace handeye
