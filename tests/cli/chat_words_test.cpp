// SPDX-License-Identifier: Apache-2.0
// What a model says, told apart; what a conversation keeps of it; what can be turned.
#include "apps/chat/answer_view.h"
#include "apps/chat/conversation.h"
#include "apps/chat/dials.h"
#include "apps/chat/spoken.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::chat {
namespace {

/// "T:thought A:answer B:box", with the text handed over in pieces of `size` bytes.
std::string heard(std::string_view text, std::size_t size) {
    std::string out;
    char last = 0;
    SpeechSplitter splitter([&](Speech kind, std::string_view said) {
        const char name = kind == Speech::Thought ? 'T' : kind == Speech::Box ? 'B' : 'A';
        out += (name == last ? "" : (out.empty() ? "" : " ") + std::string(1, name) + ":") + std::string(said);
        last = name;
    });
    for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
        splitter.put(text.substr(0, size));
    }
    splitter.end();
    return out;
}

TEST(Speech, IsToldApartHoweverItComes) {
    const std::pair<const char*, const char*> rows[] = {
        {"<think>why</think><answer>so</answer>", "T:why A:so"},
        {"<think>\nwhy\n</think>\n\n<answer>\nso <|begin_of_box|>7<|end_of_box|>.</answer>", "T:why\n A:so  B:7 A:."},
        {"\n<think>a < b</think>c < d", "T:a < b A:c < d"},
        {"no tags, 1 <2 and <thin", "A:no tags, 1 <2 and <thin"},
        {"said, then <think>quoted</think>", "A:said, then <think>quoted"},
        {"<think><answer>a thought of tags</answer></think>x", "T:<answer>a thought of tags</answer> A:x"},
        {"<think>never ended", "T:never ended"},
        {"<|begin_of_box|>[[1, 2]]<|end_of_box|>", "B:[[1, 2]]"},
    };
    for (const auto& [text, wanted] : rows) {
        for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{1000}}) {
            EXPECT_EQ(heard(text, size), wanted) << text << " in pieces of " << size;
        }
    }
}

TEST(Speech, GoesBackToTheModelWithoutThoughts) {
    const Spoken whole = take_apart("<think>why</think><answer>at <|begin_of_box|>7<|end_of_box|>\n</answer>");
    EXPECT_EQ(whole.thought, "why");
    EXPECT_EQ(whole.answer, "at 7");
    EXPECT_EQ(whole.for_history, "at <|begin_of_box|>7<|end_of_box|>");
    EXPECT_FALSE(whole.is_thought_open);
    const Spoken cut = take_apart("<think>why</think><answer>half an ans"); // which ends without its tag
    EXPECT_EQ(cut.for_history, "half an ans");
    const Spoken open = take_apart("<think>never ended");
    EXPECT_TRUE(open.is_thought_open);
    EXPECT_EQ(open.for_history, "");
    const Spoken opened_by_template = take_apart("why\n</think>\nso");
    EXPECT_EQ(opened_by_template.thought, "why");
    EXPECT_EQ(opened_by_template.for_history, "so");
}

LoadedMedia picture(const std::string& name, std::size_t count = 1) {
    LoadedMedia media{.kind = MediaKind::Picture, .caption = name + ": 2x2", .bytes = 12};
    for (std::size_t i = 0; i < count; ++i) {
        media.parts.emplace_back(ImagePart{*Image::from_pixels({2, 2}, PixelFormat::Rgb, std::vector<std::uint8_t>(12))});
    }
    return media;
}
LoadedMedia film(const std::string& name) {
    LoadedMedia media{.kind = MediaKind::Film, .caption = name + ": 1 s", .bytes = 12};
    media.parts.emplace_back(VideoPart{});
    return media;
}

TEST(Conversation, KeepsQuestionsAnswersAndWhatWasShown) {
    Conversation talk;
    talk.set_system("Be brief.");
    ASSERT_TRUE(talk.attach(picture("a.png")));
    EXPECT_TRUE(talk.keep("What?", take_apart("<think>hm</think><answer>This.</answer>")));
    const auto messages = talk.messages("And?");
    ASSERT_EQ(messages.size(), 4U);
    EXPECT_EQ(messages[0].role, Role::System);
    EXPECT_EQ(messages[1].parts.size(), 2U); // the picture first
    EXPECT_TRUE(std::holds_alternative<ImagePart>(messages[1].parts[0]));
    EXPECT_EQ(std::get<TextPart>(messages[2].parts[0]).text_utf8, "This.");
    EXPECT_EQ(std::get<TextPart>(messages[3].parts[0]).text_utf8, "And?");
    EXPECT_EQ(messages[3].parts.size(), 1U);
    EXPECT_TRUE(talk.undo());
    EXPECT_FALSE(talk.undo());
    EXPECT_EQ(talk.pictures_left(), kPicturesMax);
}

