// SPDX-License-Identifier: Apache-2.0
// The report: everything escaped, nothing fetched, nothing run; whole for empty, failed, long and damaged recordings.
#include "agent/bench_step.h"
#include "agent/report.h"
#include "agent/report_html.h"
#include "agent/report_words.h"
#include "agent/session.h"
#include "base/hash.h"
#include "base/image_codec.h"
#include "tests/agent/recorded_session.h"
#include "tests/agent/recording_samples.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <regex>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

namespace handeye {
namespace {

using fakes::FakePlatform;
using fakes::ScriptedModel;
using fakes::SimClock;
using fakes::solid_frame;

constexpr const char* kHostile = R"(<script>alert(1)</script><img src=x onerror=alert(2)> " ' onload='x' http://evil.test/a.png &amp; </pre></style> )";

class ReportTest : public testing::Test {
protected:
    std::filesystem::path record(ScriptedModel& model, const std::string& goal, int steps_max = 50) {
        const auto file = dir_.path() / "a.handeye";
        auto recorder = Recorder::open(file, "S").value();
        SimClock clock;
        std::vector<fakes::Scene> scenes;
        for (int i = 0; i < 8; ++i) {
            scenes.push_back({solid_frame({160, 120}, static_cast<std::uint8_t>(i * 30), 90, 200)});
        }
        FakePlatform platform(clock, scenes);
        for (std::size_t i = 0; i < 8; ++i) {
            platform.on_click(i, {0, 0, 160, 120}, (i + 1) % 8);
        }
        {
            SessionOptions options{.session_id = "S"};
            options.budget.steps_max = steps_max;
            auto session = Session::create(options, platform, model, clock, *recorder).value();
            EXPECT_TRUE(session->run_task(goal, {}));
        }
        EXPECT_TRUE(recorder->seal());
        return file;
    }
    static std::string render(const std::filesystem::path& file) {
        const auto recording = Recording::open(file);
        EXPECT_TRUE(recording);
        auto html = render_report_html(*recording);
        EXPECT_TRUE(html);
        return html.value_or("");
    }
    tests::TempDir dir_;
};

std::string say(const std::string& text, const std::string& call) {
    return "<think>" + text + "</think><answer>" + text + "\n<|begin_of_box|>" + call + "<|end_of_box|>\nMemory:\n[]</answer>";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

TEST_F(ReportTest, TellsTheStoryOfATask) {
    ScriptedModel model({say("First.", "left_click(start_box='[500,500]', element_info='Save')"), "Nothing.", say("Over.", "DONE()")});
    const std::string html = render(record(model, "Save the form."));
    EXPECT_TRUE(holds(html, "Save the form."));
    EXPECT_TRUE(holds(html, "left_click Save"));
    EXPECT_TRUE(holds(html, "confirmed"));
    EXPECT_TRUE(holds(html, "<b>model</b>500, 500 ‰"));
    EXPECT_TRUE(holds(html, "<b>picture fed</b>80, 60<br>of 160 × 120"));
    EXPECT_TRUE(holds(html, "<b>sent to the device</b>80, 60"));
    EXPECT_TRUE(holds(html, "<b>pointer landed</b>80, 60, on the spot"));
    EXPECT_EQ(count(html, "type=\"range\""), 1U); // of the one step after which the screen was another
    EXPECT_TRUE(holds(html, "<circle cx=\"80.0\" cy=\"60.0\""));
    EXPECT_TRUE(holds(html, "attempt 2"));
}

TEST_F(ReportTest, EscapesWhateverTheRecordingHolds) {
    ScriptedModel model({say(kHostile, "left_click(start_box='[500,500]', element_info='<b onclick=x>\"&')"), kHostile, "\xff\xfe<svg/onload=1>",
                         say("Over.", "DONE()")});
    const std::string html = render(record(model, kHostile));
    const std::string body = std::regex_replace(html, std::regex("data:image/png;base64,[A-Za-z0-9+/=]*"), "PICTURE");
    EXPECT_EQ(count(body, "<script"), 1U); // ours, at the end
    EXPECT_TRUE(body.ends_with("</script></body></html>\n"));
    EXPECT_FALSE(holds(body, "<img"));
    EXPECT_FALSE(holds(body, "<b "));
    EXPECT_FALSE(std::regex_search(body, std::regex("<[^>]*\\son[a-z]+=")));
    EXPECT_FALSE(std::regex_search(body, std::regex("<[^>]*(src|href)=\"?(http|//)")));
    EXPECT_FALSE(holds(body, "\xff"));
    EXPECT_TRUE(holds(body, "Content-Security-Policy"));
    EXPECT_TRUE(holds(body, "default-src 'none'"));
}

TEST_F(ReportTest, IsWholeWithoutAnyStep) {
    ScriptedModel model;
    const std::string html = render(record(model, ""));
    EXPECT_TRUE(holds(html, "No step was taken"));
    EXPECT_TRUE(holds(html, "</html>"));
    const std::string none = render(tests::record_sample(dir_.path() / "b.handeye", 3));
    EXPECT_TRUE(holds(none, "holds no task"));
}

TEST_F(ReportTest, SaysWhyATaskFailed) {
    ScriptedModel model;
    model.fail_next({ErrorCode::OutOfMemory, "the GPU fell off"});
    const std::string html = render(record(model, "Go."));
    EXPECT_TRUE(holds(html, "the GPU fell off"));
    EXPECT_TRUE(holds(html, "badge bad"));
}

/// As a run of a task file is recorded: a program is started, a box is ticked, and a button is not found.
std::filesystem::path record_task_file(const std::filesystem::path& file) {
    auto recorder = Recorder::open(file, "S").value();
    const auto frame = [](std::uint8_t level, bool is_plain) {
        std::vector<std::uint8_t> pixels(160 * 120 * 3, level);
        std::fill_n(pixels.begin(), is_plain ? 0 : 9000, std::uint8_t{250});
        const auto png = encode_png(*Image::from_pixels({160, 120}, PixelFormat::Rgb, pixels), 6).value();
        return Blob{to_hex(sha256(std::string_view(reinterpret_cast<const char*>(png.data()), png.size()))), "image/png", std::make_shared<const std::vector<std::uint8_t>>(png)};
    };
    const auto put = [&](const char* type, const std::string& data, std::vector<Blob> blobs = {}) {
        SessionEvent event;
        event.type = type;
        event.data_json = data;
        event.blobs = std::move(blobs);
        EXPECT_TRUE(recorder->on_event(event)) << type;
    };
    const auto see = [&](int step, const char* when, const Blob& shot) {
        put("observation.captured", fmt::format(R"({{"task":1,"step":{},"when":"{}","size":{{"width":160,"height":120}},"frame":{{"sha256":"{}","bytes":{}}}}})", step, when, shot.sha256_hex, shot.bytes->size()), {shot});
    };
    const auto act = [&](int step, const char* proposed, const char* executed, const Blob& before, const Blob& after, const char* result) {
        see(step, "before", before);
        put("action.proposed", fmt::format(R"({{"task":1,"step":{},{}}})", step, proposed));
        put("action.executed", fmt::format(R"({{"task":1,"step":{},"certainty":"{}",{}}})", step, result, executed));
        see(step, "after", after);
        put("task.step_finished", fmt::format(R"({{"task":1,"step":{},"result":"{}","observation":"Success","timings_ms":{{"capture":3,"settle":90}}}})", step, result));
    };
    const char* const at = R"("points":[{"model":{"units":"pixels","x":30,"y":40},"target":{"x":30,"y":40,"frame":{"width":160,"height":120}},"image":null,"element":null}],"ops":[],"events_sent":3)";
    const Blob black = frame(0, true), form = frame(9, false), ticked = frame(60, false);
    put("session.opened", R"({"model":{"name":"none"},"platform":{"name":"x11"}})");
    put("task.started", R"({"task":1,"goal":"fill-form"})");
    put("taskfile.step_started", R"({"file":"f.yaml","line":5,"verb":"launch","label":"form"})");
    act(1, R"("verb":"open_app","summary":"open_app form","action":{"verb":"open_app","app":"form"})", R"("points":[],"events_sent":1)", black, black, "suspected_noop");
    put("taskfile.step_finished", R"({"file":"f.yaml","line":5,"verb":"launch","label":"form","status":"passed"})");
    for (const auto& [step, line] : {std::pair{2, 6}, std::pair{3, 7}}) {
        put("taskfile.step_started", fmt::format(R"({{"file":"f.yaml","line":{},"verb":"click","label":"Agree {}"}})", line, step));
        act(step, R"("verb":"click","summary":"left_click","action":{"verb":"click","x":30,"y":40,"units":"pixels"},"found":{"rung":"structure","what":"check box Agree","score":1})", at, form, ticked, "confirmed");
        put("taskfile.step_finished", fmt::format(R"({{"file":"f.yaml","line":{},"verb":"click","label":"Agree {}","status":"passed"}})", line, step));
    }
    put("taskfile.step_started", R"({"file":"f.yaml","line":8,"verb":"click","label":"Store"})");
    act(4, R"("verb":"hover","summary":"hover","call":"move the pointer aside","action":{"verb":"hover"},"found":{"rung":"aside"})", at, ticked, ticked, "confirmed");
    put("taskfile.step_finished", R"({"file":"f.yaml","line":8,"verb":"click","label":"Store","status":"failed","failure":{"kind":"target_not_found","message":"button \"Store\" was not found","place":"f.yaml:8"}})");
    put("task.finished", R"({"task":1,"outcome":"fell_short","message":"f.yaml:8: button \"Store\" was not found","wall_ms":900})");
    EXPECT_TRUE(recorder->seal());
    return file;
}

