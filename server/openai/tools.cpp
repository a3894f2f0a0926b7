// SPDX-License-Identifier: Apache-2.0
#include "server/openai/tools.h"

#include "base/json.h"
#include "server/openai/fields.h"
#include "server/openai/raw_json.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kToolsMax = 128;
constexpr std::size_t kCallsMax = 256; // of one message of the history
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kArgumentsBytesMax = 1U << 20U;
constexpr int kArgumentsDepthMax = 32;

/// What a name may hold: it stands in the prompt where a template has put it.
bool is_name(const json* name) {
    if (name == nullptr || !name->is_string()) {
        return false;
    }
    const auto& text = name->get_ref<const std::string&>();
    const auto is_fine = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'; };
    return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), is_fine);
}

OfferedTool read_tool(const json& tool, const std::string& where) {
    const json* const function = tool.is_object() && tool.value("type", json()) == "function" ? find_field(tool, "function") : nullptr;
    if (function == nullptr || !function->is_object() || !is_name(find_field(*function, "name"))) {
        refuse(where, fmt::format(R"(a tool is {{"type": "function", "function": {{"name": ..., "parameters": {{...}}}}}} with a name of 1 to {} letters, digits, "_", "-" and ".")", kNameBytesMax));
    }
    constexpr std::array kRows{FieldRow{"name"}, FieldRow{"description"}, FieldRow{"parameters"}, FieldRow{"strict", FieldUse::PassedOver}};
    check_fields(*function, {kRows});
    OfferedTool out{.name = function->at("name").get<std::string>(), .text_arguments = {}};
    const json* const parameters = find_field(*function, "parameters");
    if (parameters != nullptr && !parameters->is_object()) {
        refuse(where + ".function.parameters", "it must be a JSON Schema: an object");
    }
    const json* const properties = parameters != nullptr ? find_field(*parameters, "properties") : nullptr;
    if (properties != nullptr && properties->is_object()) {
        for (const auto& [name, schema] : properties->items()) {
            if (schema.is_object() && schema.value("type", json()) == "string") {
                out.text_arguments.push_back(name);
            }
        }
    }
    return out;
}

/// {"type": "function", "function": {"name": ...}}; nullptr: it is not of this form.
const json* named_choice(const json& choice) {
    const json* const function = choice.is_object() && choice.value("type", json()) == "function" ? find_field(choice, "function") : nullptr;
    const json* const name = function != nullptr && function->is_object() ? find_field(*function, "name") : nullptr;
    return name != nullptr && name->is_string() ? name : nullptr;
}

/// Calls of these tools and nothing else.
std::string call_grammar(const json& tools, std::string_view tools_text, const std::string& only, const ChatContext& context) {
    if (!context.grammars.of_calls) {
        refuse("tool_choice", "this server was started without grammars");
    }
    std::vector<ToolForm> forms;
    const std::vector<std::string_view> texts = raw_elements(tools_text);
    for (std::size_t i = 0; i < tools.size(); ++i) {
        const auto name = tools[i].at("function").at("name").get<std::string>();
        if (only.empty() || only == name) {
            const std::string_view schema = raw_member(raw_member(texts.at(i), "function"), "parameters");
            forms.push_back({.name = name, .schema_json = schema.empty() || schema == "null" ? R"({"type": "object"})" : std::string(schema)});
        }
    }
    auto grammar = context.grammars.of_calls(forms, context.tool_syntax == ToolSyntax::Tags);
    if (!grammar) {
        refuse("tools", grammar.error().message);
    }
    return *std::move(grammar);
}

void read_choice(const json& body, std::string_view tools_text, const ChatContext& context, ChatCall& call) {
    const json* const choice = find_field(body, "tool_choice");
    if (choice == nullptr || *choice == "auto") {
        return;
    }
    const json* const name = named_choice(*choice);
    if (*choice != "required" && name == nullptr) {
        refuse("tool_choice", R"(it is "none", "auto", "required" or {"type": "function", "function": {"name": ...}})");
    }
    const auto is_it = [&](const OfferedTool& tool) { return tool.name == *name; };
    if (name != nullptr && std::none_of(call.tools.begin(), call.tools.end(), is_it)) {
        refuse("tool_choice", fmt::format("no tool of the request is called \"{}\"", name->get<std::string>().substr(0, kNameBytesMax)));
    }
    if (call.request.grammar) {
        refuse("tool_choice", "another field holds the answer to a form already: one of them can be asked for");
    }
    call.request.grammar = AnswerGrammar{.gbnf = call_grammar(body.at("tools"), tools_text, name != nullptr ? name->get<std::string>() : "", context)};
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlanks);
    return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

