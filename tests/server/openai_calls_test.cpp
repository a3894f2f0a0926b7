// SPDX-License-Identifier: Apache-2.0
// What requests may say besides sampling: forms of answers, chances, tools, prompts without a template; and the document that says so.
#include "base/json.h"
#include "server/openai/prompt_fields.h"
#include "server/openai/raw_json.h"
#include "server/openai/generation_fields.h"
#include "server/openai/service.h"
#include "server/openai/text_call.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

const std::vector<std::string> kNames{"nano"};

/// Each grammar says what it was made of.
AnswerGrammars spoken() {
    const auto say = [](std::string_view what) { return [what](std::string_view of) -> Result<std::string> { return of == "bad" || of == "\"bad\"" ? Result<std::string>(Error{ErrorCode::Unsupported, "it cannot be kept"}) : Result<std::string>(std::string(what) + ":" + std::string(of)); }; };
    return {.of_schema = say("schema"),
            .of_regex = say("regex"),
            .checked = say("gbnf"),
            .of_choices = [](const std::vector<std::string>& texts) -> Result<std::string> { return "choices:" + std::to_string(texts.size()) + texts.front(); },
            .of_calls =
                [](const std::vector<ToolForm>& tools, bool in_tags) -> Result<std::string> {
                std::string all = in_tags ? "tags" : "named";
                for (const ToolForm& tool : tools) {
                    all += "|" + tool.name + tool.schema_json;
                }
                return all;
            },
            .json_object = "object"};
}

ChatContext context(ToolSyntax syntax = ToolSyntax::Tags) {
    return {.names = kNames, .limits = {.body_bytes_max = 1U << 20U, .images_max = 2, .picture_bytes_max = 6}, .decode = {}, .fresh_seed = 7, .grammars = spoken(), .tool_syntax = syntax};
}

/// `fields` beside a conversation; as they are written.
ChatCallOrError chat(const std::string& fields, ToolSyntax syntax = ToolSyntax::Tags) {
    return read_chat_call(R"({"messages": [{"role": "user", "content": "Hello"}])" + (fields.empty() ? "" : ", " + fields) + "}", context(syntax));
}
ChatCall good(const std::string& fields, ToolSyntax syntax = ToolSyntax::Tags) {
    ChatCallOrError call = chat(fields, syntax);
    if (const auto* const error = std::get_if<ApiError>(&call); error != nullptr) {
        ADD_FAILURE() << fields << ": " << error->message;
        return {};
    }
    return std::get<ChatCall>(std::move(call));
}
std::string param(const ChatCallOrError& call) { return std::holds_alternative<ApiError>(call) ? std::get<ApiError>(call).param : "it was taken"; }
std::string grammar(const std::string& fields) { return good(fields).request.grammar.value_or(AnswerGrammar{"none"}).gbnf; }

