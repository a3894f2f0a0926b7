// SPDX-License-Identifier: Apache-2.0
#include "server/openai/chat_call.h"

#include "base/image_header.h"
#include "base/json.h"
#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 32;
constexpr std::size_t kMessagesMax = 4096;
constexpr std::size_t kStopsMax = 16;
constexpr std::size_t kUserBytesMax = 512;
constexpr std::size_t kStopBytesMax = 256;
constexpr int kTokensMax = 1 << 24;
constexpr double kTemperatureMax = 2;

/// Errors travel as this inside; read_chat_call() is the only one that catches.
struct Refused {
    ApiError error;
};

[[noreturn]] void refuse(const std::string& param, const std::string& message) { throw Refused{{.message = fmt::format("{}: {}", param, message), .param = param}}; }

/// Fields that are known and not done yet, unless they say what is the case anyhow.
struct Undone {
    std::string_view name;
    json harmless;
};
const std::vector<Undone>& undone() {
    static const std::vector<Undone> rows{{"n", 1},          {"presence_penalty", 0}, {"frequency_penalty", 0},      {"logit_bias", json::object()}, {"logprobs", false},
                                          {"top_logprobs", 0}, {"tools", json::array()}, {"tool_choice", "none"},      {"response_format", {{"type", "text"}}},
                                          {"skip_special_tokens", false}};
    return rows;
}
/// Fields that change nothing here.
constexpr std::array<std::string_view, 3> kPassedOver{"metadata", "store", "parallel_tool_calls"};
constexpr std::array<std::string_view, 14> kRead{"user", "model",   "messages", "max_tokens", "max_completion_tokens", "temperature",          "top_p",      "top_k",
                                                 "seed",    "stop",     "stream",     "stream_options",        "repetition_penalty", "chat_template_kwargs"};

void check_fields(const json& body) {
    for (const auto& [name, value] : body.items()) {
        const auto row = std::find_if(undone().begin(), undone().end(), [&, &key = name](const Undone& one) { return one.name == key; });
        if (row != undone().end()) {
            if (!value.is_null() && value != row->harmless) {
                refuse(name, "this endpoint does not do that yet");
            }
        } else if (std::find(kRead.begin(), kRead.end(), name) == kRead.end() && std::find(kPassedOver.begin(), kPassedOver.end(), name) == kPassedOver.end()) {
            refuse(name.substr(0, 64), "there is no such field; " + suggestion(name.substr(0, 64), "fields", kRead));
        }
    }
}

double number(const json& body, const char* name, double from, double to, double otherwise) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) {
        return otherwise;
    }
    if (!found->is_number() || !(found->get<double>() >= from) || !(found->get<double>() <= to)) {
        refuse(name, fmt::format("it must be a number from {} to {}", from, to));
    }
    return found->get<double>();
}

int whole(const json& body, const char* name, int from, int to, int otherwise) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) {
        return otherwise;
    }
    if (!found->is_number_integer() || found->get<std::int64_t>() < from || found->get<std::int64_t>() > to || (found->is_number_unsigned() && found->get<std::uint64_t>() > std::uint64_t{1} << 62U)) {
        refuse(name, fmt::format("it must be a whole number from {} to {}", from, to));
    }
    return found->get<int>();
}

bool flag(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) {
        return false;
    }
    if (!found->is_boolean()) {
        refuse(name, "it must be true or false");
    }
    return found->get<bool>();
}

std::vector<std::string> stops_of(const json& body) {
    const json stop = body.value("stop", json());
    const json list = stop.is_string() ? json::array({stop}) : stop;
    const auto is_fine = [](const json& one) { return one.is_string() && !one.get_ref<const std::string&>().empty() && one.get_ref<const std::string&>().size() <= kStopBytesMax; };
    if (list.is_null()) {
        return {};
    }
    if (!list.is_array() || list.size() > kStopsMax || !std::all_of(list.begin(), list.end(), is_fine)) {
        refuse("stop", fmt::format("it must be a text or a list of at most {} texts, each of 1 to {} bytes", kStopsMax, kStopBytesMax));
    }
    return list.get<std::vector<std::string>>();
}

// Whose turn it is, by whatever name the client gives its users.
std::string user_of(const json& body) {
    const json user = body.value("user", json());
    if (!user.is_null() && (!user.is_string() || user.get_ref<const std::string&>().size() > kUserBytesMax)) {
        refuse("user", fmt::format("it must be a text of at most {} bytes", kUserBytesMax));
    }
    return user.is_string() ? user.get<std::string>() : "";
}

// Earlier thinking is left out of the history, as the models were trained.
std::string without_thinking(const std::string& text) {
    constexpr std::string_view kEnd = "</think>";
    const std::size_t end = text.find(kEnd);
    return end == std::string::npos ? text : text.substr(end + kEnd.size());
}