const OfferedTool* find_tool(std::span<const OfferedTool> tools, std::string_view name) {
    const auto found = std::find_if(tools.begin(), tools.end(), [&](const OfferedTool& tool) { return tool.name == name; });
    return found == tools.end() ? nullptr : &*found;
}

constexpr std::string_view kCall = "<tool_call>";
constexpr std::string_view kCallEnd = "</tool_call>";

/// What stands between two tags, and cuts all to behind them; nullopt: `text` does not begin so.
std::optional<std::string_view> take_between(std::string_view& text, std::string_view begin, std::string_view end) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    const std::size_t last = text.starts_with(begin) ? text.find(end, begin.size()) : std::string_view::npos;
    if (last == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view inside = text.substr(begin.size(), last - begin.size());
    text.remove_prefix(last + end.size());
    return inside;
}

/// The inside of a call's tags.
std::optional<ToolCall> parse_tags(std::string_view inside, std::span<const OfferedTool> tools) {
    const std::size_t head = std::min(inside.find('<'), inside.size());
    const OfferedTool* const tool = find_tool(tools, trimmed(inside.substr(0, head)));
    inside.remove_prefix(head);
    nlohmann::ordered_json arguments = nlohmann::ordered_json::object();
    while (tool != nullptr && !trimmed(inside).empty()) {
        const auto key = take_between(inside, "<arg_key>", "</arg_key>");
        const auto value = key ? take_between(inside, "<arg_value>", "</arg_value>") : std::nullopt;
        if (!value) {
            return std::nullopt;
        }
        const std::string name(trimmed(*key));
        const bool is_text = std::find(tool->text_arguments.begin(), tool->text_arguments.end(), name) != tool->text_arguments.end();
        const auto parsed = is_text ? Result<json>(json(std::string(*value))) : parse_json(*value, {.bytes_max = kArgumentsBytesMax, .depth_max = kArgumentsDepthMax});
        arguments[name] = parsed ? *parsed : json(std::string(*value));
    }
    return tool == nullptr ? std::nullopt : std::optional(ToolCall{tool->name, arguments.dump(-1, ' ', false, json::error_handler_t::replace)});
}

CalledTools find_in_tags(std::string_view answer, std::span<const OfferedTool> tools) {
    CalledTools out;
    std::string between;
    while (!answer.empty()) {
        const std::size_t begin = std::min(answer.find(kCall), answer.size());
        const std::size_t end = answer.find(kCallEnd, begin);
        const auto call = end == std::string_view::npos ? std::nullopt : parse_tags(answer.substr(begin + kCall.size(), end - begin - kCall.size()), tools);
        const std::size_t taken = call ? begin : end == std::string_view::npos ? answer.size() : end + kCallEnd.size();
        between += answer.substr(0, taken);
        answer.remove_prefix(call ? end + kCallEnd.size() : taken);
        if (call) {
            out.calls.push_back(*call);
        }
    }
    out.text = out.calls.empty() ? between : std::string(trimmed(between));
    return out;
}

CalledTools find_named(std::string_view answer, std::span<const OfferedTool> tools) {
    const std::string_view all = trimmed(answer);
    const std::size_t line = std::min(all.find('\n'), all.size());
    const OfferedTool* const tool = find_tool(tools, trimmed(all.substr(0, line)));
    const std::string_view arguments = trimmed(all.substr(line));
    const auto parsed = tool == nullptr ? Result<json>(json()) : parse_json(arguments, {.bytes_max = kArgumentsBytesMax, .depth_max = kArgumentsDepthMax});
    if (!parsed || !parsed->is_object()) {
        return {.text = std::string(answer), .calls = {}};
    }
    return {.text = "", .calls = {{tool->name, std::string(arguments)}}};
}

} // namespace

