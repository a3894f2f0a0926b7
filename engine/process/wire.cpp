// SPDX-License-Identifier: Apache-2.0
#include "engine/process/wire.h"

#include "base/json.h"
#include "engine/process/wire_json.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::wire {
namespace {

using nlohmann::json;

constexpr std::array<std::uint8_t, 4> kMagic{'H', 'E', 'W', '1'};

std::uint64_t read_little(std::span<const std::uint8_t> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) {
        value = (value << 8U) | bytes[i - 1];
    }
    return value;
}

json encode_picture(const Image& image, std::vector<std::span<const std::uint8_t>>& body) {
    body.push_back(image.bytes());
    return json{{"width", image.size().width_px},
                {"height", image.size().height_px},
                {"format", static_cast<int>(image.format())}};
}

/// Cuts pictures off the front of a body.
class PictureReader {
public:
    explicit PictureReader(std::span<const std::uint8_t> body) : rest_(body) {}

    Result<Image> next(const json& head) {
        const auto width = head.at("width").get<std::int64_t>();
        const auto height = head.at("height").get<std::int64_t>();
        const auto format = head.at("format").get<std::int64_t>();
        if (width < 0 || height < 0 || width > kSideMax || height > kSideMax) {
            return Error{ErrorCode::OutOfBounds, fmt::format("engine message: a picture of {}x{}, the limit is {}", width, height, kSideMax)};
        }
        if (format < 0 || format > static_cast<int>(PixelFormat::Gray)) {
            return bad(fmt::format("picture format {}", format));
        }
        if (++count_ > kPicturesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("engine message: more than {} pictures", kPicturesMax)};
        }
        const auto pixel_format = static_cast<PixelFormat>(format);
        const auto bytes = static_cast<std::size_t>(width * height) * static_cast<std::size_t>(bytes_per_pixel(pixel_format));
        if (bytes > rest_.size()) {
            return Error{ErrorCode::OutOfBounds, fmt::format("engine message: a picture needs {} bytes, {} are left", bytes, rest_.size())};
        }
        if (bytes == 0) {
            return Image();
        }
        std::vector<std::uint8_t> pixels(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(bytes));
        rest_ = rest_.subspan(bytes);
        return Image::from_pixels({static_cast<int>(width), static_cast<int>(height)}, pixel_format, std::move(pixels));
    }
    [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

private:
    std::span<const std::uint8_t> rest_;
    int count_ = 0;
};

json encode_message(const Message& message, std::vector<std::span<const std::uint8_t>>& body) {
    json parts = json::array();
    for (const Part& part : message.parts) {
        if (const auto* const text = std::get_if<TextPart>(&part)) {
            parts.push_back({{"text", text->text_utf8}});
        } else if (const auto* const image = std::get_if<ImagePart>(&part)) {
            parts.push_back({{"image", encode_picture(image->image, body)}});
        } else {
            const auto& video = std::get<VideoPart>(part);
            json frames = json::array();
            for (const Image& frame : video.frames) {
                frames.push_back(encode_picture(frame, body));
            }
            parts.push_back({{"video", frames}, {"fps", video.fps}});
        }
    }
    return json{{"role", static_cast<int>(message.role)},
                {"metadata", message.metadata},
                {"reasoning", message.reasoning_content},
                {"tool_calls", message.tool_calls_json},
                {"parts", parts}};
}

Result<Part> decode_part(const json& head, PictureReader& pictures) {
    if (head.contains("text")) {
        return Part(TextPart{head.at("text").get<std::string>()});
    }
    if (head.contains("image")) {
        Image image = TRY(pictures.next(head.at("image")));
        return Part(ImagePart{std::move(image)});
    }
    VideoPart video{.fps = head.at("fps").get<double>()};
    for (const json& frame : head.at("video")) {
        video.frames.push_back(TRY(pictures.next(frame)));
    }
    return Part(std::move(video));
}

Result<Message> decode_message(const json& head, PictureReader& pictures) {
    const auto role = head.at("role").get<std::int64_t>();
    if (role < 0 || role > static_cast<int>(Role::Observation)) {
        return bad(fmt::format("role {}", role));
    }
    Message message{.role = static_cast<Role>(role),
                    .metadata = head.at("metadata").get<std::string>(),
                    .reasoning_content = head.at("reasoning").get<std::string>(),
                    .tool_calls_json = head.at("tool_calls").get<std::string>()};
    for (const json& part : head.at("parts")) {
        message.parts.push_back(TRY(decode_part(part, pictures)));
    }
    return message;
}

