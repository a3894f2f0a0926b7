// SPDX-License-Identifier: Apache-2.0
#include "server/openai/messages.h"

#include "server/openai/fields.h"
#include "server/openai/media.h"
#include "server/openai/raw_json.h"
#include "server/openai/tools.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kMessagesMax = 4096;
constexpr std::size_t kPartsMax = 4096; // of one message

// Earlier thinking is left out of the history, as the models were trained.
std::string without_thinking(const std::string& text) {
    constexpr std::string_view kEnd = "</think>";
    const std::size_t end = text.find(kEnd);
    return end == std::string::npos ? text : text.substr(end + kEnd.size());
}

class MessageReader {
public:
    explicit MessageReader(const ChatContext& context) : context_(context), media_(context) {}

    Message read(const json& given, std::string_view text, const std::string& where) {
        if (!given.is_object() || !given.value("role", json()).is_string()) {
            refuse(where, "a message is an object with a role");
        }
        Message message{.role = role_of(given.at("role").get<std::string>(), where)};
        const json* const calls = find_field(given, "tool_calls");
        if (calls != nullptr && !(calls->is_array() && calls->empty())) {
            if (message.role != Role::Assistant) {
                refuse(where + ".tool_calls", "only an assistant's message has some");
            }
            check_can_call(where + ".tool_calls");
            check_tool_calls(*calls, where + ".tool_calls");
            message.tool_calls_json = raw_member(text, "tool_calls");
        }
        read_reasoning(given, where, message);
        read_content(find_field(given, "content"), where, message);
        return message;
    }

    void decode(std::vector<Message>& messages) { media_.decode(messages); }

private:
    Role role_of(const std::string& role, const std::string& where) const {
        if (role == "system" || role == "developer") {
            return Role::System;
        }
        if (role == "tool") {
            check_can_call(where + ".role");
            return Role::Observation;
        }
        if (role != "user" && role != "assistant") {
            refuse(where + ".role", "it must be system, developer, user, assistant or tool");
        }
        return role == "user" ? Role::User : Role::Assistant;
    }

    void check_can_call(const std::string& where) const {
        if (context_.tool_syntax == ToolSyntax::None) {
            refuse(where, "this model was not trained with tools");
        }
    }

    // vLLM gives it back as one or the other.
    static void read_reasoning(const json& given, const std::string& where, Message& message) {
        for (const char* const name : {"reasoning_content", "reasoning"}) {
            if (const json* const said = find_field(given, name); said != nullptr) {
                if (!said->is_string() || message.role != Role::Assistant) {
                    refuse(fmt::format("{}.{}", where, name), "it is a text, and an assistant's");
                }
                message.reasoning_content = said->get<std::string>();
            }
        }
    }

    void read_content(const json* content, const std::string& where, Message& message) {
        if (content == nullptr && !message.tool_calls_json.empty()) {
            return;
        }
        if (content != nullptr && content->is_string()) {
            const auto& text = content->get_ref<const std::string&>();
            message.parts.emplace_back(TextPart{message.role == Role::Assistant ? without_thinking(text) : text});
        } else if (content != nullptr && content->is_array() && content->size() <= kPartsMax) {
            for (std::size_t i = 0; i < content->size(); ++i) {
                message.parts.push_back(part((*content)[i], fmt::format("{}.content[{}]", where, i)));
            }
        } else {
            refuse(where + ".content", fmt::format("it is a text or a list of at most {} parts", kPartsMax));
        }
    }

    Part part(const json& given, const std::string& where) {
        const json type = given.is_object() ? given.value("type", json()) : json();
        if (type == "text" && given.value("text", json()).is_string()) {
            return TextPart{given.at("text").get<std::string>()};
        }
        if (type != "image_url" && type != "video_url") {
            refuse(where, R"(a part is {"type":"text","text":...}, {"type":"image_url","image_url":{"url":...}} or {"type":"video_url","video_url":{"url":...}})");
        }
        const auto name = type.get<std::string>();
        const json* const said = find_field(given, name.c_str());
        const json* const url = said != nullptr && said->is_object() ? find_field(*said, "url") : said;
        if (url == nullptr || !url->is_string()) {
            refuse(fmt::format("{}.{}", where, name), "it has no url");
        }
        const auto& address = url->get_ref<const std::string&>();
        return name == "image_url" ? media_.picture(address, fmt::format("{}.{}", where, name)) : media_.video(address, fmt::format("{}.{}", where, name));
    }

    const ChatContext& context_;
    MediaReader media_;
};

} // namespace

std::vector<Message> read_messages(const json& body, std::string_view body_text, const ChatContext& context) {
    const json* const given = find_field(body, "messages");
    if (given == nullptr || !given->is_array() || given->empty() || given->size() > kMessagesMax) {
        refuse("messages", fmt::format("it must be a list of 1 to {} messages", kMessagesMax));
    }
    const std::vector<std::string_view> texts = raw_elements(raw_member(body_text, "messages"));
    MessageReader reader(context);
    std::vector<Message> messages;
    for (std::size_t i = 0; i < given->size(); ++i) {
        messages.push_back(reader.read((*given)[i], texts.at(i), fmt::format("messages[{}]", i)));
    }
    reader.decode(messages);
    return messages;
}

} // namespace handeye
