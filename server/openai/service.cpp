// SPDX-License-Identifier: Apache-2.0
#include "server/openai/service.h"

#include "base/hash.h"
#include "base/json.h"
#include "server/metrics.h"
#include "server/openai/answering.h"
#include "server/openai/text_call.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kPathShownMax = 100;
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

AnswerHead head_for(const OpenAiOptions& options, const ChatCall& call) {
    return {.id = (call.kind == AnswerKind::Chat ? "chatcmpl-" : "cmpl-") + random_hex(kIdBytes).value_or("0"),
            .created_s = now_s(),
            .model = options.names.front(),
            .kind = call.kind,
            .has_logprobs = call.request.top_logprobs.has_value()};
}

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

ApiError no_such_path(const std::string& path) {
    std::string all;
    for (const Route& route : routes()) {
        all += fmt::format("{}{}{}", all.empty() ? "" : ", ", route.path, route.path.ends_with('/') ? "NAME" : "");
    }
    return {.status = 404, .message = fmt::format("there is no {}; there are {}", path.substr(0, kPathShownMax), all)};
}

json model_row(const std::string& name, std::int64_t since, const ModelGate::Status& status) {
    json row{{"id", name}, {"object", "model"}, {"created", since}, {"owned_by", "handeye"}};
    if (status.info) {
        row["max_model_len"] = status.info->context_tokens_max;
        row["prompt"] = status.info->prompt; // which prompts/<name>/ speaks to it: the name may be anything
        row["reads_pictures"] = status.info->reads_pictures;
    }
    return row;
}

} // namespace

OpenAiResponse to_response(const ApiError& error) { return {error.status, error_json(error)}; }

OpenAiService::OpenAiService(const OpenAiOptions& options) : options_(options), started_s_(now_s()), worker_(options.answers_max, options.answers_max) {}

bool OpenAiService::has_key(const OpenAiHead& head) const {
    constexpr std::string_view kBearer = "Bearer ";
    const Route* const route = find_route(head.path);
    if (options_.api_key.empty() || (route != nullptr ? !route->needs_key : !head.path.starts_with("/v1"))) {
        return true;
    }
    const std::string_view said = head.authorization;
    return equal_constant_time(said.starts_with(kBearer) ? said.substr(kBearer.size()) : std::string_view(), options_.api_key);
}

