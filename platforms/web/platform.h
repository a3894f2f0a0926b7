// SPDX-License-Identifier: Apache-2.0
// The platform "web": a Chromium, by the DevTools protocol. The target is the viewport of the tab in front, in device pixels.
#pragma once

#include "platforms/open_platform.h"
#include "platforms/web/browser.h"
#include "platforms/web/hand.h"
#include "platforms/web/panel.h"

#include <map>
#include <memory>
#include <optional>

#include <nlohmann/json_fwd.hpp>

namespace handeye::web {

Result<std::unique_ptr<Platform>> open_web(const PlatformOptions& options, Clock& clock);
/// Whether a browser is installed, and which.
PlatformSupport describe_web();

class WebPlatform final : public Platform {
public:
    static Result<std::unique_ptr<Platform>> open(const PlatformOptions& options, Clock& clock);
    ~WebPlatform() override;

    Result<DisplayInfo> display() override;
    Result<Screenshot> capture() override;
    Result<std::vector<Element>> elements() override;
    Result<std::vector<WindowInfo>> windows() override;
    Result<std::optional<Point>> pointer() override;
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> release_all() override;
    Result<std::string> clipboard() override;
    Result<std::unique_ptr<ProbeWindow>> open_probe() override;
    std::string launch_failure() override { return browser_->failure(); }

    Browser& browser() { return *browser_; }
    /// What an expression yields in a frame of the page, in handeye's own world. `frame` empty: the session's main frame.
    Result<nlohmann::json> evaluate(const std::string& session, const std::string& frame, const std::string& expression);

    /// A frame of a page: which session speaks to it, and its number there.
    struct FrameRef {
        std::string session;
        std::string id;
        std::string parent; ///< number of the frame around it; empty: the page itself
    };
    /// The page and the frames in it, outer before inner; no more than `count_max`.
    Result<std::vector<FrameRef>> frames_of(const Tab& tab, std::size_t count_max);

private:
    struct Typist;
    WebPlatform(Clock& clock) : clock_(clock) {}
    Result<Image> picture_of(const std::string& session, const std::stop_token& stop);
    Result<CssPoint> to_css(Point in_target);
    /// What is to be seen and acted on now: the tab in front, or the panel that shows its question.
    struct Stage {
        Tab tab;
        std::string session;
        bool is_panel = false;
    };
    Result<Stage> stage();
    Result<void> after_input(const Stage& stage);
    Result<int> world_of(const std::string& session, const std::string& frame);

    Result<void> send(const PointerMove& move);
    Result<void> send(const PointerButton& button);
    Result<void> send(const Wheel& wheel);
    Result<void> send(const Key& key);
    Result<void> follow_drag(const std::string& session);
    Result<void> end_drag(const std::string& session);

    Result<void> run(const LaunchApp& launch_app);
    Result<void> run(const FocusWindow& focus);
    Result<void> run(const NavigateBack& back);
    Result<void> run(const NavigateHome& home);
    Result<void> run(const OpenUrl& open_url);
    Result<void> navigate(const std::string& url, const std::stop_token& stop);

    Clock& clock_;
    std::unique_ptr<Browser> browser_;
    std::unique_ptr<Hand> hand_;
    std::unique_ptr<Panel> panel_;
    Image picture_;         // of the last capture() of a page: what a question is shown over
    Size frame_;            // of the last capture: the frame of input
    double scale_ = 1;      // device pixels of a CSS pixel in it
    std::uint64_t captures_ = 0;
    std::uint64_t paints_seen_ = 0; // Paints::count at the last capture() or settle()
    std::map<std::string, int> worlds_; // session and frame -> number of handeye's world there
    std::shared_ptr<nlohmann::json> drag_; // what is being dragged inside the page
    bool may_drag_ = false; // the pointer moved while the left button was down: a page may have begun a drag
};

} // namespace handeye::web
