// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/template_messages.h"

#include "base/json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace handeye::jinja {
namespace {

using Json = nlohmann::ordered_json; // templates write objects in the order in which they came

constexpr JsonLimits kLimits{.bytes_max = 4U << 20U, .depth_max = 64};

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

Result<Json> parse(std::string_view text, std::string_view what) {
    TRY(parse_json(text, kLimits).with_context(what)); // its limits, and no name twice
    return Json::parse(text);
}

/// All text in it is a stranger's, names included.
Value value_of(const Json& json) {
    if (json.is_object()) {
        Dict dict;
        dict.keys_from_content = true;
        for (const auto& [name, value] : json.items()) {
            dict.set(name, value_of(value));
        }
        return Value::dict(std::move(dict));
    }
    if (json.is_array()) {
        List list;
        for (const Json& value : json) {
            list.push_back(value_of(value));
        }
        return Value::list(std::move(list));
    }
    return json.is_string()           ? Value::text(json.get<std::string>(), true)
           : json.is_boolean()        ? Value(Value::State(json.get<bool>()))
           : json.is_number_integer() ? Value(Value::State(json.get<std::int64_t>()))
           : json.is_number()         ? Value(Value::State(json.get<double>()))
                                      : Value::none();
}

std::string_view role_name(Role role, const TemplateHabits& habits) {
    switch (role) {
    case Role::System: return "system";
    case Role::User: return "user";
    case Role::Assistant: return "assistant";
    case Role::Observation: return habits.has_tool_role ? "tool" : "observation";
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

Dict message_value(const Message& message, const TemplateHabits& habits) {
    Dict dict;
    dict.set("role", Value::text(std::string(role_name(message.role, habits))));
    dict.set("content", content_value(message.parts));
    if (!message.metadata.empty()) {
        dict.set("metadata", Value::text(message.metadata, true));
    }
    if (!message.reasoning_content.empty()) {
        dict.set("reasoning_content", Value::text(message.reasoning_content, true));
    }
    return dict;
}

/// Calls with their arguments as objects, since templates go through them.
Result<Json> calls_of(const Message& message) {
    Json calls = TRY(parse(message.tool_calls_json, "tool_calls"));
    const Error bad{ErrorCode::ParseFailed, R"(tool_calls: a call is {"function": {"name": ..., "arguments": "{...}"}})"};
    for (Json& call : calls) {
        if (!call.is_object() || !call.contains("function") || !call["function"].is_object() || !call["function"].contains("arguments") || !call["function"].value("name", Json()).is_string()) {
            return bad;
        }
        Json& arguments = call["function"]["arguments"];
        if (arguments.is_string()) {
            arguments = TRY(parse(arguments.get<std::string>(), "a call's arguments"));
        }
        if (!arguments.is_object()) {
            return bad;
        }
    }
    return calls;
}

/// The message, or it and one for each call.
Result<void> add_message(const Message& message, const TemplateHabits& habits, List& list) {
    Dict value = message_value(message, habits);
    if (message.tool_calls_json.empty()) {
        list.push_back(Value::dict(std::move(value)));
        return {};
    }
    const Json calls = TRY(calls_of(message));
    if (habits.has_tool_calls) {
        value.set("tool_calls", value_of(calls));
        list.push_back(Value::dict(std::move(value)));
        return {};
    }
    const auto says_something = [](const Part& part) { return !std::holds_alternative<TextPart>(part) || !std::get<TextPart>(part).text_utf8.empty(); };
    if (std::any_of(message.parts.begin(), message.parts.end(), says_something)) {
        list.push_back(Value::dict(std::move(value)));
    }
    for (const Json& call : calls) {
        Dict one;
        one.set("role", Value::text("assistant"));
        one.set("metadata", Value::text(call["function"]["name"].get<std::string>(), true));
        one.set("content", Value::text(call["function"]["arguments"].dump(), true));
        list.push_back(Value::dict(std::move(one)));
    }
    return {};
}

/// To the first system message, or to one of its own before all others.
void give_to_message(Value tools, List& messages, bool has_system) {
    Dict first;
    if (has_system) {
        first = *messages.front().as_dict();
        messages.erase(messages.begin());
    } else {
        first.set("role", Value::text("system"));
        first.set("content", Value::text(""));
    }
    first.set("tools", std::move(tools));
    messages.insert(messages.begin(), Value::dict(std::move(first)));
}

} // namespace

TemplateHabits habits_of(std::string_view source) {
    TemplateHabits habits;
    habits.tools = contains_any(source, {"['tools']", "[\"tools\"]", ".tools"}) ? TemplateHabits::Tools::OfMessage
                   : contains_any(source, {"tools"})                             ? TemplateHabits::Tools::Variable
                                                                                 : TemplateHabits::Tools::Unknown;
    habits.has_tool_role = contains_any(source, {"'tool'", "\"tool\""});
    habits.has_tool_calls = contains_any(source, {"tool_calls"});
    return habits;
}

Result<Dict> template_variables(const ChatRequest& request, const TemplateHabits& habits) {
    List list;
    for (const Message& message : request.messages) {
        TRY(add_message(message, habits, list));
    }
    Value tools = Value::none();
    if (!request.tools_json.empty()) {
        if (habits.tools == TemplateHabits::Tools::Unknown) {
            return Error{ErrorCode::Unsupported, "the request has tools, and the checkpoint's chat template knows none"};
        }
        tools = value_of(TRY(parse(request.tools_json, "tools")));
        if (habits.tools == TemplateHabits::Tools::OfMessage) {
            give_to_message(tools, list, !request.messages.empty() && request.messages.front().role == Role::System);
        }
    }
    Dict variables;
    variables.set("messages", Value::list(std::move(list)));
    variables.set("add_generation_prompt", Value::State(request.add_generation_prompt));
    variables.set("tools", std::move(tools));
    variables.set("documents", Value::none());
    if (request.enable_thinking) {
        variables.set("enable_thinking", Value::State(*request.enable_thinking));
    }
    return variables;
}

} // namespace handeye::jinja
