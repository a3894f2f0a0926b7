// SPDX-License-Identifier: Apache-2.0
// engine.*: the model itself, for conversations beside the sessions; whoever asks first is answered first.
#include "base/json.h"
#include "server/core.h"
#include "server/method_table.h"
#include "server/peer.h"
#include "server/picture.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kImagesMax = 32;

double ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

json engine_json(const ModelGate::Status& status) {
    json out{{"state", model_state_name(status.state)}, {"detail", status.detail}};
    if (status.info) {
        out["model"] = {{"name", status.info->name},
                        {"family", status.info->family},
                        {"weight_format", status.info->weight_format},
                        {"prompt", status.info->prompt},
                        {"parameters", status.info->parameters},
                        {"weights_bytes", status.info->weights_bytes},
                        {"context_tokens_max", status.info->context_tokens_max}};
    }
    return out;
}

Result<Part> part_from(const json& part, std::size_t& images, const DecodePicture& decode) {
    if (part.value("type", "") == "text" && part.contains("text") && part.at("text").is_string()) {
        Part out = TextPart{part.at("text").get<std::string>()};
        return out;
    }
    if (part.value("type", "") == "image" && part.contains("image") && part.at("image").is_string()) {
        if (++images > kImagesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("one request takes at most {} pictures", kImagesMax)};
        }
        Result<Image> image = image_from_data_url(part.at("image").get_ref<const std::string&>(), decode);
        if (!image) {
            return image.error();
        }
        Part out = ImagePart{std::move(*image)};
        return out;
    }
    return Error{ErrorCode::InvalidArgument, R"(a part is {"type":"text","text":...} or {"type":"image","image":"data:image/..."})"};
}

// Earlier thinking is left out of the history, as the models were trained.
std::string without_thinking(const std::string& text) {
    constexpr std::string_view kEnd = "</think>";
    const std::size_t end = text.find(kEnd);
    return end == std::string::npos ? text : text.substr(end + kEnd.size());
}

Result<Message> message_from(const json& given, std::size_t& images, const DecodePicture& decode) {
    Message message;
    const auto role = given.value("role", "user");
    message.role = role == "system" ? Role::System : role == "assistant" ? Role::Assistant : Role::User;
    const json& content = given.at("content");
    if (content.is_string()) {
        const auto text = content.get<std::string>();
        message.parts.push_back(TextPart{message.role == Role::Assistant ? without_thinking(text) : text});
        return message;
    }
    if (!content.is_array()) {
        return Error{ErrorCode::InvalidArgument, "content is a string or a list of parts"};
    }
    for (const json& part : content) {
        if (!part.is_object()) {
            return Error{ErrorCode::InvalidArgument, "a part of content is an object"};
        }
        Result<Part> read = part_from(part, images, decode);
        if (!read) {
            return read.error();
        }
        message.parts.push_back(std::move(*read));
    }
    return message;
}

Result<ChatRequest> request_from(const json& params, const DecodePicture& decode) {
    ChatRequest request;
    std::size_t images = 0;
    for (const json& given : params.at("messages")) {
        request.messages.push_back(TRY(message_from(given, images, decode)));
    }
    request.max_new_tokens = params.value("max_tokens", 1024);
    request.sampling.temperature = params.value("temperature", 0.0);
    request.sampling.top_p = params.value("top_p", 1.0);
    request.sampling.seed = params.value("seed", std::uint64_t{0});
    if (const auto thinking = params.find("thinking"); thinking != params.end()) {
        request.enable_thinking = thinking->get<bool>();
    }
    if (const auto budget = params.find("thinking_budget"); budget != params.end()) {
        request.thinking_budget = budget->get<int>();
    }
    return request;
}

// What stands before </think> is thinking; while it is open, all of it.
json answer_json(const Completion& done) {
    constexpr std::string_view kBegin = "<think>";
    constexpr std::string_view kEnd = "</think>";
    std::string text = done.text_utf8;
    std::string thinking;
    const std::size_t end = text.find(kEnd);
    if (end != std::string::npos) {
        const std::size_t begin = text.rfind(kBegin, end);
        const std::size_t from = begin == std::string::npos ? 0 : begin + kBegin.size();
        thinking = text.substr(from, end - from);
        text = text.substr(end + kEnd.size());
    } else if (text.starts_with(kBegin)) {
        thinking = text.substr(kBegin.size());
        text.clear();
    }
    const GenerationTimings& t = done.usage.timings;
    return {{"text", std::move(text)},
            {"thinking", std::move(thinking)},
            {"stop_reason", stop_reason_name(done.stop_reason)},
            {"usage", {{"prompt_tokens", done.usage.prompt_tokens}, {"image_tokens", done.usage.image_tokens}, {"completion_tokens", done.usage.completion_tokens}, {"reused_tokens", done.usage.reused_tokens}}},
            {"timings_ms", {{"preprocess", ms(t.preprocess)}, {"vision", ms(t.vision)}, {"prefill", ms(t.prefill)}, {"decode", ms(t.decode)}, {"first_token", ms(t.first_token)}}}};
}