TEST(Constraints, OfEachSpellingBecomeAGrammar) {
    EXPECT_EQ(grammar(R"("response_format": {"type": "text"})"), "none");
    EXPECT_EQ(grammar(R"("response_format": {"type": "json_object"})"), "object");
    EXPECT_EQ(grammar(R"("response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": {"z": 1, "a": 2}}})"), R"(schema:{"z": 1, "a": 2})"); // in its own order
    EXPECT_EQ(grammar(R"("guided_json": {"z":1,"a":{"b":[]}})"), R"(schema:{"z":1,"a":{"b":[]}})");
    EXPECT_EQ(grammar(R"("guided_json": "{\"type\":\"object\"}")"), R"(schema:{"type":"object"})");
    EXPECT_EQ(grammar(R"("guided_regex": "a\\d")"), R"(regex:a\d)");
    EXPECT_EQ(grammar(R"("guided_grammar": "root ::= \"a\"")"), R"(gbnf:root ::= "a")");
    EXPECT_EQ(grammar(R"("guided_choice": ["a", "b"])"), "choices:2a");
    EXPECT_EQ(grammar(R"("structured_outputs": {"json": {"q": 1}})"), R"(schema:{"q": 1})");
    EXPECT_EQ(grammar(R"("structured_outputs": {"regex": "a"})"), "regex:a");
    EXPECT_EQ(grammar(R"("structured_outputs": {"grammar": "g"})"), "gbnf:g");
    EXPECT_EQ(grammar(R"("structured_outputs": {"choice": ["c"]})"), "choices:1c");
    EXPECT_EQ(grammar(R"("structured_outputs": {"json_object": true})"), "object");
    EXPECT_EQ(grammar(R"("structured_outputs": null, "guided_json": null)"), "none");
}

TEST(Constraints, AreRefusedByTheFieldsName) {
    for (const auto& [fields, name] : {std::pair{R"("response_format": {"type": "yaml"})", "response_format"},
                                       {R"("response_format": {"type": "json_schema"})", "response_format"},
                                       {R"("response_format": {"type": "json_schema", "json_schema": {"name": "x"}})", "response_format.json_schema.schema"},
                                       {R"("response_format": {"type": "json_schema", "json_schema": {"schema": "bad"}})", "response_format.json_schema.schema"},
                                       {R"("response_format": {"type": "json_schema", "json_schema": {"schema": 7}})", "response_format.json_schema.schema"},
                                       {R"("guided_json": "bad")", "guided_json"},
                                       {R"("guided_regex": "bad")", "guided_regex"},
                                       {R"("guided_regex": 7)", "guided_regex"},
                                       {R"("guided_grammar": "bad")", "guided_grammar"},
                                       {R"("guided_choice": [])", "guided_choice"},
                                       {R"("guided_choice": ["a", ""])", "guided_choice"},
                                       {R"("structured_outputs": {"regex": "bad"})", "structured_outputs.regex"},
                                       {R"("structured_outputs": {"xml": "x"})", "xml"},
                                       {R"("structured_outputs": {"regex": "a", "choice": ["b"]})", "structured_outputs.choice"},
                                       {R"("guided_regex": "a", "response_format": {"type": "json_object"})", "response_format"},
                                       {R"("guided_regex": "a", "guided_choice": ["b"])", "guided_choice"}}) {
        EXPECT_EQ(param(chat(fields)), name) << fields;
    }
    ChatContext without = context();
    without.grammars = {};
    EXPECT_EQ(param(read_chat_call(R"({"messages": [{"role": "user", "content": "x"}], "guided_regex": "a"})", without)), "guided_regex");
}

TEST(Calls, SamplingIsReadWhole) {
    const ChatCall call = good(R"("n": 3, "min_p": 0.1, "presence_penalty": -1, "frequency_penalty": 0.5, "logit_bias": {"5": -100, "9": 2.5}, "logprobs": true, "top_logprobs": 4, "skip_special_tokens": true, "max_tokens": null)");
    EXPECT_EQ(call.choices, 3);
    EXPECT_EQ(call.request.sampling.min_p, 0.1);
    EXPECT_EQ(call.request.sampling.presence_penalty, -1);
    EXPECT_EQ(call.request.sampling.frequency_penalty, 0.5);
    EXPECT_EQ(call.request.sampling.logit_bias, (std::vector<std::pair<std::int32_t, double>>{{5, -100}, {9, 2.5}}));
    EXPECT_EQ(call.request.top_logprobs, 4);
    EXPECT_TRUE(call.request.skip_special_tokens);
    EXPECT_EQ(good(R"("logprobs": true)").request.top_logprobs, 0);
    EXPECT_EQ(good(R"("logprobs": false, "top_logprobs": 0)").request.top_logprobs, std::nullopt);
    for (const auto& [fields, name] : {std::pair{R"("top_logprobs": 3)", "top_logprobs"}, {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs"}, {R"("logit_bias": {"x": 1})", "logit_bias"}, {R"("logit_bias": {"5": 101})", "logit_bias.5"},
                                       {R"("logit_bias": {"-1": 1})", "logit_bias"}, {R"("min_p": 1.5)", "min_p"}, {R"("presence_penalty": 3)", "presence_penalty"}, {R"("n": 0)", "n"}, {R"("min_tokens": 5)", "min_tokens"},
                                       {R"("stream_options": {"include_usage": true})", "stream_options"}, {R"("stream": true, "stream_options": {"continuous_usage_stats": true})", "continuous_usage_stats"}, {R"("reasoning_effort": "low")", "reasoning_effort"}}) {
        EXPECT_EQ(param(chat(fields)), name) << fields;
    }
}

TEST(TextCalls, TakePromptsInEachForm) {
    const auto read = [](const std::string& fields) { return read_text_call("{" + fields + "}", context()); };
    const auto prompts = [&](const std::string& fields) { return std::get<ChatCall>(read(fields)).prompts; };
    EXPECT_EQ(prompts(R"("prompt": "Hello")"), std::vector<RawPrompt>{"Hello"});
    EXPECT_EQ(prompts(R"("prompt": [1, 2])"), (std::vector<RawPrompt>{std::vector<std::int32_t>{1, 2}}));
    EXPECT_EQ(prompts(R"("prompt": ["a", "b"])"), (std::vector<RawPrompt>{"a", "b"}));
    EXPECT_EQ(prompts(R"("prompt": [[1], [2, 3]])"), (std::vector<RawPrompt>{std::vector<std::int32_t>{1}, std::vector<std::int32_t>{2, 3}}));
    const ChatCall call = std::get<ChatCall>(read(R"("prompt": "a", "logprobs": 0)"));
    EXPECT_EQ(call.kind, AnswerKind::Text);
    EXPECT_EQ(call.request.top_logprobs, 0);
    EXPECT_EQ(call.request.max_new_tokens, 16);
    for (const auto& [fields, name] : {std::pair{"", "prompt"}, {R"("prompt": "")", "prompt"}, {R"("prompt": [])", "prompt"}, {R"("prompt": [[]])", "prompt"}, {R"("prompt": [1, "a"])", "prompt"}, {R"("prompt": [-1])", "prompt"},
                                       {R"("prompt": [[1], [2.5]])", "prompt[1]"}, {R"("prompt": [4294967296])", "prompt"}, {R"("prompt": "a", "suffix": "b")", "suffix"}, {R"("prompt": "a", "echo": true, "logprobs": 1)", "echo"},
                                       {R"("prompt": ["a","b","c","d","e","f","g","h","i"], "n": 16)", "n"}, {R"("prompt": "a", "messages": [])", "messages"}, {R"("prompt": "a", "best_of": 2)", "best_of"}}) {
        EXPECT_EQ(param(read(fields)), name) << fields;
    }
    EXPECT_EQ(param(read_tokenize_call(R"({"prompt": "a", "messages": []})", context())), "prompt");
    EXPECT_EQ(param(read_tokenize_call("{}", context())), "prompt");
    EXPECT_EQ(param(read_detokenize_call(R"({"tokens": ["a"]})", context())), "tokens");
    EXPECT_EQ(param(read_detokenize_call("{}", context())), "tokens");
}

TEST(Videos, AreTakenAloneAndOnce) {
    const std::string video = R"({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}})";
    const std::string picture = R"({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="}})";
    ChatContext with = context();
    with.limits.videos_max = 1;
    with.decode = [](std::span<const std::uint8_t>) { return Image::from_pixels({1, 1}, PixelFormat::Gray, {7}); };
    int decoded = 0;
    with.decode_video = [&](std::span<const std::uint8_t> bytes) -> Result<VideoFrames> {
        ++decoded;
        EXPECT_EQ(bytes.size(), 3U);
        return VideoFrames{.frames = {*Image::from_pixels({1, 1}, PixelFormat::Gray, {7})}, .fps = 2.0};
    };
    const auto ask = [&](const std::string& parts) { return read_chat_call(R"({"messages": [{"role": "user", "content": [)" + parts + "]}]}", with); };
    const auto call = ask(video);
    ASSERT_TRUE(std::holds_alternative<ChatCall>(call)) << std::get<ApiError>(call).message;
    EXPECT_EQ(std::get<VideoPart>(std::get<ChatCall>(call).request.messages.at(0).parts.at(0)).frames.size(), 1U);
    EXPECT_EQ(param(ask(video + "," + video)), "messages[0].content[1].video_url");
    EXPECT_EQ(param(ask(picture + "," + video)), "messages[0].content[1].video_url");
    EXPECT_EQ(param(ask(video + "," + picture)), "messages[0].content[1].image_url");
    EXPECT_EQ(param(ask(R"({"type": "video_url", "video_url": {"url": "data:image/png;base64,AAAA"}})")), "messages[0].content[0].video_url");
    EXPECT_EQ(param(ask(R"({"type": "video_url", "video_url": {"url": "http://127.0.0.1/x.mp4"}})")), "messages[0].content[0].video_url");
    EXPECT_EQ(decoded, 1);
    with.limits.videos_max = 0;
    EXPECT_EQ(param(ask(video)), "messages[0].content[0].video_url");
}

constexpr const char* kTools = R"("tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}}}, {"type": "function", "function": {"name": "stop"}}])";

