// SPDX-License-Identifier: Apache-2.0
// Chat templates: against Jinja2 and the reference (tests/golden/template), who wrote which text, and hostile templates.
#include "base/json.h"
#include "base/file.h"
#include "engine/tokenizer/chat_template.h"

#include <chrono>
#include <ctime>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using Segments = std::vector<RenderedSegment>;

const std::string kGolden = HANDEYE_SOURCE_DIR "/tests/golden/template/";

Message text_message(Role role, std::string text) {
    Message message;
    message.role = role;
    message.parts.emplace_back(TextPart{std::move(text)});
    return message;
}

Message message_of(const json& row) {
    Message message;
    const std::string role = row["role"];
    message.role = role == "system" ? Role::System
                   : role == "user" ? Role::User
                   : role == "assistant" ? Role::Assistant
                                         : Role::Observation;
    if (row["content"].is_string()) {
        message.parts.emplace_back(TextPart{row["content"]});
    } else {
        for (const json& part : row["content"]) {
            if (part["type"] == "text") {
                message.parts.emplace_back(TextPart{part["text"]});
            } else if (part["type"] == "image") {
                message.parts.emplace_back(ImagePart{});
            } else {
                message.parts.emplace_back(VideoPart{});
            }
        }
    }
    message.metadata = row.value("metadata", "");
    message.reasoning_content = row.value("reasoning_content", "");
    return message;
}

std::vector<Message> messages_of(const json& rows) {
    std::vector<Message> messages;
    for (const json& row : rows) {
        messages.push_back(message_of(row));
    }
    return messages;
}

std::string rendered(std::string_view source, const std::vector<Message>& messages = {}) {
    const auto parsed = ChatTemplate::parse(source);
    if (!parsed) {
        return "error: " + parsed.error().message;
    }
    const auto text = parsed->render(messages, true, std::nullopt);
    return text ? *text : "error: " + text.error().message;
}

class FamilyTemplate : public testing::TestWithParam<const char*> {};

TEST_P(FamilyTemplate, RendersTheReferencesText) {
    const auto source = read_file(kGolden + GetParam() + ".jinja", 1 << 20);
    const auto cases = read_json(kGolden + GetParam() + ".json");
    ASSERT_TRUE(source.has_value() && cases.has_value());
    const auto parsed = ChatTemplate::parse(*source);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    ASSERT_FALSE(cases->empty());
    for (const json& row : *cases) {
        const auto thinking = row["thinking"].is_null() ? std::nullopt : std::optional(row["thinking"].get<bool>());
        const auto messages = messages_of(row["messages"]);
        const auto text = parsed->render(messages, row["add_generation_prompt"], thinking);
        ASSERT_TRUE(text.has_value()) << text.error().message;
        EXPECT_EQ(*text, row["want"].get<std::string>()) << row["name"];
        const auto segments = parsed->render_segments(messages, row["add_generation_prompt"], thinking);
        ASSERT_TRUE(segments.has_value());
        std::string joined;
        for (const RenderedSegment& segment : *segments) {
            joined += segment.text;
        }
        EXPECT_EQ(joined, *text);
    }
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyTemplate, testing::Values("glm4v", "glm4v_moe", "glm4", "glm", "chatglm"),
                         [](const auto& test) { return std::string(test.param); });

TEST(BundledTemplate, Parses) {
    const auto source = read_file(HANDEYE_SOURCE_DIR "/models/nano/chat_template.jinja", 1 << 20);
    ASSERT_TRUE(source.has_value());
    const auto parsed = ChatTemplate::parse(*source);
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
}

TEST(Template, EqualsJinjaOnEveryConstruct) {
    const auto cases = read_json(kGolden + "constructs.json");
    ASSERT_TRUE(cases.has_value());
    std::vector<Message> messages;
    messages.push_back(text_message(Role::System, "Sys ü"));
    messages.emplace_back();
    messages.back().parts.emplace_back(ImagePart{});
    messages.back().parts.emplace_back(TextPart{" Hi\nthere "});
    messages.push_back(text_message(Role::Assistant, "<think>why</think> So."));
    messages.back().metadata = "tool";
    messages.push_back(text_message(Role::User, "你好, it's \"q\""));
    for (const json& row : *cases) {
        EXPECT_EQ(rendered(row["source"].get<std::string>(), messages), row["want"].get<std::string>()) << row["source"];
    }
}

// ---- who wrote what

Segments segments_of(std::string_view source, const std::vector<Message>& messages) {
    const auto parsed = ChatTemplate::parse(source);
    EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().message);
    const auto segments = parsed ? parsed->render_segments(messages, true, std::nullopt) : parsed.error();
    EXPECT_TRUE(segments.has_value()) << (segments ? "" : segments.error().message);
    return segments ? *segments : Segments{};
}

const std::vector<Message> kUser(1, text_message(Role::User, "a|b "));