json encode_sampling(const SamplingOptions& s) {
    return {{"temperature", s.temperature}, {"top_p", s.top_p}, {"top_k", s.top_k}, {"min_p", s.min_p}, {"seed", s.seed},
            {"penalties", {s.repetition_penalty, s.presence_penalty, s.frequency_penalty}}, {"logit_bias", s.logit_bias}};
}

SamplingOptions decode_sampling(const json& value) {
    const json& penalties = value.at("penalties");
    return {.temperature = value.at("temperature").get<double>(),
            .top_p = value.at("top_p").get<double>(),
            .top_k = int_of(value.at("top_k")),
            .repetition_penalty = penalties.at(0).get<double>(),
            .seed = value.at("seed").get<std::uint64_t>(),
            .presence_penalty = penalties.at(1).get<double>(),
            .frequency_penalty = penalties.at(2).get<double>(),
            .min_p = value.at("min_p").get<double>(),
            .logit_bias = value.at("logit_bias").get<std::vector<std::pair<std::int32_t, double>>>()};
}

template <class Value>
void put(json& head, const char* name, const std::optional<Value>& value) {
    if (value) {
        head[name] = *value;
    }
}

} // namespace

Prefix write_prefix(const PacketSizes& sizes) {
    Prefix prefix{};
    std::copy(kMagic.begin(), kMagic.end(), prefix.begin());
    for (std::size_t i = 0; i < 4; ++i) {
        prefix[4 + i] = static_cast<std::uint8_t>((sizes.head_bytes >> (8 * i)) & 0xFFU);
    }
    for (std::size_t i = 0; i < 8; ++i) {
        prefix[8 + i] = static_cast<std::uint8_t>((sizes.body_bytes >> (8 * i)) & 0xFFU);
    }
    return prefix;
}

Result<PacketSizes> read_prefix(std::span<const std::uint8_t, kPrefixBytes> prefix, const PacketLimits& limits) {
    if (!std::equal(kMagic.begin(), kMagic.end(), prefix.begin())) {
        return bad("not a packet");
    }
    const std::uint64_t head = read_little(prefix.subspan<4, 4>());
    const std::uint64_t body = read_little(prefix.subspan<8, 8>());
    if (head > limits.head_bytes_max || body > limits.body_bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("engine message: {} + {} bytes, the limits are {} and {}", head, body,
                                                           limits.head_bytes_max, limits.body_bytes_max)};
    }
    return PacketSizes{.head_bytes = static_cast<std::size_t>(head), .body_bytes = static_cast<std::size_t>(body)};
}

Result<Packet> parse_packet(std::span<const std::uint8_t> bytes, const PacketLimits& limits) {
    if (bytes.size() < kPrefixBytes) {
        return bad("cut off in its prefix");
    }
    const PacketSizes sizes = TRY(read_prefix(bytes.first<kPrefixBytes>(), limits));
    bytes = bytes.subspan(kPrefixBytes);
    if (bytes.size() < sizes.head_bytes || bytes.size() - sizes.head_bytes < sizes.body_bytes) {
        return bad("cut off");
    }
    const auto head = bytes.first(sizes.head_bytes);
    const auto body = bytes.subspan(sizes.head_bytes, sizes.body_bytes);
    return Packet{std::string(head.begin(), head.end()), {body.begin(), body.end()}};
}

EncodedRequest encode_request(std::string_view type, std::uint64_t id, const ChatRequest& request) {
    EncodedRequest out;
    json messages = json::array();
    for (const Message& message : request.messages) {
        messages.push_back(encode_message(message, out.body));
    }
    json head{{"type", type},
              {"id", id},
              {"messages", messages},
              {"tools", request.tools_json},
              {"add_generation_prompt", request.add_generation_prompt},
              {"sampling", encode_sampling(request.sampling)},
              {"skip_special_tokens", request.skip_special_tokens},
              {"number_chances", request.number_chances},
              {"max_new_tokens", request.max_new_tokens},
              {"stop_texts", request.stop_texts},
              {"session", request.session}};
    put(head, "enable_thinking", request.enable_thinking);
    put(head, "thinking_budget", request.thinking_budget);
    put(head, "top_logprobs", request.top_logprobs);
    if (request.raw_prompt) {
        std::visit([&](const auto& prompt) { head["raw_prompt"] = prompt; }, *request.raw_prompt);
    }
    if (request.grammar) {
        head["grammar"] = {{"gbnf", request.grammar->gbnf}, {"added_tokens_as_text", request.grammar->added_tokens_as_text}};
    }
    if (request.time_limit) {
        head["time_limit_ns"] = request.time_limit->count();
    }
    out.head_json = dump_json(head);
    return out;
}

