// SPDX-License-Identifier: Apache-2.0
// Recordings from elsewhere in the hands of report, comparison and exports: damaged, cut off, forged, huge. Each ends in a page or a file
// that keeps its rules, or in an error; never in a crash, and never in more than its share of memory.
#include "agent/export.h"
#include "agent/export_video.h"
#include "agent/report.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "tests/agent/recorded_session.h"
#include "tests/agent/recording_samples.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr unsigned kSeed = 20261122;
int full_or(int full, int share) { return std::getenv("HANDEYE_FULL") != nullptr ? full : share; }

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

class ReportAttack : public testing::Test {
protected:
    // A recording of just these events, its chain whole.
    std::filesystem::path forge(const std::string& name, const std::vector<SessionEvent>& events) {
        const auto file = dir_.path() / name;
        std::filesystem::remove(file);
        auto recorder = Recorder::open(file, "S").value();
        for (const SessionEvent& event : events) {
            EXPECT_TRUE(recorder->on_event(event)) << event.data_json.substr(0, 100);
        }
        EXPECT_TRUE(recorder->seal());
        return file;
    }
    static SessionEvent event(const std::string& type, const json& data) { return {.type = type, .data_json = dump_json(data), .blobs = {}, .durability = Durability::Written}; }

    // Whatever it is, everything that reads recordings is tried on it. Returns whether it could be opened at all.
    bool try_all(const std::filesystem::path& file, bool with_film) {
        const auto recording = Recording::open(file);
        if (!recording) {
            EXPECT_FALSE(recording.error().message.empty());
            return false;
        }
        const auto page = render_report_html(*recording);
        EXPECT_TRUE(page);
        EXPECT_LE(page->size(), ReportOptions().bytes_max);
        EXPECT_TRUE(page->ends_with("</html>\n"));
        EXPECT_EQ(count(*page, "<script>"), 1U);
        const auto compared = compare_recordings(*recording, *recording);
        EXPECT_TRUE(compared);
        EXPECT_TRUE(json::accept(compared->differences_json));
        const auto traces = export_otel(*recording);
        EXPECT_TRUE(!traces || json::accept(*traces));
        std::filesystem::remove_all(dir_.path() / "set");
        static_cast<void>(export_llamafactory(*recording, dir_.path() / "set", {.steps = TrainingSteps::All}));
        std::filesystem::remove_all(dir_.path() / "set");
        static_cast<void>(export_preference(*recording, dir_.path() / "set"));
        if (with_film) {
            static_cast<void>(export_video(*recording, dir_.path() / "film.mp4", {.step_seconds_max = 0.2}));
        }
        return true;
    }
    tests::TempDir dir_;
};

TEST_F(ReportAttack, AnyDamagedByteAndAnyLengthIsAPageOrAnError) {
    const auto whole = dir_.path() / "whole.handeye";
    tests::record_session(whole, {.steps = 3, .size = {640, 400}, .refuses_second = true});
    const std::string bytes = read_file(whole, 64U << 20U).value();
    std::mt19937 random(kSeed);
    const auto damaged = dir_.path() / "damaged.handeye";
    int opened = 0;
    for (int i = 0; i < full_or(2000, 40); ++i) {
        std::string copy = bytes;
        if (i % 4 == 0) {
            copy.resize(random() % copy.size());
        } else {
            const std::size_t area = i % 2 == 0 ? std::min<std::size_t>(copy.size(), 3 * 4096) : copy.size(); // the schema and its first pages, and anywhere
            copy[random() % area] ^= static_cast<char>(1U + random() % 255U);
        }
        std::ofstream(damaged, std::ios::binary | std::ios::trunc) << copy;
        SCOPED_TRACE(fmt::format("seed {}, case {}", kSeed, i));
        opened += try_all(damaged, i % 10 == 1) ? 1 : 0;
    }
    EXPECT_GT(opened, 0); // else nothing was tried
}

// Fields of every type in every place, at their extremes.
TEST_F(ReportAttack, ForgedFieldsOfAnyTypeAreBorne) {
    const std::vector<json> values{nullptr, true, -1, 1e308, -1e308, "", "x", json::array(), json::array({1, "a", nullptr}), json::object(), {{"x", 1e308}, {"y", -1e308}}, {{"sha256", "../../etc"}}};
    const std::vector<std::string> keys{"model", "platform", "size", "frame", "points", "landed", "timings_ms", "changed", "warnings", "action", "found", "usage", "text", "budget", "ops", "masks", "thinking"};
    std::mt19937 random(kSeed);
    const std::vector<std::string> types{"session.opened", "task.started", "observation.captured", "prompt.built", "engine.finished", "action.proposed", "action.gated", "action.executed",
                                         "action.verified", "task.step_finished", "task.finished", "approval.requested", "approval.decided", "loop.suspected", "budget.exceeded"};
    for (int round = 0; round < full_or(400, 20); ++round) {
        std::vector<SessionEvent> events;
        for (int step = 1; step < 4; ++step) {
            for (const std::string& type : types) {
                json data{{"task", 1}, {"step", step}, {"when", random() % 2 == 0 ? "before" : "after"}};
                for (const std::string& key : keys) {
                    if (random() % 3 == 0) {
                        data[key] = values[random() % values.size()];
                    }
                }
                if (random() % 4 == 0) {
                    data["points"] = json::array({{{"model", values[random() % values.size()]}, {"image", values[random() % values.size()]}, {"target", {{"x", 1e308}, {"y", "a"}, {"frame", {{"width", 0}, {"height", -5}}}}},
                                                   {"element", {{"label", 7}, {"box", values[random() % values.size()]}}}}});
                }
                events.push_back(event(type, data));
            }
        }
        SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed, round));
        EXPECT_TRUE(try_all(forge("forged.handeye", events), round % 5 == 0));
    }
}