TEST(Segments, KeepMessagesApartThroughConcatenation) {
    EXPECT_EQ(segments_of("<{{ '[' + messages[0].content + ']' }}>", kUser),
              (Segments{{"<[", false}, {"a|b ", true}, {"]>", false}}));
    EXPECT_EQ(segments_of("{% set x = messages[0].content ~ '!' %}{{ x ~ x }}", kUser),
              (Segments{{"a|b ", true}, {"!", false}, {"a|b ", true}, {"!", false}}));
    EXPECT_EQ(segments_of("{{ messages[0].role }}", kUser), (Segments{{"user", false}}));
}

TEST(Segments, KeepMessagesApartThroughMacrosBlocksAndLoops) {
    EXPECT_EQ(segments_of("{% macro f(x) %}({{ x }}){% endmacro %}{{ f(messages[0].content) }}", kUser),
              (Segments{{"(", false}, {"a|b ", true}, {")", false}}));
    EXPECT_EQ(segments_of("{% set b %}-{{ messages[0].content }}{% endset %}{{ b }}", kUser),
              (Segments{{"-", false}, {"a|b ", true}}));
    EXPECT_EQ(segments_of("{% for c in messages[0].content %}{{ c }}.{% endfor %}", kUser).size(), 8U);
}

TEST(Segments, StayMarkedThroughEveryOperation) {
    for (const char* expression :
         {"messages[0].content.strip()", "messages[0].content | trim", "messages[0].content.split('|')[0]",
          "messages[0].content[1:3]", "messages[0].content[::-1]", "messages[0].content[0]", "messages[0].content | upper",
          "messages[0].content | tojson", "messages[0].content.replace('a', messages[0].content)", "messages[0].content | list | first",
          "messages[0].content | string", "messages[0].content | reverse", "[messages[0].content] | join", "messages[0].content * 2",
          "messages[0].content | default('x')", "(messages | map(attribute='content') | list)[0]", "messages[0]['content'] | indent",
          "messages[0].content.splitlines()[0]", "messages[0].content.title()", "{messages[0].content: 1} | first",
          "({messages[0].content: 1}.items() | list)[0][0]"}) {
        for (const RenderedSegment& segment : segments_of("{{ " + std::string(expression) + " }}", kUser)) {
            EXPECT_TRUE(segment.from_content) << expression << ": " << segment.text;
        }
    }
}

TEST(Segments, MarkMetadataAndReasoning) {
    std::vector<Message> messages(1, text_message(Role::Assistant, "x"));
    messages[0].metadata = "tool";
    messages[0].reasoning_content = "why";
    EXPECT_EQ(segments_of("{{ messages[0].metadata }}|{{ messages[0].reasoning_content }}", messages),
              (Segments{{"tool", true}, {"|", false}, {"why", true}}));
}

// ---- what is refused

struct BadTemplate {
    const char* source;
    const char* part; ///< of the message
};
class Refused : public testing::TestWithParam<BadTemplate> {};

