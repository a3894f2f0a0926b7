// SPDX-License-Identifier: Apache-2.0
// Messages as template variables, and the two ways to render them.
#include "engine/tokenizer/chat_template.h"

#include "engine/tokenizer/template_interpreter.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {

using jinja::Dict;
using jinja::List;
using jinja::Value;

struct ChatTemplate::Program {
    std::vector<jinja::Statement> statements;
};

namespace {

std::string_view role_name(Role role) {
    switch (role) {
    case Role::System: return "system";
    case Role::User: return "user";
    case Role::Assistant: return "assistant";
    case Role::Observation: return "observation";
    }
    return "";
}

Value part_value(const Part& part) {
    Dict dict;
    if (const auto* text = std::get_if<TextPart>(&part)) {
        dict.set("type", Value::text("text"));
        dict.set("text", Value::text(text->text_utf8, true));
    } else {
        dict.set("type", Value::text(std::holds_alternative<ImagePart>(part) ? "image" : "video"));
    }
    return Value::dict(std::move(dict));
}

// Content of text alone is a plain string, because several templates accept nothing else for some roles.
Value content_value(const std::vector<Part>& parts) {
    const auto is_text = [](const Part& part) { return std::holds_alternative<TextPart>(part); };
    if (std::all_of(parts.begin(), parts.end(), is_text)) {
        std::string text;
        for (const Part& part : parts) {
            text += std::get<TextPart>(part).text_utf8;
        }
        return Value::text(std::move(text), true);
    }
    List list;
    for (const Part& part : parts) {
        list.push_back(part_value(part));
    }
    return Value::list(std::move(list));
}

Value message_value(const Message& message) {
    Dict dict;
    dict.set("role", Value::text(std::string(role_name(message.role))));
    dict.set("content", content_value(message.parts));
    if (!message.metadata.empty()) {
        dict.set("metadata", Value::text(message.metadata, true));
    }
    if (!message.reasoning_content.empty()) {
        dict.set("reasoning_content", Value::text(message.reasoning_content, true));
    }
    return Value::dict(std::move(dict));
}

Dict variables_of(const std::vector<Message>& messages, bool add_generation_prompt, std::optional<bool> enable_thinking) {
    List list;
    for (const Message& message : messages) {
        list.push_back(message_value(message));
    }
    Dict variables;
    variables.set("messages", Value::list(std::move(list)));
    variables.set("add_generation_prompt", Value::State(add_generation_prompt));
    variables.set("tools", Value::none());
    variables.set("documents", Value::none());
    if (enable_thinking) {
        variables.set("enable_thinking", Value::State(*enable_thinking));
    }
    return variables;
}

} // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, const TemplateLimits& limits) {
    if (source.size() > limits.source_bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a chat template of {} bytes passes the limit of {}",
                                                           source.size(), limits.source_bytes_max)};
    }
    auto program = std::make_shared<Program>();
    std::vector<jinja::Token> tokens = TRY(jinja::tokenize(source));
    program->statements = TRY(jinja::parse_tokens(std::move(tokens), limits.depth_max));
    ChatTemplate result;
    result.program_ = std::move(program);
    result.limits_ = limits;
    return result;
}

Result<std::string> ChatTemplate::render(const std::vector<Message>& messages, bool add_generation_prompt,
                                         std::optional<bool> enable_thinking) const {
    jinja::Interpreter interpreter(program_->statements, variables_of(messages, add_generation_prompt, enable_thinking),
                                   limits_);
    const jinja::Text text = TRY(interpreter.run());
    return text.bytes();
}

Result<std::vector<RenderedSegment>> ChatTemplate::render_segments(const std::vector<Message>& messages,
                                                                   bool add_generation_prompt,
                                                                   std::optional<bool> enable_thinking) const {
    jinja::Interpreter interpreter(program_->statements, variables_of(messages, add_generation_prompt, enable_thinking),
                                   limits_);
    const jinja::Text text = TRY(interpreter.run());
    return text.segments();
}

} // namespace handeye