TEST(Tools, AreReadAndChosen) {
    const ChatCall call = good(kTools);
    ASSERT_EQ(call.tools.size(), 2U);
    EXPECT_EQ(call.tools[0].text_arguments, std::vector<std::string>{"q"});
    EXPECT_EQ(call.request.tools_json.find(R"([{"type": "function", "function": {"name")"), 0U); // as it was written
    EXPECT_FALSE(call.request.grammar);
    EXPECT_TRUE(good(std::string(kTools) + R"(, "tool_choice": "none")").request.tools_json.empty());
    const std::string all = good(std::string(kTools) + R"(, "tool_choice": "required")").request.grammar.value_or(AnswerGrammar{}).gbnf;
    EXPECT_EQ(all.find("tags|look_up{\"type\": \"object\""), 0U) << all;
    EXPECT_NE(all.find("|stop{"), std::string::npos);
    EXPECT_EQ(good(std::string(kTools) + R"(, "tool_choice": {"type": "function", "function": {"name": "stop"}})", ToolSyntax::NameAndJson).request.grammar.value_or(AnswerGrammar{}).gbnf, R"(named|stop{"type": "object"})");
    for (const auto& [fields, name] : {std::pair{R"("tools": [{}])", "tools[0]"}, {R"("tools": 7)", "tools"}, {R"("tools": [{"type": "function", "function": {"name": "a b"}}])", "tools[0]"},
                                       {R"("tools": [{"type": "function", "function": {"name": "a", "parameters": 7}}])", "tools[0].function.parameters"}, {R"("tool_choice": "required")", "tool_choice"}}) {
        EXPECT_EQ(param(chat(fields)), name) << fields;
    }
    EXPECT_EQ(param(chat(std::string(kTools) + R"(, "tool_choice": {"type": "function", "function": {"name": "other"}})")), "tool_choice");
    EXPECT_EQ(param(chat(std::string(kTools) + R"(, "tool_choice": "required", "guided_regex": "a")")), "tool_choice");
    EXPECT_EQ(param(chat(kTools, ToolSyntax::None)), "tools");
}

