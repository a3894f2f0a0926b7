// SPDX-License-Identifier: Apache-2.0
// A platform that knows secrets: the one place where `{{secret:name}}` becomes a value, and where what that leaves on the screen
// is covered. Whoever uses it, the agent or a person, a recording or a live view, sees the covered picture.
#pragma once

#include "agent/secrets.h"
#include "platforms/platform.h"

#include <memory>
#include <string>
#include <vector>

namespace handeye {

class SecretMasks;

class SecretPlatform final : public Platform {
public:
    SecretPlatform(std::unique_ptr<Platform> platform, std::shared_ptr<const SecretGrants> grants);
    ~SecretPlatform() override;

    /// References are put in at the last moment, for the window with the focus; errors as SecretGrants::expand(), and then nothing
    /// was typed. What comes back about a secret tells its name, never how many or which of its characters.
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    /// Covered where a secret could be read.
    Result<Screenshot> capture() override;

    Result<DisplayInfo> display() override { return platform_->display(); }
    Result<std::vector<Element>> elements() override { return platform_->elements(); }
    Result<std::vector<WindowInfo>> windows() override { return platform_->windows(); }
    Result<WindowInfo> window_at(Point in_target) override { return platform_->window_at(in_target); }
    Result<WindowInfo> focused_window() override { return platform_->focused_window(); }
    Result<std::optional<Point>> pointer() override { return platform_->pointer(); }
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<std::shared_ptr<void>> freeze() override { return platform_->freeze(); }
    Result<void> perform(const Command& command) override;
    Result<std::vector<std::string>> app_names() override { return platform_->app_names(); }
    Result<std::string> clipboard() override { return platform_->clipboard(); }
    std::string launch_failure() override { return platform_->launch_failure(); }
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> watch_person(PersonWatch watch) override { return platform_->watch_person(std::move(watch)); }
    Result<void> release_all() override { return platform_->release_all(); }

private:
    Result<TextResult> type_secret(std::string_view text_utf8, std::stop_token stop);
    Result<TextResult> type_pieces(std::string_view rest, std::uint64_t window, const std::stop_token& stop);
    Result<Point> origin();

    const std::unique_ptr<Platform> platform_;
    const std::shared_ptr<const SecretGrants> grants_;
    const std::unique_ptr<SecretMasks> masks_;
    bool has_changed_ = false; ///< seen here first; the next settle() tells of it
};

} // namespace handeye