TEST_F(ReportAttack, HostileStringsRunNothingAndTurnNothing) {
    const std::string hostile = std::string("</script><script>alert(1)</script><img src=x onerror=alert(2)>\" ' \u2028 \u202Etxt.exe\u2066 ") + std::string(1, '\0') + "\x1b[31m <!-- ]]> </title></style>";
    const auto everywhere = [&](const std::string& type, json data) {
        for (const char* key : {"goal", "message", "answer", "summary", "verb", "call", "thought", "error", "rule", "reason", "withheld", "observation", "outcome", "result"}) {
            data[key] = hostile;
        }
        return event(type, data);
    };
    std::vector<SessionEvent> events{event("session.opened", {{"model", {{"name", hostile}, {"weight_format", hostile}}}, {"platform", {{"name", hostile}, {"size", {{"width", 640}, {"height", 400}}}}}}),
                                     everywhere("task.started", {{"task", 1}})};
    for (const char* type : {"observation.captured", "action.proposed", "action.gated", "action.executed", "action.verified", "task.step_finished"}) {
        events.push_back(everywhere(type, {{"task", 1}, {"step", 1}, {"when", "before"}, {"points", {{{"target", {{"x", 1}, {"y", 2}}}, {"element", {{"label", hostile}, {"role", hostile}}}}}}, {"found", {{"what", hostile}, {"rung", hostile}}}}));
    }
    events.push_back(everywhere("task.finished", {{"task", 1}}));
    const auto recording = Recording::open(forge("hostile.handeye", events));
    const auto other = Recording::open(forge("other.handeye", {event("task.started", {{"task", 1}, {"goal", hostile}})}));
    for (const std::string& page : {*render_report_html(*recording), compare_recordings(*recording, *other)->html, compare_recordings(*other, *recording)->html}) {
        const std::string body = page.substr(page.find("<title>"));
        EXPECT_EQ(count(body, "<script"), 1U);
        EXPECT_EQ(count(body, "</script"), 1U);
        for (const char* bad : {"<img", "<!--", "\u202E", "\u2066", "\x1b"}) {
            EXPECT_EQ(count(body, bad), 0U) << bad;
        }
        EXPECT_EQ(body.find('\0'), std::string::npos);
        EXPECT_EQ(count(body, "</title>"), 1U);
        EXPECT_EQ(count(body, "</style>"), 1U);
    }
}

TEST_F(ReportAttack, APictureThatClaimsToBeHugeIsLeftOut) {
    std::vector<std::uint8_t> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8, 2, 0, 0, 0, 0, 0, 0, 0};
    const std::string name = to_hex(sha256(png));
    std::vector<SessionEvent> events{event("task.started", {{"task", 1}, {"goal", "Look."}})};
    for (int step = 1; step <= 3; ++step) {
        events.push_back(event("observation.captured", {{"task", 1}, {"step", step}, {"when", "before"}, {"size", {{"width", 1e9}, {"height", 1e9}}}, {"frame", {{"sha256", name}, {"media_type", "image/png"}, {"bytes", 100'000'000'000}}}}));
        events.back().blobs.push_back({name, "image/png", std::make_shared<const std::vector<std::uint8_t>>(png)});
        events.push_back(event("task.step_finished", {{"task", 1}, {"step", step}, {"result", "confirmed"}}));
    }
    const auto file = forge("huge.handeye", events);
    EXPECT_TRUE(try_all(file, true));
    EXPECT_FALSE(export_video(*Recording::open(file), dir_.path() / "huge.mp4"));
}

// As many events as nobody looks at: the page stays within its bytes and says what it leaves out.
TEST_F(ReportAttack, StaysWithinItsBytesHoweverManyEventsThereAre) {
    const int events_max = full_or(1'000'000, 12'000);
    const auto file = dir_.path() / "many.handeye";
    auto recorder = Recorder::open(file, "S").value();
    for (int i = 0; i < events_max; ++i) {
        const json at{{"task", 1 + i / 400'000}, {"step", 1 + i / 2 % 200'000}};
        json data = at;
        data["summary"] = data["call"] = std::string(300, 'x');
        data["result"] = "confirmed";
        ASSERT_TRUE(recorder->on_event(event(i % 2 == 0 ? "action.proposed" : "task.step_finished", data)));
    }
    ASSERT_TRUE(recorder->seal());
    const auto recording = Recording::open(file);
    const ReportOptions options{.bytes_max = static_cast<std::size_t>(full_or(48'000'000, 2'000'000))};
    const std::string page = render_report_html(*recording, options).value();
    EXPECT_LE(page.size(), options.bytes_max);
    EXPECT_NE(page.find("Left out at the end: "), std::string::npos);
    EXPECT_LE(compare_recordings(*recording, *recording, options)->html.size(), options.bytes_max);
}

} // namespace
} // namespace handeye
