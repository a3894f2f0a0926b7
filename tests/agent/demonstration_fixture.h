// SPDX-License-Identifier: Apache-2.0
// A person, a program on a display, and who watches them: what is recorded can be read, compiled and done again on a fresh window.
#pragma once

#include "agent/compile.h"
#include "agent/demonstration.h"
#include "agent/recorder.h"
#include "agent/task_program.h"
#include "tests/platforms/x11_fixture.h"
#include "tests/platforms/xtest_hand.h"

#include <atomic>
#include <thread>

#include <nlohmann/json.hpp>

namespace handeye::x11 {

class Demonstration : public X11Test {
protected:
    void SetUp() override { start_display(true, {800, 600}); }
    void TearDown() override { stop(); }

    [[nodiscard]] std::filesystem::path out() const { return folder() / "out"; }
    [[nodiscard]] std::filesystem::path file() const { return folder() / "shown.handeye"; }

    void show_login(const std::string& font, const std::string& x, const std::string& y, const std::string& order);
    void record(DemonstrationOptions::UnknownText unknown = DemonstrationOptions::UnknownText::IsSecret);
    /// By the stop chord; what was recorded is whole.
    void end_recording();
    /// From outside, whatever became of it.
    void stop();

    /// Of what can be worked, or hides what is typed, with this label; empty: there is none.
    Rect box_of(const std::string& label);
    /// As a person does: the next thing only once the screen has answered.
    void click_and_see(const std::string& label);
    void type(const std::string& text);

    [[nodiscard]] bool is_in_a_file(const std::string& text) const;
    std::vector<nlohmann::json> actions();
    std::vector<nlohmann::json> events_of(const std::string& type);

    CompiledTask compiled();
    /// `password`: for password_1.
    TaskReport do_again(const CompiledTask& task, const std::string& password = "not asked for");

    /// Another one for the same display: a person's.
    XTestHand& person();
    /// Chromium with one page in a window of its own, which tells of it by AT-SPI, and a new profile.
    void start_chromium(const std::string& address);

    std::unique_ptr<Platform> hand_;
    std::unique_ptr<Platform> eyes_;
    std::unique_ptr<Recorder> recorder_;
    DemonstrationOptions options_;
    Result<DemonstrationReport> report_ = DemonstrationReport();
    std::atomic<bool> is_ready_ = false;
    std::atomic<int> steps_ = 0;
    std::stop_source stop_;
    std::thread recording_;

private:
    std::unique_ptr<XTestHand> person_;
    int replays_ = 0;
    int pages_ = 0;
};

} // namespace handeye::x11
