// SPDX-License-Identifier: Apache-2.0
#include "server/openai/service.h"

#include "base/hash.h"
#include "base/json.h"
#include "server/metrics.h"
#include "server/openai/answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::string_view kChatPath = "/v1/chat/completions";
constexpr std::string_view kModelsPath = "/v1/models";
constexpr std::string_view kHealthPath = "/health";
constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::size_t kIdBytes = 12;
constexpr std::size_t kSeedBytes = 7; // below 2^56: what JSON readers everywhere keep whole

std::int64_t now_s() { return std::chrono::duration_cast<std::chrono::seconds>(SystemClock().wall_now().time_since_epoch()).count(); }

std::uint64_t fresh_seed() {
    const auto hex = random_hex(kSeedBytes);
    std::uint64_t seed = 0;
    if (hex) {
        std::from_chars(hex->data(), hex->data() + hex->size(), seed, 16);
    }
    return seed;
}

AnswerHead head_for(const OpenAiOptions& options) { return {.id = "chatcmpl-" + random_hex(kIdBytes).value_or("0"), .created_s = now_s(), .model = options.names.front()}; }

ApiError not_ready(const ModelGate::Status& status) {
    return {.status = 503,
            .message = status.state == ModelState::Loading ? "the model is being loaded: " + status.detail : "no model is loaded: " + status.detail,
            .type = "server_error",
            .code = "model_not_ready"};
}

/// "application/json; charset=utf-8" and the like: names of types have no letter case (RFC 9110, 8.3.1).
bool is_json(std::string_view content_type) {
    constexpr std::string_view kJson = "application/json";
    std::string_view type = content_type.substr(0, content_type.find(';'));
    type = type.substr(0, type.find_last_not_of(" \t") + 1);
    return std::equal(type.begin(), type.end(), kJson.begin(), kJson.end(), [](unsigned char a, char b) { return std::tolower(a) == b; });
}

} // namespace

OpenAiResponse to_response(const ApiError& error) { return {error.status, error_json(error)}; }

OpenAiService::OpenAiService(const OpenAiOptions& options) : options_(options), started_s_(now_s()), worker_(options.answers_max, options.answers_max) {}

bool OpenAiService::has_key(const OpenAiHead& head) const {
    constexpr std::string_view kBearer = "Bearer ";
    if (options_.api_key.empty() || !head.path.starts_with("/v1")) {
        return true;
    }
    const std::string_view said = head.authorization;
    return equal_constant_time(said.starts_with(kBearer) ? said.substr(kBearer.size()) : std::string_view(), options_.api_key);
}

std::optional<OpenAiResponse> OpenAiService::check_head(const OpenAiHead& head) const {
    if (!has_key(head)) {
        return to_response({.status = 401, .message = "Authorization: Bearer KEY is missing or wrong", .code = "invalid_api_key"});
    }
    const bool is_chat = head.path == kChatPath;
    if (!is_chat && head.path != kHealthPath && head.path != kModelsPath && head.path != kMetricsPath) {
        return to_response({.status = 404, .message = fmt::format("there is no {}; there are {}, {}, {} and {}", head.path.substr(0, 100), kChatPath, kModelsPath, kHealthPath, kMetricsPath)});
    }
    if (is_chat ? head.verb != "POST" : head.verb != "GET" && head.verb != "HEAD") {
        return to_response({.status = 405, .message = fmt::format("{} is asked with {}", head.path, is_chat ? "POST" : "GET")});
    }
    if (!is_chat) {
        return head.body_bytes == 0 && !head.is_chunked ? std::nullopt : std::optional(to_response({.message = fmt::format("{} takes no body", head.path)}));
    }
    if (!is_json(head.content_type)) { // what a form of a web page cannot send unasked
        return to_response({.status = 415, .message = "Content-Type must be application/json"});
    }
    if (head.body_bytes > options_.body_bytes_max) {
        return to_response({.status = 413, .message = fmt::format("the body has {} bytes; the limit is {}", head.body_bytes, options_.body_bytes_max)});
    }
    return std::nullopt;
}

OpenAiResponse OpenAiService::health() const {
    const ModelGate::Status status = gate_.status();
    return {status.state == ModelState::Ready ? 200 : 503, dump_json({{"status", model_state_name(status.state)}, {"detail", status.detail}}) + "\n"};
}

OpenAiResponse OpenAiService::metrics() const { return {.status = 200, .body = prometheus_text(engine_metrics(gate_.load())), .content_type = "text/plain; version=0.0.4"}; }

OpenAiResponse OpenAiService::models() const {
    const ModelGate::Status status = gate_.status();
    json rows = json::array();
    for (const std::string& name : options_.names) {
        rows.push_back({{"id", name}, {"object", "model"}, {"created", started_s_}, {"owned_by", "handeye"}});
        if (status.info) {
            rows.back()["max_model_len"] = status.info->context_tokens_max;
            rows.back()["prompt"] = status.info->prompt; // which prompts/<name>/ speaks to it: the name may be anything
            rows.back()["reads_pictures"] = status.info->reads_pictures;
        }
    }
    return {200, dump_json({{"object", "list"}, {"data", std::move(rows)}}) + "\n"};
}