class MessageReader {
public:
    explicit MessageReader(const ChatContext& context) : context_(context) {}

    Message read(const json& given, const std::string& where) {
        if (!given.is_object() || !given.value("role", json()).is_string()) {
            refuse(where, "a message is an object with a role");
        }
        const auto role = given.at("role").get<std::string>();
        Message message{.role = role_of(role, where)};
        const json content = given.value("content", json());
        if (content.is_string()) {
            const auto text = content.get<std::string>();
            message.parts.emplace_back(TextPart{message.role == Role::Assistant ? without_thinking(text) : text});
        } else if (content.is_array()) {
            for (std::size_t i = 0; i < content.size(); ++i) {
                message.parts.push_back(part(content[i], fmt::format("{}.content[{}]", where, i)));
            }
        } else {
            refuse(where + ".content", "it is a text or a list of parts");
        }
        return message;
    }

    /// After all messages were read: their pictures together are within the limit, or none is decoded.
    void decode_pictures(std::vector<Message>& messages) {
        if (decoded_bytes_ > context_.limits.picture_bytes_max) {
            refuse("messages", fmt::format("the pictures take {} bytes when they are decoded; the limit for one request is {}", decoded_bytes_, context_.limits.picture_bytes_max));
        }
        auto next = pictures_.begin();
        for (Message& message : messages) {
            for (Part& part : message.parts) {
                if (auto* const image = std::get_if<ImagePart>(&part); image != nullptr) {
                    Result<Image> picture = context_.decode(next->bytes);
                    if (!picture) {
                        refuse(next->where, picture.error().message);
                    }
                    *image = ImagePart{std::move(*picture)};
                    next->bytes = {};
                    ++next;
                }
            }
        }
    }

private:
    static Role role_of(const std::string& role, const std::string& where) {
        if (role == "system" || role == "developer") {
            return Role::System;
        }
        if (role != "user" && role != "assistant") {
            refuse(where + ".role", "it must be system, developer, user or assistant");
        }
        return role == "user" ? Role::User : Role::Assistant;
    }

    Part part(const json& given, const std::string& where) {
        const json type = given.is_object() ? given.value("type", json()) : json();
        if (type == "text" && given.value("text", json()).is_string()) {
            return TextPart{given.at("text").get<std::string>()};
        }
        if (type != "image_url") {
            refuse(where, R"(a part is {"type":"text","text":...} or {"type":"image_url","image_url":{"url":"data:image/..."}})");
        }
        const json image = given.value("image_url", json());
        const json url = image.is_object() ? image.value("url", json()) : image;
        if (!url.is_string()) {
            refuse(where + ".image_url", "it has no url");
        }
        if (++images_ > context_.limits.images_max) {
            refuse(where, fmt::format("one request takes at most {} pictures", context_.limits.images_max));
        }
        pictures_.push_back({.where = where + ".image_url"});
        const DecodePicture keep = [this](std::span<const std::uint8_t> bytes) { return measure(bytes); };
        if (const auto kept = image_from_data_url(url.get_ref<const std::string&>(), context_.decode ? keep : DecodePicture()); !kept) {
            refuse(pictures_.back().where, kept.error().message);
        }
        return ImagePart{}; // filled by decode_pictures()
    }

    // Keeps the bytes of the last picture and adds up what all will take as RGB.
    Result<Image> measure(std::span<const std::uint8_t> bytes) {
        const ImageHeader header = TRY(read_image_header(bytes));
        constexpr auto kPixelBytes = static_cast<std::uint64_t>(bytes_per_pixel(PixelFormat::Rgb));
        const auto pixels = static_cast<std::uint64_t>(header.width_px) * static_cast<std::uint64_t>(header.height_px); // of 32 bits each at most
        const bool is_beyond = pixels > (UINT64_MAX - decoded_bytes_) / kPixelBytes;
        decoded_bytes_ = is_beyond ? UINT64_MAX : decoded_bytes_ + pixels * kPixelBytes;
        pictures_.back().bytes.assign(bytes.begin(), bytes.end());
        return Image();
    }

    struct Picture {
        std::string where;
        std::vector<std::uint8_t> bytes;
    };

    const ChatContext& context_;
    std::size_t images_ = 0;
    std::vector<Picture> pictures_; ///< in the order of the parts
    std::uint64_t decoded_bytes_ = 0;
};

void check_model(const json& body, const ChatContext& context) {
    const json name = body.value("model", json());
    if (name.is_null()) {
        return;
    }
    if (!name.is_string() || std::find(context.names.begin(), context.names.end(), name.get<std::string>()) == context.names.end()) {
        throw Refused{{.status = 404,
                       .message = fmt::format("the model {} is not served here; \"model\" may be \"{}\"", dump_json(name.is_string() ? json(name.get<std::string>().substr(0, 128)) : json(name.type_name())),
                                              fmt::join(context.names, "\", \"")),
                       .param = "model",
                       .code = "model_not_found"}};
    }
}

