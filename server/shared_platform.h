// SPDX-License-Identifier: Apache-2.0
// A session's platform for its several users: the agent's thread, a person's input, live views. Each call has the platform to
// itself. peek() is for watchers: the agent still hears of every change that a watcher saw first.
#pragma once

#include "agent/session.h" // with it Platform

#include <memory>
#include <mutex>
#include <vector>

namespace handeye {

/// Any thread.
class SharedPlatform final : public Platform {
public:
    explicit SharedPlatform(std::unique_ptr<Platform> platform) : platform_(std::move(platform)) {}

    /// The picture now, without the agent noticing: its next settle() still tells of what has changed since its own last look.
    /// Password fields that the platform knows are painted over: whoever watches is not to see how long a password is.
    Result<Screenshot> peek();
    /// capture(), painted over so.
    Result<Screenshot> capture_for_watchers();

    Result<DisplayInfo> display() override;
    Result<Screenshot> capture() override;
    Result<std::vector<Element>> elements() override;
    Result<std::vector<WindowInfo>> windows() override;
    Result<WindowInfo> window_at(Point in_target) override;
    Result<WindowInfo> focused_window() override;
    Result<std::optional<Point>> pointer() override;
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<std::shared_ptr<void>> freeze() override;
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<std::vector<std::string>> app_names() override;
    std::string launch_failure() override;
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> watch_person(PersonWatch watch) override;
    /// Does not wait for the others.
    Result<void> release_all() override;

private:
    Result<Screenshot> capture_as_agent();
    Result<Screenshot> covered(Screenshot shot);

    const std::unique_ptr<Platform> platform_;
    std::mutex mutex_; // one call at a time; guards what is below
    std::uint64_t seen_hash_ = 0;   ///< of the picture that the agent knows; 0: none
    bool has_changed_ = false;      ///< a watcher saw another one
    std::uint64_t covered_hash_ = 0; ///< of the picture in which `passwords_` are; 0: none
    std::vector<Rect> passwords_;
};

} // namespace handeye