ToolSyntax tool_syntax_of(std::string_view family) {
    constexpr std::array<std::string_view, 3> kText{"glm4", "glm", "chatglm"};
    return family == "glm4v_moe" ? ToolSyntax::Tags : std::find(kText.begin(), kText.end(), family) != kText.end() ? ToolSyntax::NameAndJson : ToolSyntax::None;
}

void read_tools(const json& body, std::string_view body_text, const ChatContext& context, ChatCall& call) {
    const json* const tools = find_field(body, "tools");
    const json* const choice = find_field(body, "tool_choice");
    if (tools == nullptr || (tools->is_array() && tools->empty())) {
        if (choice != nullptr && *choice != "none" && *choice != "auto") {
            refuse("tool_choice", "there are no tools to choose from");
        }
        return;
    }
    if (!tools->is_array() || tools->size() > kToolsMax) {
        refuse("tools", fmt::format("it must be a list of at most {} tools", kToolsMax));
    }
    if (context.tool_syntax == ToolSyntax::None) {
        refuse("tools", "this model was not trained with tools");
    }
    if (choice != nullptr && *choice == "none") {
        return;
    }
    for (std::size_t i = 0; i < tools->size(); ++i) {
        call.tools.push_back(read_tool((*tools)[i], fmt::format("tools[{}]", i)));
    }
    const std::string_view text = raw_member(body_text, "tools");
    call.request.tools_json = text;
    call.tool_syntax = context.tool_syntax;
    read_choice(body, text, context, call);
}

void check_tool_calls(const json& calls, const std::string& where) {
    if (!calls.is_array() || calls.size() > kCallsMax) {
        refuse(where, fmt::format("it must be a list of at most {} calls", kCallsMax));
    }
    for (const json& one : calls) {
        const json* const function = one.is_object() ? find_field(one, "function") : nullptr;
        const json* const arguments = function != nullptr && function->is_object() ? find_field(*function, "arguments") : nullptr;
        const bool is_text = arguments != nullptr && arguments->is_string();
        const auto parsed = is_text ? parse_json(arguments->get_ref<const std::string&>(), {.bytes_max = kArgumentsBytesMax, .depth_max = kArgumentsDepthMax}) : Result<json>(json());
        if (!is_text || !is_name(find_field(*function, "name")) || !parsed || !parsed->is_object()) {
            refuse(where, R"(a call is {"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}}: its arguments are a text that is a JSON object)");
        }
    }
}

CalledTools find_tool_calls(std::string_view answer, ToolSyntax syntax, std::span<const OfferedTool> tools) {
    switch (tools.empty() ? ToolSyntax::None : syntax) {
    case ToolSyntax::None: return {.text = std::string(answer), .calls = {}};
    case ToolSyntax::Tags: return find_in_tags(answer, tools);
    case ToolSyntax::NameAndJson: return find_named(answer, tools);
    }
    return {};
}

std::size_t certain_text(std::string_view answer, ToolSyntax syntax, std::span<const OfferedTool> tools) {
    if (syntax == ToolSyntax::None || tools.empty()) {
        return answer.size();
    }
    if (syntax == ToolSyntax::Tags) {
        std::size_t begin = answer.find(kCall);
        for (std::size_t n = std::min(answer.size(), kCall.size() - 1); begin == std::string_view::npos && n > 0; --n) {
            begin = answer.ends_with(kCall.substr(0, n)) ? answer.size() - n : begin;
        }
        // Blanks before a call are not said.
        const std::size_t last = answer.substr(0, begin).find_last_not_of(" \t\r\n");
        return last == std::string_view::npos ? 0 : last + 1;
    }
    const std::string_view said = answer.substr(std::min(answer.find_first_not_of(" \t\r\n"), answer.size()));
    const std::string_view first = said.substr(0, said.find('\n'));
    const bool is_whole = first.size() < said.size();
    const auto may_be = [&](const OfferedTool& tool) { return is_whole ? tool.name == trimmed(first) : std::string_view(tool.name).starts_with(trimmed(first)); };
    return std::any_of(tools.begin(), tools.end(), may_be) ? 0 : answer.size();
}

} // namespace handeye
