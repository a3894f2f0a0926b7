// SPDX-License-Identifier: Apache-2.0
#include "server/shared_platform.h"

#include "agent/frame_encoder.h"
#include "server/guarded.h"

namespace handeye {

Result<Screenshot> SharedPlatform::peek() {
    const std::lock_guard lock(mutex_);
    Result<Screenshot> shot = guarded([&] { return platform_->capture(); });
    if (shot && seen_hash_ != 0 && shot->image.content_hash() != seen_hash_) {
        has_changed_ = true;
    }
    return shot ? covered(*std::move(shot)) : shot;
}

Result<Screenshot> SharedPlatform::capture() {
    const std::lock_guard lock(mutex_);
    return capture_as_agent();
}

Result<Screenshot> SharedPlatform::capture_for_watchers() {
    const std::lock_guard lock(mutex_);
    return covered(TRY(capture_as_agent()));
}

Result<Screenshot> SharedPlatform::capture_as_agent() {
    Result<Screenshot> shot = guarded([&] { return platform_->capture(); });
    has_changed_ = false;
    seen_hash_ = shot ? shot->image.content_hash() : 0;
    return shot;
}

/// In a picture that has not changed the fields are where they were: a still screen is not asked again and again.
Result<Screenshot> SharedPlatform::covered(Screenshot shot) {
    const std::uint64_t hash = shot.image.content_hash();
    if (covered_hash_ == 0 || hash != covered_hash_) {
        const std::vector<Element> elements = TRY(guarded([&] { return platform_->elements(); })); // a picture of which that is not known is not shown
        passwords_.clear();
        for (const Element& element : elements) {
            if (element.is_secret) {
                passwords_.push_back(element.box);
            }
        }
        covered_hash_ = hash;
    }
    if (!passwords_.empty()) {
        shot.image = masked(shot.image, passwords_);
    }
    return shot;
}

Result<Settled> SharedPlatform::settle(const SettleOptions& options, std::stop_token stop) {
    const std::lock_guard lock(mutex_);
    Result<Settled> settled = guarded([&] { return platform_->settle(options, std::move(stop)); });
    if (settled) {
        settled->has_changed = settled->has_changed || has_changed_;
        has_changed_ = false;
        seen_hash_ = 0; // what it saw is the new reference, and has no picture
    }
    return settled;
}

Result<DisplayInfo> SharedPlatform::display() {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->display(); });
}

Result<std::vector<Element>> SharedPlatform::elements() {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->elements(); });
}

Result<std::vector<WindowInfo>> SharedPlatform::windows() {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->windows(); });
}

Result<WindowInfo> SharedPlatform::window_at(Point in_target) {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->window_at(in_target); });
}

Result<WindowInfo> SharedPlatform::focused_window() {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->focused_window(); });
}

Result<std::optional<Point>> SharedPlatform::pointer() {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->pointer(); });
}

Result<void> SharedPlatform::inject(const InputEvent& event) {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->inject(event); });
}

Result<void> SharedPlatform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->inject_unless_stopped(event, stop); });
}

/// What is frozen thaws in a call like any other.
Result<std::shared_ptr<void>> SharedPlatform::freeze() {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<void> frozen = TRY(guarded([&] { return platform_->freeze(); }));
    const auto thaw = [this, frozen](void*) mutable {
        const std::lock_guard thaw_lock(mutex_);
        frozen.reset();
    };
    return std::shared_ptr<void>(frozen.get(), thaw);
}

Result<TextResult> SharedPlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->type_text(text_utf8, std::move(stop)); });
}

Result<void> SharedPlatform::perform(const Command& command) {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->perform(command); });
}

Result<std::vector<std::string>> SharedPlatform::app_names() {
    const std::lock_guard lock(mutex_);
    return platform_->app_names();
}

std::string SharedPlatform::launch_failure() {
    const std::lock_guard lock(mutex_);
    return platform_->launch_failure();
}

Result<void> SharedPlatform::watch_person(PersonWatch watch) {
    const std::lock_guard lock(mutex_);
    return guarded([&] { return platform_->watch_person(std::move(watch)); });
}

Result<void> SharedPlatform::release_all() { return guarded([&] { return platform_->release_all(); }); }

} // namespace handeye
