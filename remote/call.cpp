// SPDX-License-Identifier: Apache-2.0
#include "remote/call.h"

#include "base/hash.h"
#include "base/http_status.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace http_status;
constexpr std::size_t kHealthBytesMax = 64U << 10U;
constexpr std::size_t kModelsBytesMax = 1U << 20U;

bool is_good(int status) { return status >= kOk && status < kRedirect; }

HttpUrl url_of(const RemoteAddress& address, Caller::Place place, std::string_view path) {
    HttpUrl url = address.base;
    constexpr std::string_view kVersion = "/v1";
    if (place == Caller::Place::Root && url.target.ends_with(kVersion)) {
        url.target.resize(url.target.size() - kVersion.size());
    }
    url.target += path;
    return url;
}

} // namespace

Failure failure_of(const Error& error) {
    const bool is_wrong_here = error.code == ErrorCode::InvalidArgument || error.code == ErrorCode::NotFound || error.code == ErrorCode::IoFailed; // a CA file, say
    return {error.code == ErrorCode::DeadlineExceeded ? Failure::Kind::Silent : is_wrong_here ? Failure::Kind::Unusable : Failure::Kind::Lost, error, {}};
}

std::string read_rest(HttpStream& stream, std::size_t bytes_max, const StreamWait& wait) {
    std::string body;
    while (body.size() < bytes_max) {
        const auto piece = stream.read_some(wait);
        if (!piece || piece->empty()) {
            break;
        }
        body += piece->substr(0, bytes_max - body.size());
    }
    return body;
}

Outcome<std::unique_ptr<HttpStream>> Caller::start(const RemoteAddress& address, Place place, std::string_view path, std::string_view json, const std::string& session,
                                                   const StreamWait& wait) const {
    const HttpUrl url = url_of(address, place, path);
    const StreamWait connecting{std::min(wait.deadline, std::chrono::steady_clock::now() + options_.timeouts.connect), std::min(wait.timeout, options_.timeouts.connect), wait.stop};
    auto stream = HttpStream::open(url, {.ca_file = options_.ca_file, .cert = {}, .key = {}}, connecting);
    if (!stream) {
        return failure_of(stream.error());
    }
    HttpStreamRequest request{.method = json.empty() ? "GET" : "POST", .fields = {}, .body = json};
    if (!options_.api_key.empty()) {
        request.fields.emplace_back("Authorization", "Bearer " + options_.api_key);
    }
    if (!session.empty()) { // for a router in front of several servers; whose session it is stays here
        const Sha256 digest = sha256(session);
        request.fields.emplace_back("X-Session-Id", to_hex(std::span(digest).first(16)));
    }
    if (const auto sent = (*stream)->send(request, wait); !sent && sent.error().code != ErrorCode::Unavailable) {
        return failure_of(sent.error());
    }
    return std::move(*stream); // one that broke while it was sent may have been answered all the same
}

Outcome<Caller::Reply> Caller::ask(const RemoteAddress& address, Place place, std::string_view path, std::string_view json, const StreamWait& wait, std::size_t bytes_max) const {
    auto started = start(address, place, path, json, "", wait);
    if (auto* const failure = std::get_if<Failure>(&started)) {
        return std::move(*failure);
    }
    HttpStream& stream = *std::get<std::unique_ptr<HttpStream>>(started);
    const auto head = stream.read_head(wait);
    if (!head) {
        return failure_of(head.error());
    }
    Reply reply{*head, {}};
    for (;;) {
        const auto piece = stream.read_some(wait);
        if (!piece) {
            return failure_of(piece.error());
        }
        if (piece->empty()) {
            reply.body = without_key(std::move(reply.body), options_.api_key);
            return reply;
        }
        reply.body += *piece;
        if (reply.body.size() > bytes_max) {
            return Failure{Failure::Kind::Lost, {ErrorCode::LimitExceeded, fmt::format("{}: an answer of more than {} bytes to {}", origin_of(address.base), bytes_max, path)}, {}};
        }
    }
}

Outcome<ServedModel> Caller::look_at(const RemoteAddress& address, const std::stop_token& stop) const {
    const StreamWait wait = StreamWait::lasting(options_.timeouts.connect, stop);
    auto health = ask(address, Place::Root, "/health", "", wait, kHealthBytesMax);
    if (auto* const failure = std::get_if<Failure>(&health)) {
        return std::move(*failure);
    }
    const Reply& healthy = std::get<Reply>(health);
    if (healthy.head.status >= kServerFault) { // a server without such a path is asked the next
        return failure_of(healthy.head, read_complaint(healthy.body), options_.api_key);
    }
    auto models = ask(address, Place::Base, "/models", "", StreamWait::lasting(options_.timeouts.connect, stop), kModelsBytesMax);
    if (auto* const failure = std::get_if<Failure>(&models)) {
        return std::move(*failure);
    }
    const Reply& listed = std::get<Reply>(models);
    const bool lists_none = listed.head.status == kNotFound || listed.head.status == kMethodNotAllowed || listed.head.status == kServerFault || listed.head.status == kNotImplemented;
    if (lists_none && !address.model.empty()) { // healthy, and the name is known: the question will show
        return ServedModel{.name = address.model, .prompt = prompt_of_name(address.model)};
    }
    if (!is_good(listed.head.status)) {
        return failure_of(listed.head, read_complaint(listed.body), options_.api_key);
    }
    auto model = read_served_model(listed.body, address.model);
    if (!model) {
        return Failure{Failure::Kind::Unusable, model.error(), {}};
    }
    return std::move(*model);
}

} // namespace handeye