TEST(Tools, TheHistoryHoldsCallsAndResults) {
    const std::string text = R"({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"b\": 1, \"a\": 2}"}}]}, {"role": "tool", "tool_call_id": "1", "content": "3"}]})";
    const auto call = read_chat_call(text, context());
    ASSERT_TRUE(std::holds_alternative<ChatCall>(call)) << std::get<ApiError>(call).message;
    const auto& messages = std::get<ChatCall>(call).request.messages;
    EXPECT_EQ(messages.at(0).tool_calls_json.find(R"([{"id": "1")"), 0U);
    EXPECT_TRUE(messages.at(0).parts.empty());
    EXPECT_EQ(messages.at(1).role, Role::Observation);
    EXPECT_EQ(param(read_chat_call(text, context(ToolSyntax::None))), "messages[0].tool_calls");
    EXPECT_EQ(param(read_chat_call(R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]}]})", context())), "messages[0].tool_calls");
    EXPECT_EQ(param(read_chat_call(R"({"messages": [{"role": "user", "content": "x", "tool_calls": [{}]}]})", context())), "messages[0].tool_calls");
}

TEST(RawJson, GivesWhatWasWritten) {
    const std::string text = R"( { "a" : [1, {"x": "]}\""}, "q"] , "\u0062": {"z":0,"y":[ ]} ,"c":-1.5e3, "d":"s" } )";
    EXPECT_EQ(raw_member(text, "a"), R"([1, {"x": "]}\""}, "q"])");
    EXPECT_EQ(raw_member(text, "b"), R"({"z":0,"y":[ ]})");
    EXPECT_EQ(raw_member(text, "c"), "-1.5e3");
    EXPECT_EQ(raw_member(text, "d"), R"("s")");
    EXPECT_EQ(raw_member(text, "e"), "");
    EXPECT_EQ(raw_elements(raw_member(text, "a")), (std::vector<std::string_view>{"1", R"({"x": "]}\""})", R"("q")"}));
    EXPECT_TRUE(raw_elements("[ ]").empty());
    EXPECT_EQ(raw_member("{}", "a"), "");
    EXPECT_EQ(raw_member("[1]", "a"), "");
}

