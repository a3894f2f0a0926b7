// SPDX-License-Identifier: Apache-2.0
// A task file at work on a scripted screen, in simulated time.
#pragma once

#include "agent/session.h"
#include "agent/task_program.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/fakes/fake_platform.h"
#include "tests/fakes/memory_sink.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun_tests {

using fakes::FakePlatform;
using fakes::MemorySink;
using fakes::Scene;
using fakes::ScriptedModel;
using fakes::SimClock;
using fakes::solid_frame;
using nlohmann::json;

inline constexpr Size kScreen{400, 300};
inline constexpr Rect kSave{40, 40, 80, 30};
inline constexpr Rect kName{40, 100, 200, 30};

inline Element button(const std::string& label, Rect box, int mark = 1) {
    Element out;
    out.mark = mark;
    out.role = "push button";
    out.label_utf8 = label;
    out.box = box;
    return out;
}
inline Element entry(const std::string& label, Rect box, const std::string& value = "") {
    Element out = button(label, box, 2);
    out.role = "entry";
    out.value_utf8 = value;
    return out;
}

/// A label, and right of it a field that has none of its own.
inline std::vector<Element> form(const std::vector<std::string>& labels) {
    std::vector<Element> out;
    for (const std::string& label : labels) {
        const int y = 40 + static_cast<int>(out.size()) * 20;
        Element words = button(label, {20, y, 60, 20}, 0);
        words.role = "label";
        out.push_back(words);
        out.push_back(entry("", {100, y, 200, 20}));
    }
    return out;
}

inline Element pane(const std::string& label, Rect box) {
    Element out = button(label, box, 3);
    out.role = "scroll pane";
    return out;
}
inline Element text_area(const std::string& label, Rect box, const std::string& value) {
    Element out = entry(label, box, value);
    out.role = "text";
    return out;
}

inline Element switched_off(Element element) {
    element.is_enabled = false;
    return element;
}

inline std::string say(const std::string& call) { return "<think>A thought.</think><answer>Doing it.\n<|begin_of_box|>" + call + "<|end_of_box|>\nMemory:\n[]</answer>"; }

/// Scene 0 has the button Save and the field Name; a click on Save shows scene 1, which says Saved.
class TaskRun : public testing::Test {
protected:
    TaskRun() {
        folder_ = std::filesystem::path(testing::TempDir()) / ("taskrun_" + std::to_string(::getpid()) + "_" + testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        platform_.on_click(0, kSave, 1);
    }
    ~TaskRun() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }

    /// A pointer that may have hidden the target was moved aside; nothing was pressed.
    [[nodiscard]] bool has_only_moved() const {
        const auto& events = platform_.events();
        return std::all_of(events.begin(), events.end(), [](const InputEvent& event) { return std::holds_alternative<PointerMove>(event); });
    }

    TaskReport run(const std::string& body, const std::map<std::string, std::string>& vars = {}) {
        auto program = TaskProgram::load(write("task.yaml", "version: 1\nname: test\n" + body), vars);
        EXPECT_TRUE(program) << program.error().message;
        if (!program) {
            return {};
        }
        (*program)->allow_healing(heal_max_);
        options_.policy = (*program)->policy();
        options_.budget = (*program)->budget();
        auto session = Session::create(options_, platform_, model_, clock_, sink_);
        EXPECT_TRUE(session) << session.error().message;
        auto report = (*session)->run_program((*program)->name(), **program, stop_.get_token());
        EXPECT_TRUE(report) << report.error().message;
        EXPECT_TRUE(platform_.held().empty());
        result_ = json::parse((*program)->result_json());
        junit_ = (*program)->result_junit();
        heal_diff_.clear();
        if ((*program)->healed_steps() > 0) {
            const auto diff = (*program)->write_healed(folder_);
            EXPECT_TRUE(diff) << diff.error().message;
            heal_diff_ = read_file(*diff, 1 << 20).value_or("");
        }
        return report.value_or(TaskReport{});
    }
    static std::string loading(const std::string& body, const std::filesystem::path& path, const std::map<std::string, std::string>& vars) {
        std::ofstream(path) << "version: 1\nname: test\n" + body;
        const auto program = TaskProgram::load(path, vars);
        return program ? "" : program.error().message;
    }

    SimClock clock_;
    FakePlatform platform_{clock_, {Scene{solid_frame(kScreen, 255, 255, 255), {button("Save", kSave), entry("Name", kName)}},
                                    Scene{solid_frame(kScreen, 0, 0, 0), {button("Saved", {200, 200, 80, 30})}},
                                    Scene{solid_frame(kScreen, 9, 9, 9), {button("Accept", kSave), button("Cookies", {200, 40, 80, 30})}},
                                    Scene{solid_frame(kScreen, 8, 8, 8), {switched_off(button("Save", kSave))}},
                                    Scene{solid_frame(kScreen, 7, 7, 7), {button("Save", kSave), button("Save", {200, 40, 80, 30}), button("Monday", {200, 10, 80, 20})}},
                                    Scene{solid_frame(kScreen, 6, 6, 6), {pane("Notes pane", kName), text_area("Notes", kName, "what stands there")}},
                                    Scene{solid_frame(kScreen, 5, 5, 5), {button("Delete", kSave)}},
                                    Scene{solid_frame(kScreen, 4, 4, 4), form({"Name:", "City"})},
                                    Scene{solid_frame(kScreen, 3, 3, 3), form({"City", "Name:"})},
                                    Scene{solid_frame(kScreen, 2, 2, 2), form({"Nickname:", "City"})},
                                    Scene{solid_frame(kScreen, 1, 1, 1), form({"City"})}}};
    ScriptedModel model_;
    MemorySink sink_;
    SessionOptions options_{.session_id = "01TEST"};
    std::stop_source stop_;
    std::filesystem::path folder_;
    int heal_max_ = 0; ///< steps that the model may heal
    json result_;
    std::string junit_;
    std::string heal_diff_; ///< what it healed
};

} // namespace handeye::taskrun_tests