Result<ChatRequest> decode_request(const json& head, std::span<const std::uint8_t> body) {
    return guarded([&]() -> Result<ChatRequest> {
        ChatRequest request;
        PictureReader pictures(body);
        for (const json& message : head.at("messages")) {
            request.messages.push_back(TRY(decode_message(message, pictures)));
        }
        if (!pictures.is_at_end()) {
            return bad("more picture bytes than pictures");
        }
        request.tools_json = head.at("tools").get<std::string>();
        request.add_generation_prompt = head.at("add_generation_prompt").get<bool>();
        request.sampling = decode_sampling(head.at("sampling"));
        request.skip_special_tokens = head.at("skip_special_tokens").get<bool>();
        request.number_chances = head.at("number_chances").get<bool>();
        request.max_new_tokens = int_of(head.at("max_new_tokens"));
        request.stop_texts = head.at("stop_texts").get<std::vector<std::string>>();
        request.session = head.at("session").get<std::string>();
        if (head.contains("enable_thinking")) {
            request.enable_thinking = head.at("enable_thinking").get<bool>();
        }
        if (head.contains("thinking_budget")) {
            request.thinking_budget = int_of(head.at("thinking_budget"));
        }
        if (head.contains("top_logprobs")) {
            request.top_logprobs = int_of(head.at("top_logprobs"));
        }
        if (head.contains("raw_prompt")) {
            const json& prompt = head.at("raw_prompt");
            request.raw_prompt = prompt.is_string() ? RawPrompt(prompt.get<std::string>()) : RawPrompt(prompt.get<std::vector<std::int32_t>>());
        }
        if (head.contains("grammar")) {
            const json& grammar = head.at("grammar");
            request.grammar = AnswerGrammar{.gbnf = grammar.at("gbnf").get<std::string>(), .added_tokens_as_text = grammar.at("added_tokens_as_text").get<bool>()};
        }
        if (head.contains("time_limit_ns")) {
            request.time_limit = Duration(head.at("time_limit_ns").get<std::int64_t>());
        }
        return request;
    });
}

json encode_load(const EngineLoad& load) {
    return {load.running,        load.waiting,         load.answers, load.prompt_tokens, load.reused_tokens, load.completion_tokens,
            load.prefill_tokens, load.images_embedded, load.passes,  load.pass_rows,     load.restarts,      load.cached_tokens,
            load.guessed_tokens, load.right_guesses};
}

Result<EngineLoad> decode_load(const json& value) {
    return guarded([&]() -> Result<EngineLoad> {
        const auto at = [&](std::size_t i) { return value.at(i).get<std::uint64_t>(); };
        return EngineLoad{.running = at(0), .waiting = at(1), .answers = at(2), .prompt_tokens = at(3), .reused_tokens = at(4), .completion_tokens = at(5),
                          .prefill_tokens = at(6), .images_embedded = at(7), .passes = at(8), .pass_rows = at(9), .guessed_tokens = at(12),
                          .right_guesses = at(13), .restarts = at(10), .cached_tokens = static_cast<std::int64_t>(at(11))};
    });
}

json encode_info(const ModelInfo& info) {
    return {{"name", info.name},
            {"family", info.family},
            {"weight_format", info.weight_format},
            {"prompt", info.prompt},
            {"parameters", info.parameters},
            {"weights_bytes", info.weights_bytes},
            {"context_tokens_max", info.context_tokens_max},
            {"reads_pictures", info.reads_pictures}};
}

Result<ModelInfo> decode_info(const json& value) {
    return guarded([&]() -> Result<ModelInfo> {
        return ModelInfo{.name = value.at("name").get<std::string>(),
                         .family = value.at("family").get<std::string>(),
                         .weight_format = value.at("weight_format").get<std::string>(),
                         .prompt = value.at("prompt").get<std::string>(),
                         .parameters = value.at("parameters").get<std::int64_t>(),
                         .weights_bytes = value.at("weights_bytes").get<std::int64_t>(),
                         .context_tokens_max = int_of(value.at("context_tokens_max")),
                         .reads_pictures = value.at("reads_pictures").get<bool>()};
    });
}

json encode_error(const Error& error) { return {{"code", error_code_name(error.code)}, {"message", error.message}}; }

Error decode_error(const json& value) {
    const std::string name = value.is_object() ? value.value("code", json()).dump() : "";
    Error error{ErrorCode::Internal, "the engine process reported an error without a message"};
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        if (name == fmt::format("\"{}\"", error_code_name(static_cast<ErrorCode>(i)))) {
            error.code = static_cast<ErrorCode>(i);
        }
    }
    if (value.is_object() && value.contains("message") && value.at("message").is_string()) {
        error.message = value.at("message").get<std::string>();
    }
    return error;
}

} // namespace handeye::wire
