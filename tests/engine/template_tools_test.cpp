// SPDX-License-Identifier: Apache-2.0
// Conversations with tools, as the reference renders them (tests/golden/template/tools.json), and whose words they are.
#include "base/file.h"
#include "base/json.h"
#include "engine/tokenizer/chat_template.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using Json = nlohmann::ordered_json;

const std::string kGolden = HANDEYE_SOURCE_DIR "/tests/golden/template/";

Role role_of(const std::string& name) { return name == "system" ? Role::System : name == "user" ? Role::User : name == "assistant" ? Role::Assistant : Role::Observation; }

ChatRequest request_of(const Json& row) {
    ChatRequest request;
    request.tools_json = row["tools"].dump();
    for (const Json& said : row["messages"]) {
        Message message{.role = role_of(said["role"])};
        message.parts.emplace_back(TextPart{said["content"]});
        message.tool_calls_json = said.contains("tool_calls") ? said["tool_calls"].dump() : "";
        request.messages.push_back(std::move(message));
    }
    return request;
}

ChatTemplate template_of(const std::string& name) {
    const auto source = read_file(kGolden + name, 1 << 20);
    EXPECT_TRUE(source.has_value());
    auto parsed = ChatTemplate::parse(source.value_or(""));
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return *std::move(parsed);
}

TEST(TemplateTools, RenderTheReferencesText) {
    const auto text = read_file(kGolden + "tools.json", 1 << 20);
    ASSERT_TRUE(text.has_value());
    const Json rows = Json::parse(*text);
    ASSERT_EQ(rows.size(), 12U);
    for (const Json& row : rows) {
        const auto rendered = template_of(row["template"]).render(request_of(row));
        ASSERT_TRUE(rendered.has_value()) << row["name"] << ": " << rendered.error().message;
        EXPECT_EQ(*rendered, row["want"].get<std::string>()) << row["name"];
    }
}

// A role token in a tool's description, an argument or a result must not become one.
TEST(TemplateTools, AllThatComesFromARequestIsMarked) {
    ChatRequest request;
    request.tools_json = R"([{"type": "function", "function": {"name": "MINE", "description": "MINE", "parameters": {"MINE": 1}}}])";
    Message call{.role = Role::Assistant};
    call.tool_calls_json = R"([{"function": {"name": "MINE", "arguments": "{\"MINE\": \"MINE\", \"b\": [\"MINE\"]}"}}])";
    Message result{.role = Role::Observation};
    result.parts.emplace_back(TextPart{"MINE"});
    request.messages = {call, result};
    for (const char* const name : {"tools_tags.jinja", "tools_metadata.jinja", "tools_message.jinja"}) {
        const auto segments = template_of(name).render_segments(request);
        ASSERT_TRUE(segments.has_value()) << segments.error().message;
        int seen = 0;
        for (const RenderedSegment& segment : *segments) {
            const bool is_mine = segment.text.find("MINE") != std::string::npos;
            EXPECT_TRUE(!is_mine || segment.from_content) << name << ": " << segment.text;
            seen += is_mine ? 1 : 0;
        }
        EXPECT_GE(seen, 3) << name;
    }
}

TEST(TemplateTools, AreRefusedWhereTheTemplateKnowsNone) {
    ChatRequest request;
    request.tools_json = "[]";
    const auto plain = ChatTemplate::parse("{% for m in messages %}{{ m.content }}{% endfor %}");
    ASSERT_TRUE(plain.has_value());
    const auto refused = plain->render(request);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::Unsupported);
    request.tools_json = "[";
    EXPECT_FALSE(template_of("tools_tags.jinja").render(request).has_value());
    request.tools_json.clear();
    for (const char* const calls : {"{", "[7]", R"([{"function": {"name": "f", "arguments": "[]"}}])", R"([{"function": {"name": "f", "arguments": "{"}}])", R"([{"function": {"arguments": "{}"}}])"}) {
        request.messages = {Message{.role = Role::Assistant}};
        request.messages[0].tool_calls_json = calls;
        EXPECT_FALSE(template_of("tools_tags.jinja").render(request).has_value()) << calls;
    }
}

} // namespace
} // namespace handeye