void OpenAiService::handle(OpenAiRequest request, Exchange exchange) {
    if (request.path == kChatPath) {
        start_chat(std::move(request), std::move(exchange));
    } else {
        exchange.respond(request.path == kHealthPath ? health() : request.path == kMetricsPath ? metrics() : models());
    }
}

void OpenAiService::start_chat(OpenAiRequest request, Exchange exchange) {
    if (const ModelGate::Status status = gate_.status(); status.state != ModelState::Ready) {
        exchange.respond(to_response(not_ready(status)));
        return;
    }
    const auto respond = exchange.respond;
    if (!wait_in_line({std::move(request), std::move(exchange)})) {
        respond(to_response({.status = 429, .message = fmt::format("{} requests wait for the model already", options_.waiting_max), .type = "rate_limit_error", .code = "overloaded"}));
    }
}

bool OpenAiService::wait_in_line(Waiting&& waiting) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= options_.waiting_max) {
        return false;
    }
    waiting_.push_back(std::move(waiting));
    if (answering_ < options_.answers_max && worker_.submit([this] { answer_all_waiting(); })) {
        ++answering_;
    }
    return answering_ > 0;
}

void OpenAiService::answer_all_waiting() {
    for (;;) {
        Waiting next;
        {
            const std::lock_guard lock(mutex_);
            if (waiting_.empty()) {
                --answering_;
                return;
            }
            next = std::move(waiting_.front());
            waiting_.pop_front();
        }
        answer_chat(next.request, next.exchange);
    }
}

void OpenAiService::forget_gone() {
    std::deque<Waiting> gone; // freed after the lock
    const std::lock_guard lock(mutex_);
    const auto first = std::stable_partition(waiting_.begin(), waiting_.end(), [](const Waiting& one) { return !one.exchange.stop.stop_requested(); });
    std::move(first, waiting_.end(), std::back_inserter(gone));
    waiting_.erase(first, waiting_.end());
}

void OpenAiService::answer_chat(const OpenAiRequest& request, const Exchange& exchange) {
    if (exchange.stop.stop_requested()) {
        return; // nobody waits for it any more
    }
    DecodePicture decode;
    if (options_.decode_picture) {
        decode = [&](std::span<const std::uint8_t> bytes) { return options_.decode_picture(bytes, exchange.stop); };
    }
    const ChatCallOrError read = read_chat_call(
        request.body, {.names = options_.names, .limits = {.body_bytes_max = options_.body_bytes_max, .images_max = options_.images_max, .picture_bytes_max = options_.picture_bytes_max}, .decode = decode, .fresh_seed = fresh_seed()});
    if (const auto* const refused = std::get_if<ApiError>(&read); refused != nullptr) {
        exchange.respond(to_response(*refused));
        return;
    }
    const auto& call = std::get<ChatCall>(read);
    call.is_stream ? answer_in_pieces(call, exchange) : answer_whole(call, exchange);
}

void OpenAiService::answer_whole(const ChatCall& call, const Exchange& exchange) {
    const auto done = gate_.generate(call.request, [](std::string_view) {}, exchange.stop);
    if (!done) {
        exchange.respond(to_response(api_error(done.error())));
        return;
    }
    StopTrim trim(call.request.stop_texts);
    ReasoningSplit split;
    ReasoningSplit::Piece text = split.push(trim.push(done->text_utf8));
    for (const ReasoningSplit::Piece& rest : {split.push(trim.finish()), split.finish()}) {
        text.reasoning += rest.reasoning;
        text.content += rest.content;
    }
    exchange.respond({200, completion_json(head_for(options_), *done, text)});
}

void OpenAiService::answer_in_pieces(const ChatCall& call, const Exchange& exchange) {
    const AnswerHead head = head_for(options_);
    StopTrim trim(call.request.stop_texts);
    ReasoningSplit split;
    bool is_begun = false;
    // The stream begins with the first text: what goes wrong before it is an answer with a status of its own.
    const auto begin = [&] {
        if (!std::exchange(is_begun, true)) {
            exchange.begin_stream();
            exchange.send(first_chunk(head));
        }
    };
    const auto send = [&](const ReasoningSplit::Piece& piece) {
        begin();
        if (!piece.is_empty()) {
            exchange.send(text_chunk(head, piece));
        }
    };
    const auto done = gate_.generate(call.request, [&](std::string_view text) { send(split.push(trim.push(text))); }, exchange.stop);
    if (!done && !is_begun) {
        exchange.respond(to_response(api_error(done.error())));
        return;
    }
    if (done) {
        send(split.push(trim.finish()));
        send(split.finish());
        exchange.send(last_chunk(head, *done));
        if (call.wants_usage) {
            exchange.send(usage_chunk(head, *done));
        }
    } else {
        exchange.send(event_of(error_json(api_error(done.error()))));
    }
    exchange.send(std::string(kStreamEnd));
    exchange.end();
}

} // namespace handeye