std::optional<OpenAiResponse> OpenAiService::check_head(const OpenAiHead& head) const {
    if (!has_key(head)) {
        return to_response({.status = 401, .message = "Authorization: Bearer KEY is missing or wrong", .code = "invalid_api_key"});
    }
    const Route* const route = find_route(head.path);
    if (route == nullptr) {
        return to_response(no_such_path(head.path));
    }
    if (route->is_post ? head.verb != "POST" : head.verb != "GET" && head.verb != "HEAD") {
        return to_response({.status = 405, .message = fmt::format("{} is asked with {}", head.path.substr(0, kPathShownMax), route->is_post ? "POST" : "GET")});
    }
    if (!route->is_post) {
        return head.body_bytes == 0 && !head.is_chunked ? std::nullopt : std::optional(to_response({.message = fmt::format("{} takes no body", head.path.substr(0, kPathShownMax))}));
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

OpenAiResponse OpenAiService::models() const {
    const ModelGate::Status status = gate_.status();
    json rows = json::array();
    for (const std::string& name : options_.names) {
        rows.push_back(model_row(name, started_s_, status));
    }
    return {200, dump_json({{"object", "list"}, {"data", std::move(rows)}}) + "\n"};
}

OpenAiResponse OpenAiService::model(const std::string& name) const {
    if (std::find(options_.names.begin(), options_.names.end(), name) == options_.names.end()) {
        return to_response({.status = 404, .message = fmt::format("the model {} is not served here; there is \"{}\"", dump_json(json(name.substr(0, kPathShownMax))), fmt::join(options_.names, "\", \"")), .param = "model", .code = "model_not_found"});
    }
    return {200, dump_json(model_row(name, started_s_, gate_.status())) + "\n"};
}

OpenAiResponse OpenAiService::answer_at_once(const Route& route, const std::string& path) const {
    switch (route.id) {
    case RouteId::Health:
    case RouteId::Ping: return health();
    case RouteId::Metrics: return {.status = 200, .body = prometheus_text(engine_metrics(gate_.load())), .content_type = "text/plain; version=0.0.4"};
    case RouteId::Version: return {200, dump_json({{"version", HANDEYE_VERSION}}) + "\n"};
    case RouteId::OpenApi: return {200, std::string(openapi_json())};
    case RouteId::Models: return models();
    case RouteId::Model: return model(name_in(route, path));
    case RouteId::Chat:
    case RouteId::Text:
    case RouteId::Tokenize:
    case RouteId::Detokenize: break;
    }
    return to_response(no_such_path(path));
}

void OpenAiService::handle(OpenAiRequest request, Exchange exchange) {
    const Route* const route = find_route(request.path);
    if (route == nullptr || !route->is_post) {
        exchange.respond(route == nullptr ? to_response(no_such_path(request.path)) : answer_at_once(*route, request.path));
        return;
    }
    start({.route = route, .request = std::move(request), .exchange = std::move(exchange), .since = std::chrono::steady_clock::now()});
}

void OpenAiService::start(Waiting waiting) {
    const auto respond = waiting.exchange.respond;
    if (const ModelGate::Status status = gate_.status(); status.state != ModelState::Ready) {
        respond(to_response(not_ready(status)));
        return;
    }
    if (!wait_in_line(std::move(waiting))) {
        respond(to_response({.status = 429, .message = fmt::format("{} requests wait for the model already", options_.waiting_max), .type = "rate_limit_error", .code = "overloaded"}));
    }
}

bool OpenAiService::wait_in_line(Waiting&& waiting) {
    const std::lock_guard lock(mutex_);
    const std::size_t taken = busy_ + parts_.size(); // a thread that is free takes one at once: that one does not wait
    const std::size_t free = options_.answers_max - std::min(options_.answers_max, taken);
    if (waiting_.size() >= options_.waiting_max + free) {
        return false;
    }
    waiting_.push_back(std::move(waiting));
    if (answering_ < options_.answers_max && worker_.submit([this] { answer_all_waiting(); })) {
        ++answering_;
    }
    return answering_ > 0;
}

/// At most one request's for each thread: a thread takes no new request while there are some.
void OpenAiService::add_parts(std::deque<std::function<void()>> parts) {
    const std::lock_guard lock(mutex_);
    for (std::function<void()>& part : parts) {
        parts_.push_back(std::move(part));
        if (answering_ < options_.answers_max && worker_.submit([this] { answer_all_waiting(); })) {
            ++answering_;
        }
    }
}

void OpenAiService::answer_all_waiting() {
    for (bool is_first = true;; is_first = false) {
        std::function<void()> part;
        Waiting next;
        {
            const std::lock_guard lock(mutex_);
            busy_ -= is_first ? 0 : 1;
            if (!parts_.empty()) {
                part = std::move(parts_.front());
                parts_.pop_front();
            } else if (!waiting_.empty()) {
                next = std::move(waiting_.front());
                waiting_.pop_front();
            } else {
                --answering_;
                return;
            }
            ++busy_;
        }
        part ? part() : answer(next);
    }
}

void OpenAiService::forget_gone() {
    std::deque<Waiting> gone; // freed after the lock
    const std::lock_guard lock(mutex_);
    const auto first = std::stable_partition(waiting_.begin(), waiting_.end(), [](const Waiting& one) { return !one.exchange.stop.stop_requested(); });
    std::move(first, waiting_.end(), std::back_inserter(gone));
    waiting_.erase(first, waiting_.end());
}

ChatCallOrError OpenAiService::read(const Waiting& asked) const {
    DecodePicture decode;
    if (options_.decode_picture) {
        decode = [&](std::span<const std::uint8_t> bytes) { return options_.decode_picture(bytes, asked.exchange.stop); };
    }
    decltype(ChatContext::decode_video) decode_video;
    if (options_.decode_video) {
        decode_video = [&](std::span<const std::uint8_t> bytes) { return options_.decode_video(bytes, asked.exchange.stop); };
    }
    const ModelGate::Status status = gate_.status();
    const ChatContext context{.names = options_.names,
                              .limits = {.body_bytes_max = options_.body_bytes_max, .images_max = options_.images_max, .picture_bytes_max = options_.picture_bytes_max, .videos_max = options_.videos_max},
                              .decode = decode,
                              .fresh_seed = fresh_seed(),
                              .decode_video = decode_video,
                              .open_media = options_.open_media,
                              .grammars = options_.grammars,
                              .tool_syntax = status.info ? tool_syntax_of(status.info->family) : ToolSyntax::None,
                              .stop = asked.exchange.stop};
    switch (asked.route->id) {
    case RouteId::Text: return read_text_call(asked.request.body, context);
    case RouteId::Tokenize: return read_tokenize_call(asked.request.body, context);
    case RouteId::Detokenize: return read_detokenize_call(asked.request.body, context);
    case RouteId::Chat:
    case RouteId::Health:
    case RouteId::Ping:
    case RouteId::Metrics:
    case RouteId::Version:
    case RouteId::OpenApi:
    case RouteId::Models:
    case RouteId::Model: break;
    }
    return read_chat_call(asked.request.body, context);
}

void OpenAiService::answer(const Waiting& asked) {
    if (asked.exchange.stop.stop_requested()) {
        return; // nobody waits for it any more
    }
    ChatCallOrError read_call = read(asked);
    if (const auto* const refused = std::get_if<ApiError>(&read_call); refused != nullptr) {
        asked.exchange.respond(to_response(*refused));
        return;
    }
    auto& call = std::get<ChatCall>(read_call);
    const bool is_generation = asked.route->id == RouteId::Chat || asked.route->id == RouteId::Text;
    is_generation ? answer_with_model(asked, std::move(call)) : answer_with_tokens(asked, call);
}

void OpenAiService::answer_with_model(const Waiting& asked, ChatCall call) {
    const auto deadline = options_.request_timeout ? std::optional(asked.since + *options_.request_timeout) : std::nullopt;
    AnswerHead head = head_for(options_, call);
    const auto answering = std::make_shared<Answering>(std::move(call), std::move(head), asked.exchange, gate_, deadline);
    std::deque<std::function<void()>> others;
    for (std::size_t part = 1; part < answering->parts(); ++part) {
        others.emplace_back([answering, part] { answering->answer(part); });
    }
    add_parts(std::move(others));
    answering->answer(0);
}

void OpenAiService::answer_with_tokens(const Waiting& asked, const ChatCall& call) {
    const auto prompt = gate_.tokenize(call.request, asked.exchange.stop);
    if (!prompt) {
        asked.exchange.respond(to_response(api_error(prompt.error())));
        return;
    }
    if (asked.route->id == RouteId::Detokenize) {
        std::string text;
        for (const std::string& bytes : prompt->bytes) {
            text += bytes;
        }
        asked.exchange.respond({200, dump_json({{"prompt", text}}) + "\n"});
        return;
    }
    const ModelGate::Status status = gate_.status();
    asked.exchange.respond({200, dump_json({{"count", prompt->ids.size()},
                                            {"max_model_len", status.info ? status.info->context_tokens_max : 0},
                                            {"tokens", prompt->ids},
                                            {"token_strs", call.wants_echo ? json(prompt->bytes) : json()}}) +
                                     "\n"});
}

} // namespace handeye