TEST(Conversation, KeepsNoTurnWithoutAnAnswer) {
    Conversation talk;
    ASSERT_TRUE(talk.attach(picture("a.png")));
    EXPECT_FALSE(talk.keep("What?", take_apart("<think>stopped here")));
    EXPECT_TRUE(talk.turns().empty());
    EXPECT_EQ(talk.waiting().size(), 1U); // for the next question
}

TEST(Conversation, TakesPicturesOrOneVideo) {
    Conversation talk;
    ASSERT_TRUE(talk.attach(picture("pages.pdf", 299)));
    ASSERT_TRUE(talk.keep("What?", take_apart("This.")));
    ASSERT_TRUE(talk.attach(picture("b.png")));
    const auto more = talk.attach(picture("c.png"));
    EXPECT_EQ(more.error().message, "c.png would be picture 301: a conversation takes at most 300 pictures; /clear begins another");
    const auto beside = talk.attach(film("d.mp4"));
    EXPECT_EQ(beside.error().message, "d.mp4 is a video and pages.pdf a picture: a conversation takes pictures or one video, never both; /clear begins another");
    talk.clear();
    ASSERT_TRUE(talk.attach(film("d.mp4")));
    EXPECT_NE(talk.attach(film("e.mp4")).error().message.find("e.mp4 would be a second video beside d.mp4"), std::string::npos);
    EXPECT_NE(talk.attach(picture("f.png")).error().message.find("f.png is a picture and d.mp4 a video"), std::string::npos);
    talk.clear();
    LoadedMedia heavy = picture("g.png");
    heavy.bytes = kPixelBytesMax + 1;
    EXPECT_EQ(talk.attach(heavy).error().code, ErrorCode::LimitExceeded);
}

TEST(Dials, TurnWithinTheirRanges) {
    Dials dials;
    ASSERT_TRUE(turn_dial(dials, "top_p", "0.5"));
    ASSERT_TRUE(turn_dial(dials, "seed", "7"));
    ASSERT_TRUE(turn_dial(dials, "thinking_budget", "0"));
    ChatRequest request;
    put_dials(dials, request);
    EXPECT_EQ(request.sampling.top_p, 0.5);
    EXPECT_EQ(request.sampling.seed, 7U);
    EXPECT_FALSE(request.thinking_budget);
    for (const auto& [name, value] : {std::pair{"top_p", "2"}, {"top_p", "x"}, {"top_p", ""}, {"top_p", "0.5x"}, {"top_p", "nan"}, {"seed", "1.5"}, {"seed", "-1"}, {"nothing", "1"}, {"max_new_tokens", "0"}}) {
        EXPECT_EQ(turn_dial(dials, name, value).error().code, ErrorCode::InvalidArgument) << name << " " << value;
    }
}

TEST(AnswerText, IsHarmlessAndSaysWhyItEnded) {
    testing::internal::CaptureStdout();
    AnswerView coloured({.has_colours = true, .shows_thoughts = true});
    coloured.put("<think>why\x1b[31m</think><answer>so <|begin_of_box|>7<|end_of_box|>!</answer>");
    coloured.end();
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "\x1b[2mwhy\\x1b[31m\x1b[0m\n\nso \x1b[1m7\x1b[0m!\n");
    testing::internal::CaptureStdout();
    AnswerView plain({});
    plain.put("<think>why</think><answer>so <|begin_of_box|>7<|end_of_box|>!</answer>");
    plain.end();
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "so **7**!\n");
    Completion completion;
    completion.usage = {.prompt_tokens = 10, .completion_tokens = 3, .reused_tokens = 4};
    completion.stop_reason = StopReason::MaxTokens;
    EXPECT_EQ(usage_line(completion), "3 tokens; 4 of 10 prompt tokens reused; cut off there (/set max_new_tokens 6)");
}

} // namespace
} // namespace handeye::chat