// The templates of these models have one switch. What a client believes to have set must be set, or it is told.
void read_template_arguments(const json& body, ChatRequest& request) {
    constexpr std::array<std::string_view, 1> kSwitches{"enable_thinking"};
    const json given = body.value("chat_template_kwargs", json());
    if (given.is_null()) {
        return;
    }
    if (!given.is_object()) {
        refuse("chat_template_kwargs", "it must be an object");
    }
    for (const auto& [name, value] : given.items()) {
        if (std::find(kSwitches.begin(), kSwitches.end(), name) == kSwitches.end()) {
            refuse("chat_template_kwargs." + name.substr(0, 64), "there is no such switch; " + suggestion(name.substr(0, 64), "switches", kSwitches));
        }
    }
    if (given.contains("enable_thinking") && !given.at("enable_thinking").is_null()) {
        request.enable_thinking = flag(given, "enable_thinking");
    }
}

ChatCall read(const json& body, const ChatContext& context) {
    if (!body.is_object()) {
        refuse("body", "it must be a JSON object");
    }
    check_fields(body);
    check_model(body, context);
    ChatCall call;
    call.is_stream = flag(body, "stream");
    const json stream_options = body.value("stream_options", json());
    call.wants_usage = stream_options.is_object() && flag(stream_options, "include_usage");
    SamplingOptions& sampling = call.request.sampling;
    sampling.temperature = number(body, "temperature", 0, kTemperatureMax, 1);
    sampling.top_p = number(body, "top_p", std::numeric_limits<double>::min(), 1, 1);
    sampling.top_k = std::max(0, whole(body, "top_k", -1, kTokensMax, 0));
    sampling.repetition_penalty = number(body, "repetition_penalty", 0.01, 10, 1);
    const auto seed = body.find("seed");
    const bool has_seed = seed != body.end() && !seed->is_null();
    if (has_seed && !seed->is_number_integer()) {
        refuse("seed", "it must be a whole number");
    }
    sampling.seed = has_seed ? seed->get<std::uint64_t>() : context.fresh_seed;
    const int older = whole(body, "max_tokens", 1, kTokensMax, call.request.max_new_tokens);
    call.request.max_new_tokens = whole(body, "max_completion_tokens", 1, kTokensMax, older);
    call.request.stop_texts = stops_of(body);
    call.request.session = user_of(body);
    read_template_arguments(body, call.request);
    const auto messages = body.find("messages");
    if (messages == body.end() || !messages->is_array() || messages->empty() || messages->size() > kMessagesMax) {
        refuse("messages", fmt::format("it must be a list of 1 to {} messages", kMessagesMax));
    }
    MessageReader reader(context);
    for (std::size_t i = 0; i < messages->size(); ++i) {
        call.request.messages.push_back(reader.read((*messages)[i], fmt::format("messages[{}]", i)));
    }
    reader.decode_pictures(call.request.messages);
    return call;
}

} // namespace

ApiError api_error(const Error& error, const std::string& param) {
    ApiError out{.message = error.message, .param = param};
    switch (error.code) {
    case ErrorCode::LimitExceeded: out.code = "context_length_exceeded"; break;
    case ErrorCode::InvalidArgument:
    case ErrorCode::ParseFailed:
    case ErrorCode::OutOfBounds:
    case ErrorCode::PermissionDenied:
    case ErrorCode::Unsupported: break;
    case ErrorCode::NotFound: out.status = 404; break;
    case ErrorCode::Overloaded: out.status = 429; break;
    case ErrorCode::DeadlineExceeded: out.status = 504; break;
    case ErrorCode::Cancelled:
    case ErrorCode::Unavailable:
    case ErrorCode::EngineLost:
    case ErrorCode::OutOfMemory: out.status = 503; break;
    case ErrorCode::IoFailed:
    case ErrorCode::Internal: out.status = 500; break;
    }
    out.type = out.status == 429 ? "rate_limit_error" : out.status >= 500 ? "server_error" : out.type;
    return out;
}

std::string error_json(const ApiError& error) {
    const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
    return dump_json({{"error", {{"message", error.message}, {"type", error.type}, {"param", or_null(error.param)}, {"code", or_null(error.code)}}}}) + "\n";
}

ChatCallOrError read_chat_call(std::string_view body_json, const ChatContext& context) {
    const auto body = parse_json(body_json, {.bytes_max = context.limits.body_bytes_max, .depth_max = kDepthMax});
    if (!body) {
        return ApiError{.message = "the body is no JSON: " + body.error().message};
    }
    try {
        return read(*body, context);
    } catch (const Refused& refused) {
        return refused.error;
    }
}

} // namespace handeye