/// Pieces of an answer on their way to the client that asked.
class TokenSender {
public:
    TokenSender(Core& core, std::weak_ptr<Peer> peer, std::string request) : core_(core), peer_(std::move(peer)), request_(std::move(request)) {}
    void operator()(std::string_view text) const {
        core_.loop.post([peer = peer_, note = notification_text("engine.token", dump_json(json{{"request", request_}, {"text", text}}))] {
            if (const auto alive = peer.lock(); alive) {
                alive->send(note);
            }
        });
    }

private:
    Core& core_;
    std::weak_ptr<Peer> peer_;
    std::string request_;
};

/// When the client cancels, at its deadline, and when the server ends.
class JobStop {
public:
    JobStop(const Core& core, const Reply& reply) : of_client_(reply.stop(), Pass{source_}), of_server_(core.ending.get_token(), Pass{source_}) {}
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    struct Pass {
        std::stop_source source;
        void operator()() { source.request_stop(); }
    };
    std::stop_source source_;
    std::stop_callback<Pass> of_client_;
    std::stop_callback<Pass> of_server_;
};

void infer(Core& core, const std::shared_ptr<const json>& params, const OnText& on_text, const Reply& reply) {
    const JobStop stop(core, reply);
    DecodePicture decode;
    if (core.services.decode_picture) {
        decode = [&](std::span<const std::uint8_t> bytes) { return core.services.decode_picture(bytes, stop.token()); };
    }
    const Result<ChatRequest> request = request_from(*params, decode);
    if (!request) {
        reply.fail(RpcError{error_kind(request.error().code), request.error().message, "messages"});
        return;
    }
    const Result<Completion> done = core.gate.generate(*request, on_text, stop.token());
    if (stop.token().stop_requested()) {
        reply.fail(RpcError{ErrorKind::Cancelled, "cancelled by the client", ""});
    } else if (!done) {
        reply.fail(done.error());
    } else {
        reply.ok(answer_json(*done));
    }
}

bool is_ready_or_fail(const Call& call) {
    const auto model = call.core.gate.status();
    if (model.state == ModelState::Ready) {
        return true;
    }
    call.reply.fail(model.state == ModelState::Loading ? RpcError{ErrorKind::Unavailable, "the model is being loaded: " + model.detail, ""}
                                                       : RpcError{ErrorKind::EngineMissing, "no model is loaded: " + model.detail, ""});
    return false;
}

} // namespace

void engine_status(const Call& call) {
    json out = engine_json(call.core.gate.status());
    out["waiting"] = call.core.gate.waiting();
    call.reply.ok(out);
}

void engine_stats(const Call& call) {
    const ModelGate::Usage usage = call.core.gate.usage();
    call.reply.ok({{"state", model_state_name(call.core.gate.status().state)},
                   {"waiting", call.core.gate.waiting()},
                   {"inferences", usage.questions},
                   {"prompt_tokens", usage.prompt_tokens},
                   {"completion_tokens", usage.completion_tokens}});
}

void engine_infer(const Call& call) {
    if (!is_ready_or_fail(call)) {
        return;
    }
    OnText on_text = [](std::string_view) {};
    if (call.params.value("stream", false)) {
        on_text = TokenSender(call.core, call.peer.weak_from_this(), call.params.value("request", ""));
    }
    call.reply.set_cancelling(OnCancel::HandlerAnswers, OnHangUp::IsCancelled);
    const auto params = std::make_shared<const json>(call.params);
    const auto job = [&core = call.core, params, on_text, reply = call.reply] { infer(core, params, on_text, reply); };
    if (!call.core.inference.submit(job)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many requests wait for the model", ""});
    }
}

// The same question twice, greedily: the model answers, and answers the same.
void engine_selftest(const Call& call) {
    if (!is_ready_or_fail(call)) {
        return;
    }
    call.reply.set_cancelling(OnCancel::HandlerAnswers, OnHangUp::IsCancelled);
    const auto job = [&core = call.core, reply = call.reply] {
        const JobStop stop(core, reply);
        ChatRequest request;
        Message& question = request.messages.emplace_back();
        question.parts.emplace_back(TextPart{"Say one word."});
        request.max_new_tokens = 16;
        const TimePoint begin = std::chrono::steady_clock::now();
        const Result<Completion> first = core.gate.generate(request, [](std::string_view) {}, stop.token());
        const Result<Completion> second = first ? core.gate.generate(request, [](std::string_view) {}, stop.token()) : first;
        if (stop.token().stop_requested()) {
            reply.fail(RpcError{ErrorKind::Cancelled, "cancelled by the client", ""});
        } else if (!second) {
            reply.fail(second.error());
        } else {
            reply.ok({{"answers", first->ids.size()},
                      {"is_repeatable", first->text_utf8 == second->text_utf8},
                      {"wall_ms", ms(std::chrono::steady_clock::now() - begin)}});
        }
    };
    if (!call.core.inference.submit(job)) {
        call.reply.fail(RpcError{ErrorKind::Overloaded, "too many requests wait for the model", ""});
    }
}

} // namespace handeye