TEST_P(Refused, NamesTheLineAndTheConstruct) {
    const std::string text = rendered("\n" + std::string(GetParam().source));
    EXPECT_TRUE(text.starts_with("error: chat template, line 2")) << GetParam().source << " gave " << text;
    EXPECT_NE(text.find(GetParam().part), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Templates, Refused,
    testing::Values(BadTemplate{"{% include 'x' %}", "include"}, BadTemplate{"{% import 'x' as y %}", "import"},
                    BadTemplate{"{% extends 'x' %}", "extends"}, BadTemplate{"{% call f() %}{% endcall %}", "call"},
                    BadTemplate{"{% if true %}", "endif"}, BadTemplate{"{% endif %}", "endif"}, BadTemplate{"{{ 1", "not closed"},
                    BadTemplate{"{# x", "not closed"}, BadTemplate{"{{ 'x }}", "not closed"}, BadTemplate{"{{ }}", "expression"},
                    BadTemplate{"{{ 1 + }}", "expression"}, BadTemplate{"{{ (1 }}", "','"}, BadTemplate{"{{ a ? b }}", "'?'"},
                    BadTemplate{"{% for x of y %}{% endfor %}", "'in'"}, BadTemplate{"{% break %}", "outside a loop"},
                    BadTemplate{"{{ f(*x) }}", "unpacking"}, BadTemplate{"{{ x[] }}", "subscript"},
                    BadTemplate{"{{ 99999999999999999999 }}", "64 bits"}, BadTemplate{"{% raw %}x", "not closed"},
                    BadTemplate{"{{ nothing.field }}", "'nothing' is undefined"}, BadTemplate{"{{ nothing() }}", "'nothing' is undefined"},
                    BadTemplate{"{{ 'x' | nofilter }}", "nofilter"}, BadTemplate{"{{ 1 is notest }}", "notest"},
                    BadTemplate{"{{ 'x'.format(1) }}", "format"}, BadTemplate{"{{ ''.__class__() }}", "__class__"},
                    BadTemplate{"{{ 1 / 0 }}", "zero"}, BadTemplate{"{{ 1 % 0 }}", "zero"}, BadTemplate{"{{ 'a' + 1 }}", "operator +"},
                    BadTemplate{"{{ 9223372036854775807 + 1 }}", "64 bits"}, BadTemplate{"{{ 'a' < 1 }}", "operator <"},
                    BadTemplate{"{{ raise_exception('no tools') }}", "no tools"}, BadTemplate{"{{ 'abc'[::0] }}", "step"},
                    BadTemplate{"{% set a, b = [1] %}", "names"}, BadTemplate{"{% set m.x = 1 %}", "namespace"},
                    BadTemplate{"{% for a in 5 %}{% endfor %}", "loop"}));

TEST(Template, HidesHostObjects) {
    // What reaches the interpreter's host in Jinja is nothing here: unknown attributes are undefined.
    EXPECT_EQ(rendered("{{ ''.__class__ }}|{{ messages.__init__ }}|{{ [].__class__ is defined }}"), "||False");
}

// ---- what would run forever, fill the memory or the stack

// Processor time of this thread: the same on a busy machine.
std::chrono::nanoseconds thread_time() {
    std::timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Of processor time, for what takes some 50 ms here and hours without limits.
constexpr std::chrono::milliseconds kRunawayMax(2000);

class Runaway : public testing::TestWithParam<const char*> {};

TEST_P(Runaway, EndsWithALimitAtOnce) {
    const auto start = thread_time();
    const auto parsed = ChatTemplate::parse(GetParam());
    const auto text = parsed ? parsed->render(kUser, true, std::nullopt) : Result<std::string>(parsed.error());
    const auto took = thread_time() - start;
    ASSERT_FALSE(text.has_value());
    EXPECT_TRUE(text.error().code == ErrorCode::LimitExceeded || text.error().code == ErrorCode::ParseFailed) << text.error().message;
    EXPECT_LT(took, kRunawayMax) << text.error().message;
    std::printf("%.1f ms: %s\n", std::chrono::duration<double, std::milli>(took).count(), text.error().message.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    Templates, Runaway,
    testing::Values("{% for i in range(1000000000) %}x{% endfor %}",
                    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
                    "{{ 'x' * 1073741824 }}", "{{ 1073741824 * 'xy' }}",
                    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                    "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('xxxxxxxxxxxxxxxx') }}",
                    "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                    "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('x', 'xxxx') %}{% endfor %}",
                    "{% set ns = namespace(s=['x']) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s == ns.s }}",
                    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
                    "{% set s = 'x' * 15000000 %}{% for i in range(100000) %}{% if s[0] == s %}{% endif %}{% endfor %}",
                    "{% set s = 'x' * 15000000 %}{{ s | list | length }}",
                    "{% for i in range(100000) %}{{ 'x' * 10000 }}{% endfor %}",
                    "{% set s = 'ab' * 1000000 %}{% for i in range(100000) %}{% set t = s.split('a') %}{% endfor %}"));

TEST(RunawaySource, IsRefusedByItsSizeAndDepth) {
    const auto repeated = [](const std::string& text, int count) {
        std::string out;
        for (int i = 0; i < count; ++i) {
            out += text;
        }
        return out;
    };
    for (const std::string& source :
         {"{{ " + repeated("(", 50000) + repeated(")", 50000) + " }}", "{{ " + repeated("[", 50000) + " }}",
          "{{ " + repeated("not ", 20000) + "1 }}", "{{ " + repeated("-", 50000) + "1 }}", "{{ 1" + repeated("+1", 50000) + " }}",
          "{{ 1" + repeated("|d", 50000) + " }}", "{{ a" + repeated(".a", 50000) + " }}", "{{ a" + repeated("[0]", 50000) + " }}",
          "{{ 1" + repeated(" if 1 else 1", 10000) + " }}", "{{ 1" + repeated(" or 1", 30000) + " }}",
          "{{ 'a' | map(" + repeated("'map',", 30000) + "'first') }}", repeated("{% if 1 %}", 20000),
          repeated("{% for i in [1] %}", 10000), std::string(300 * 1024, 'x')}) {
        const auto start = thread_time();
        const auto parsed = ChatTemplate::parse(source);
        EXPECT_FALSE(parsed.has_value()) << source.substr(0, 20);
        EXPECT_LT(thread_time() - start, kRunawayMax) << source.substr(0, 20);
    }
}

TEST(Template, ForgetsNamespacesThatHoldThemselves) {
    EXPECT_EQ(rendered("{% set n = namespace(x=1) %}{% set n.me = n %}{{ n.me.me.x }}"), "1"); // leaks are found under asan
}

} // namespace
} // namespace handeye
