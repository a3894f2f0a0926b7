// SPDX-License-Identifier: Apache-2.0
// A scripted screen: shows scenes, moves between them when an event matches a rule, records all it was sent.
// Time comes from the Clock given to it, so a session runs in simulated time.
#pragma once

#include "platforms/platform.h"

#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace handeye::fakes {

/// One picture that the fake shows, with what else a platform may know about it.
struct Scene {
    Image frame;
    std::vector<Element> elements = {};
    std::vector<WindowInfo> windows = {};
};

/// A filled picture of one colour: the quickest frame for a test.
Image solid_frame(Size size, std::uint8_t red, std::uint8_t green, std::uint8_t blue);

/// The calls that fail_next() can make fail.
enum class Call { Display, Capture, Elements, Windows, Pointer, Inject, TypeText, Perform, Settle, ReleaseAll, WatchPerson };

class FakePlatform : public Platform {
public:
    /// At least one scene; all frames must have one size. `clock` outlives the fake.
    FakePlatform(Clock& clock, std::vector<Scene> scenes);

    // The script.
    /// In scene `from`, a left button release inside `area` shows scene `to`.
    void on_click(std::size_t from, Rect area, std::size_t to);
    /// In scene `from`, pressing the key shows scene `to`.
    void on_key(std::size_t from, std::string keysym, std::size_t to);
    /// In scene `from`, typing exactly this text shows scene `to`.
    void on_text(std::size_t from, std::string text_utf8, std::size_t to);
    /// A new scene becomes visible this long after the event that asked for it; settle() waits for it.
    void set_paint_delay(Duration delay) { paint_delay_ = delay; }
    /// While set, settle() always reaches its deadline, like a spinner.
    void set_never_quiet(bool never) { never_quiet_ = never; }
    /// What type_text() answers from now on; nullopt: Confirmed with all characters.
    void set_text_result(std::optional<TextResult> result) { text_result_ = std::move(result); }
    /// The next call of this kind fails with `error`; calls queue up.
    void fail_next(Call call, Error error);
    /// Runs at the start of every inject(), with the number of events so far: a place to request a stop.
    void set_before_inject(std::function<void(std::size_t)> hook) { before_inject_ = std::move(hook); }
    void show(std::size_t scene);
    void set_app_names(Result<std::vector<std::string>> names) { app_names_ = std::move(names); }

    // What was recorded.
    [[nodiscard]] std::size_t scene() const { return scene_; }
    [[nodiscard]] const std::vector<InputEvent>& events() const { return events_; }
    [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }
    [[nodiscard]] const std::vector<Command>& commands() const { return commands_; }
    [[nodiscard]] std::size_t captures() const { return captures_; }
    [[nodiscard]] std::size_t app_name_calls() const { return app_name_calls_; }
    /// Keysym names and "button:left" and the like that are down now. Any thread.
    [[nodiscard]] std::set<std::string> held() const;
    [[nodiscard]] std::size_t releases() const;

    Result<DisplayInfo> display() override;
    Result<Screenshot> capture() override;
    Result<std::vector<Element>> elements() override;
    Result<std::vector<WindowInfo>> windows() override;
    Result<std::optional<Point>> pointer() override;
    Result<void> inject(const InputEvent& event) override;
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<std::vector<std::string>> app_names() override { return ++app_name_calls_, app_names_; }
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> release_all() override;
    Result<void> watch_person(PersonWatch watch) override;

private:
    struct Rule {
        std::size_t from;
        std::function<bool(const InputEvent&)> matches;
        std::string text;
        std::size_t to;
    };
    std::optional<Error> take_failure(Call call);
    void apply_rules(const InputEvent& event);
    void go_to(std::size_t scene);
    void paint_if_due();
    [[nodiscard]] Size size() const { return scenes_.front().frame.size(); }

    Clock& clock_;
    std::vector<Scene> scenes_;
    std::vector<Rule> rules_;
    std::size_t scene_ = 0;
    std::optional<std::size_t> pending_scene_;
    TimePoint pending_at_{};
    bool has_changed_ = false;
    Duration paint_delay_{};
    bool never_quiet_ = false;
    std::optional<TextResult> text_result_;
    std::deque<std::pair<Call, Error>> failures_;
    std::function<void(std::size_t)> before_inject_;
    Point pointer_;
    std::vector<InputEvent> events_;
    std::vector<std::string> texts_;
    std::vector<Command> commands_;
    std::size_t captures_ = 0;
    Result<std::vector<std::string>> app_names_ = std::vector<std::string>{};
    std::size_t app_name_calls_ = 0;

    mutable std::mutex held_mutex_; // release_all() comes from any thread
    std::set<std::string> held_;
    std::size_t releases_ = 0;
};

} // namespace handeye::fakes