/// The document's fields of one schema.
std::set<std::string> documented(const json& document, const char* schema) {
    std::set<std::string> names;
    for (const auto& [name, ignored] : document.at("components").at("schemas").at(schema).at("properties").items()) {
        names.insert(name);
    }
    return names;
}
std::set<std::string> read_fields(std::initializer_list<FieldTable> tables) {
    std::set<std::string> names;
    for (const FieldTable table : tables) {
        for (const FieldRow& row : table) {
            if (row.use == FieldUse::Read) {
                names.emplace(row.name);
            }
        }
    }
    return names;
}

TEST(OpenApi, NamesTheRoutesAndFieldsThatThereAre) {
    const auto document = parse_json(openapi_json());
    ASSERT_TRUE(document) << document.error().message;
    std::set<std::string> paths;
    for (const Route& route : routes()) {
        const std::string path = std::string(route.path) + (route.path.ends_with('/') ? "{model}" : "");
        paths.insert(path);
        ASSERT_TRUE(document->at("paths").contains(path)) << path;
        const json& entry = document->at("paths").at(path);
        EXPECT_EQ(entry.size(), 1U) << path;
        EXPECT_TRUE(entry.contains(route.is_post ? "post" : "get")) << path;
        EXPECT_EQ(entry.front().at("security").empty(), !route.needs_key) << path;
    }
    EXPECT_EQ(document->at("paths").size(), paths.size());
    EXPECT_EQ(documented(*document, "ChatRequest"), read_fields({chat_table(), generation_table()}));
    EXPECT_EQ(documented(*document, "TextRequest"), read_fields({text_table(), generation_table()}));
    EXPECT_EQ(documented(*document, "TokenizeRequest"), read_fields({tokenize_table()}));
    EXPECT_EQ(documented(*document, "DetokenizeRequest"), read_fields({detokenize_table()}));
}

TEST(Routes, AreFoundByTheirWholePath) {
    EXPECT_EQ(find_route("/v1/chat/completion"), nullptr);
    EXPECT_EQ(find_route("/v1/models/"), nullptr);
    ASSERT_NE(find_route("/v1/models/a%2Fb%zz"), nullptr);
    EXPECT_EQ(name_in(*find_route("/v1/models/a%2Fb%zz"), "/v1/models/a%2Fb%zz"), "a/b%zz");
    EXPECT_TRUE(find_route("/tokenize")->needs_key);
    EXPECT_FALSE(find_route("/health")->needs_key);
}

} // namespace
} // namespace handeye
