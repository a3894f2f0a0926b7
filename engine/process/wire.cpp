// SPDX-License-Identifier: Apache-2.0
#include "engine/process/wire.h"

#include "base/json.h"

#include <algorithm>
#include <cstring>
#include <limits>

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

Error bad(std::string_view what) { return Error{ErrorCode::ParseFailed, fmt::format("engine message: {}", what)}; }

// Everything that reads a head goes through here: a wrong type or a missing field is an error value.
template <class Read>
auto guarded(Read read) -> decltype(read()) {
    try {
        return read();
    } catch (const json::exception& problem) {
        return bad(problem.what());
    }
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
                    .reasoning_content = head.at("reasoning").get<std::string>()};
    for (const json& part : head.at("parts")) {
        message.parts.push_back(TRY(decode_part(part, pictures)));
    }
    return message;
}

// Numbers go into an int only when they fit.
int int_of(const json& value) {
    const auto wide = value.get<std::int64_t>();
    return static_cast<int>(std::clamp<std::int64_t>(wide, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

json encode_timings(const GenerationTimings& t) {
    return {t.preprocess.count(), t.vision.count(), t.prefill.count(), t.decode.count(), t.first_token.count()};
}

GenerationTimings decode_timings(const json& value) {
    const auto at = [&](std::size_t i) { return Duration(value.at(i).get<std::int64_t>()); };
    return {.preprocess = at(0), .vision = at(1), .prefill = at(2), .decode = at(3), .first_token = at(4)};
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

EncodedRequest encode_request(std::uint64_t id, const ChatRequest& request) {
    EncodedRequest out;
    json messages = json::array();
    for (const Message& message : request.messages) {
        messages.push_back(encode_message(message, out.body));
    }
    const SamplingOptions& s = request.sampling;
    json head{{"type", "generate"},
              {"id", id},
              {"messages", messages},
              {"add_generation_prompt", request.add_generation_prompt},
              {"sampling", {s.temperature, s.top_p, s.top_k, s.repetition_penalty, s.seed}},
              {"max_new_tokens", request.max_new_tokens},
              {"stop_texts", request.stop_texts},
              {"session", request.session}};
    if (request.enable_thinking) {
        head["enable_thinking"] = *request.enable_thinking;
    }
    if (request.thinking_budget) {
        head["thinking_budget"] = *request.thinking_budget;
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
        request.add_generation_prompt = head.at("add_generation_prompt").get<bool>();
        const json& s = head.at("sampling");
        request.sampling = {.temperature = s.at(0).get<double>(),
                            .top_p = s.at(1).get<double>(),
                            .top_k = int_of(s.at(2)),
                            .repetition_penalty = s.at(3).get<double>(),
                            .seed = s.at(4).get<std::uint64_t>()};
        request.max_new_tokens = int_of(head.at("max_new_tokens"));
        request.stop_texts = head.at("stop_texts").get<std::vector<std::string>>();
        request.session = head.at("session").get<std::string>();
        if (head.contains("enable_thinking")) {
            request.enable_thinking = head.at("enable_thinking").get<bool>();
        }
        if (head.contains("thinking_budget")) {
            request.thinking_budget = int_of(head.at("thinking_budget"));
        }
        return request;
    });
}

json encode_completion(const Completion& completion) {
    const Usage& u = completion.usage;
    return {{"text", completion.text_utf8},
            {"ids", completion.ids},
            {"stop_reason", static_cast<int>(completion.stop_reason)},
            {"tokens", {u.prompt_tokens, u.image_tokens, u.completion_tokens, u.reused_tokens}},
            {"thinking_forced_close", u.thinking_forced_close},
            {"timings_ns", encode_timings(u.timings)}};
}

Result<Completion> decode_completion(const json& value) {
    return guarded([&]() -> Result<Completion> {
        const auto reason = value.at("stop_reason").get<std::int64_t>();
        if (reason < 0 || reason > static_cast<int>(StopReason::Cancelled)) {
            return bad(fmt::format("stop reason {}", reason));
        }
        const json& tokens = value.at("tokens");
        return Completion{.text_utf8 = value.at("text").get<std::string>(),
                          .ids = value.at("ids").get<std::vector<std::int32_t>>(),
                          .stop_reason = static_cast<StopReason>(reason),
                          .usage = {.prompt_tokens = int_of(tokens.at(0)),
                                    .image_tokens = int_of(tokens.at(1)),
                                    .completion_tokens = int_of(tokens.at(2)),
                                    .reused_tokens = int_of(tokens.at(3)),
                                    .thinking_forced_close = value.at("thinking_forced_close").get<bool>(),
                                    .timings = decode_timings(value.at("timings_ns"))}};
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