TEST_F(ReportTest, TellsATaskFilesStepsInItsOwnWords) {
    const std::string html = render(record_task_file(dir_.path() / "f.handeye"));
    const std::string body = html.substr(html.find("<body"));
    for (const char* const words : {"launch form", "click Agree 2", "f.yaml:6", "The screen was empty", "Afterwards, when its window had come"}) {
        EXPECT_TRUE(holds(body, words)) << words;
    }
    for (const char* const jargon : {"left_click", "open_app", "told to the model", "move the pointer aside", "hover</h3>", "of it the model", "no visible effect"}) {
        EXPECT_FALSE(holds(body, jargon)) << jargon;
    }
    EXPECT_EQ(count(body, "<details open>"), 1U) << "the way of a place is drawn at the first step; the others fold it";
    EXPECT_EQ(count(body, "Where it was:"), 2U);
}

TEST_F(ReportTest, HasAPlaceForTheStepThatFellShort) {
    const std::string html = render(record_task_file(dir_.path() / "f.handeye"));
    const std::size_t card = html.find(R"(<section id="t1f4">)");
    ASSERT_NE(card, std::string::npos);
    const std::string step = html.substr(card, html.find("</section>", card) - card);
    for (const char* const words : {R"(<span class="no">4</span>)", "click Store", "target not found", "button &quot;Store&quot; was not found", "The screen when it was given up", "f.yaml:8"}) {
        EXPECT_TRUE(holds(step, words)) << words << "\n" << step;
    }
    EXPECT_TRUE(holds(html, R"(href="#t1f4")")) << "the timeline has it, too";
}

TEST_F(ReportTest, ShowsTwoHundredStepsAndEachPictureOnce) {
    ScriptedModel model;
    for (int i = 0; i < 200; ++i) {
        model.add(say("Step.", "left_click(start_box='[" + std::to_string(i * 4) + ",500]', element_info='b')"));
    }
    const std::string html = render(record(model, "Go.", 200));
    EXPECT_TRUE(holds(html, "id=\"t1s200\""));
    EXPECT_EQ(count(html, "data-type=\"image/"), 8U);
    EXPECT_LT(html.size(), 3U << 20U);
}

TEST_F(ReportTest, RunsOneScriptOfItsOwnAndNothingElse) {
    ScriptedModel model({say(kHostile, "left_click(start_box='[500,500]', element_info='</script><script>alert(3)</script>')"), "</script><!--<script>"});
    for (int i = 0; i < 200; ++i) {
        model.add(say(kHostile, "left_click(start_box='[" + std::to_string(i * 4) + ",500]', element_info='</script>')"));
    }
    const std::string html = render(record(model, kHostile, 130));
    const std::size_t begin = html.rfind("<script>");
    ASSERT_NE(begin, std::string::npos);
    const std::string script = html.substr(begin + 8, html.find("</script>", begin) - begin - 8);
    EXPECT_TRUE(holds(html, "script-src 'sha256-" + report::base64(sha256(script)) + "'"));
    EXPECT_TRUE(holds(html, "default-src 'none'"));
    EXPECT_EQ(count(html, "<script>"), 1U);
    EXPECT_EQ(count(html, "<script"), count(html, "</script>"));
    EXPECT_EQ(count(html, "<script type=\"text/plain\""), 130U + 130U + 4U + 8U); // inert: steps, their drawings, lines of the timeline, pictures
    EXPECT_EQ(count(html, "<!--"), 0U);
    EXPECT_FALSE(holds(html, "<img"));
    EXPECT_FALSE(std::regex_search(html.substr(0, begin), std::regex("<[^>]*\\son[a-z]+=")));
}

TEST_F(ReportTest, MakesPicturesSmallerAndThenLeavesThemOutToStayWithinItsBytes) {
    tests::record_session(dir_.path() / "b.handeye", {.steps = 8});
    const auto recording = Recording::open(dir_.path() / "b.handeye");
    ASSERT_TRUE(recording);
    const std::string whole = render_report_html(*recording).value();
    EXPECT_TRUE(holds(whole, "data:image/png"));
    EXPECT_FALSE(holds(whole, "Pictures are shown"));
    const std::string smaller = render_report_html(*recording, {.bytes_max = 700'000}).value();
    EXPECT_LE(smaller.size(), 700'000U);
    EXPECT_TRUE(holds(smaller, "Pictures are shown"));
    EXPECT_EQ(count(smaller, "data:image/webp"), 8U);
    const std::string fewer = render_report_html(*recording, {.bytes_max = 200'000}).value();
    EXPECT_LE(fewer.size(), 200'000U);
    EXPECT_TRUE(holds(fewer, "Left out: "));
}

TEST_F(ReportTest, LeavesStepsOutThatDoNotFitAndSaysSo) {
    tests::record_session(dir_.path() / "b.handeye", {.steps = 60, .size = {640, 400}});
    const auto recording = Recording::open(dir_.path() / "b.handeye");
    const std::string html = render_report_html(*recording, {.bytes_max = 300'000}).value();
    EXPECT_LE(html.size(), 300'000U);
    EXPECT_TRUE(holds(html, "Left out at the end: "));
    EXPECT_TRUE(holds(html, "id=\"t1s1\""));
}

TEST_F(ReportTest, ShowsWhatTurnsTheDirectionOfWriting) {
    EXPECT_EQ(report::escape("a\u202Eb\u2066c\u2028d"), "a‹U+202E›b‹U+2066›c\u2028d");
    EXPECT_EQ(report::escape(std::string_view("a\0b\x1b\x7f", 5)), "a\uFFFDb\uFFFD\uFFFD");
    EXPECT_EQ(report::escape("\u05D0\u200F"), "\u05D0\u200F"); // a word written from right to left, and its mark
}

TEST_F(ReportTest, CountsInThePluralAndTheSingular) {
    EXPECT_EQ(report::counted(0, "step"), "0 steps");
    EXPECT_EQ(report::counted(1, "step"), "1 step");
    EXPECT_EQ(report::counted(1234, "picture"), "1\u2009234 pictures");
    ScriptedModel model({say("Over.", "DONE()")});
    const std::string html = render(record(model, "Go."));
    const std::string body = html.substr(html.find("<body>"), html.find("<script>") - html.find("<body>"));
    std::smatch wrong;
    EXPECT_FALSE(std::regex_search(body, wrong, std::regex("[^0-9.]1 [a-z]+s[^a-z]"))) << wrong[0];
}

TEST_F(ReportTest, TellsOfAPromptWhatIsNewInIt) {
    tests::record_session(dir_.path() / "b.handeye", {.steps = 3, .size = {640, 400}});
    const std::string html = render(dir_.path() / "b.handeye");
    EXPECT_EQ(count(html, "You operate a computer through its screen"), 1U);
    EXPECT_EQ(count(html, "that are those of <a href=\"#t1s1\">step 1</a>"), 2U);
}

TEST_F(ReportTest, LeavesPicturesOutWhenToldAndSaysSo) {
    ScriptedModel model;
    for (int i = 0; i < 6; ++i) {
        model.add(say("Step.", "left_click(start_box='[" + std::to_string(i * 100) + ",500]')"));
    }
    const auto recording = Recording::open(record(model, "Go.", 6));
    ASSERT_TRUE(recording);
    const std::string html = render_report_html(*recording, {.pictures_max = 2}).value();
    EXPECT_TRUE(holds(html, "left out"));
}

TEST_F(ReportTest, ShowsWhatCameBeforeTheDamage) {
    ScriptedModel model({say("First.", "left_click(start_box='[500,500]', element_info='Save')"), say("Over.", "DONE()")});
    const auto file = record(model, "Save the form.");
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &raw), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(raw, "UPDATE events SET data='{}' WHERE seq=14", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(raw);
    const std::string html = render(file);
    EXPECT_TRUE(holds(html, "event 14"));
    EXPECT_TRUE(holds(html, "left_click Save"));
}

TEST_F(ReportTest, BenchMeasuresEveryStageOfRealSteps) {
    SystemClock clock;
    FakePlatform platform(clock, {{solid_frame({640, 480}, 10, 20, 30)}});
    const auto bench = bench_step(platform, clock, 5, dir_.path() / "bench.handeye");
    ASSERT_TRUE(bench) << bench.error().message;
    EXPECT_EQ(bench->steps, 5);
    ASSERT_EQ(bench->stages.size(), 8U);
    Duration sum{};
    for (const StageCost& stage : bench->stages) {
        EXPECT_LE(stage.median, stage.worst) << stage.name;
        sum += stage.worst;
    }
    EXPECT_LE(bench->total_worst, sum);
    EXPECT_GT(bench->total_median, Duration::zero());
    EXPECT_FALSE(bench_step(platform, clock, 5, dir_.path() / "bench.handeye")); // it exists now
    EXPECT_FALSE(bench_step(platform, clock, 0, dir_.path() / "c.handeye"));
}

} // namespace
} // namespace handeye
