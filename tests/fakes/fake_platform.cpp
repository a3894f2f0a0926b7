// SPDX-License-Identifier: Apache-2.0
// The scripted screen: rules are tried in the order they were added, the first match wins.
#include "tests/fakes/fake_platform.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::fakes {

namespace {

std::string button_name(MouseButton button) {
    switch (button) {
    case MouseButton::Left: return "button:left";
    case MouseButton::Middle: return "button:middle";
    case MouseButton::Right: return "button:right";
    }
    return "button:?";
}

std::size_t count_characters(std::string_view text_utf8) {
    return static_cast<std::size_t>(std::count_if(text_utf8.begin(), text_utf8.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

} // namespace

Image solid_frame(Size size, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    std::vector<std::uint8_t> pixels;
    pixels.reserve(static_cast<std::size_t>(size.area()) * 3);
    for (std::int64_t i = 0; i < size.area(); ++i) {
        pixels.insert(pixels.end(), {red, green, blue});
    }
    return Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels)).value_or(Image());
}

FakePlatform::FakePlatform(Clock& clock, std::vector<Scene> scenes)
    : clock_(clock), scenes_(std::move(scenes)) {
    CHECK(!scenes_.empty());
    for (const Scene& scene : scenes_) {
        CHECK(scene.frame.size() == size());
    }
}

void FakePlatform::on_click(std::size_t from, Rect area, std::size_t to) {
    CHECK(to < scenes_.size());
    const auto matches = [this, area](const InputEvent& event) {
        const auto* button = std::get_if<PointerButton>(&event);
        return button != nullptr && button->button == MouseButton::Left &&
               button->edge == Edge::Release && area.contains(pointer_);
    };
    rules_.push_back({from, matches, {}, to});
}

void FakePlatform::on_key(std::size_t from, std::string keysym, std::size_t to) {
    CHECK(to < scenes_.size());
    const auto matches = [name = std::move(keysym)](const InputEvent& event) {
        const auto* key = std::get_if<Key>(&event);
        return key != nullptr && key->keysym == name && key->edge == Edge::Press;
    };
    rules_.push_back({from, matches, {}, to});
}

void FakePlatform::on_text(std::size_t from, std::string text_utf8, std::size_t to) {
    CHECK(to < scenes_.size());
    rules_.push_back({from, nullptr, std::move(text_utf8), to});
}

void FakePlatform::fail_next(Call call, Error error) {
    failures_.emplace_back(call, std::move(error));
}

void FakePlatform::show(std::size_t scene) {
    CHECK(scene < scenes_.size());
    has_changed_ = has_changed_ || scene != scene_;
    scene_ = scene;
    pending_scene_.reset();
}

std::set<std::string> FakePlatform::held() const {
    const std::lock_guard lock(held_mutex_);
    return held_;
}

std::size_t FakePlatform::releases() const {
    const std::lock_guard lock(held_mutex_);
    return releases_;
}

std::optional<Error> FakePlatform::take_failure(Call call) {
    const auto found = std::find_if(failures_.begin(), failures_.end(),
                                    [&](const auto& failure) { return failure.first == call; });
    if (found == failures_.end()) {
        return std::nullopt;
    }
    Error error = std::move(found->second);
    failures_.erase(found);
    return error;
}

void FakePlatform::go_to(std::size_t scene) {
    if (paint_delay_ == Duration::zero()) {
        show(scene);
        return;
    }
    pending_scene_ = scene;
    pending_at_ = clock_.now() + paint_delay_;
}

void FakePlatform::paint_if_due() {
    if (pending_scene_ && clock_.now() >= pending_at_) {
        show(*pending_scene_);
    }
}

void FakePlatform::apply_rules(const InputEvent& event) {
    for (const Rule& rule : rules_) {
        if (rule.from == scene_ && rule.matches && rule.matches(event)) {
            go_to(rule.to);
            return;
        }
    }
}

Result<DisplayInfo> FakePlatform::display() {
    if (auto error = take_failure(Call::Display)) {
        return *error;
    }
    const Rect all{0, 0, size().width_px, size().height_px};
    DisplayInfo info;
    info.platform = "fake";
    info.backend = "script";
    info.size = size();
    info.monitors = {Monitor{"fake-0", all, true}};
    return info;
}

Result<Screenshot> FakePlatform::capture() {
    if (auto error = take_failure(Call::Capture)) {
        return *error;
    }
    paint_if_due();
    has_changed_ = false;
    return Screenshot{scenes_[scene_].frame, ++captures_, clock_.now()};
}

Result<std::vector<Element>> FakePlatform::elements() {
    if (auto error = take_failure(Call::Elements)) {
        return *error;
    }
    return scenes_[scene_].elements;
}

Result<std::vector<WindowInfo>> FakePlatform::windows() {
    if (auto error = take_failure(Call::Windows)) {
        return *error;
    }
    return scenes_[scene_].windows;
}

Result<std::optional<Point>> FakePlatform::pointer() {
    if (auto error = take_failure(Call::Pointer)) {
        return *error;
    }
    return std::optional<Point>(pointer_);
}

Result<void> FakePlatform::inject(const InputEvent& event) {
    if (before_inject_) {
        before_inject_(events_.size());
    }
    if (auto error = take_failure(Call::Inject)) {
        return *error;
    }
    paint_if_due();
    if (const auto* move = std::get_if<PointerMove>(&event)) {
        if (!Rect{0, 0, size().width_px, size().height_px}.contains(move->to)) {
            return Error{ErrorCode::OutOfBounds,
                         fmt::format("({}, {}) lies outside the {}x{} frame", move->to.x,
                                     move->to.y, size().width_px, size().height_px)};
        }
        pointer_ = move->to;
    }
    const auto hold = [this](const std::string& name, Edge edge) {
        const std::lock_guard lock(held_mutex_);
        edge == Edge::Press ? static_cast<void>(held_.insert(name))
                            : static_cast<void>(held_.erase(name));
    };
    if (const auto* button = std::get_if<PointerButton>(&event)) {
        hold(button_name(button->button), button->edge);
    }
    if (const auto* key = std::get_if<Key>(&event)) {
        if (key->keysym.empty()) {
            return Error{ErrorCode::InvalidArgument, "unknown key \"\""};
        }
        hold(key->keysym, key->edge);
    }
    events_.push_back(event);
    apply_rules(event);
    return {};
}

Result<TextResult> FakePlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    if (auto error = take_failure(Call::TypeText)) {
        return *error;
    }
    if (stop.stop_requested()) {
        return TextResult{Certainty::Partial, "fake", 0, "stopped before the first character"};
    }
    paint_if_due();
    texts_.emplace_back(text_utf8);
    for (const Rule& rule : rules_) {
        if (rule.from == scene_ && !rule.matches && rule.text == text_utf8) {
            go_to(rule.to);
            break;
        }
    }
    return text_result_.value_or(
        TextResult{Certainty::Confirmed, "fake", count_characters(text_utf8), ""});
}

Result<void> FakePlatform::perform(const Command& command) {
    if (auto error = take_failure(Call::Perform)) {
        return *error;
    }
    commands_.push_back(command);
    return {};
}

Result<Settled> FakePlatform::settle(const SettleOptions& options, std::stop_token stop) {
    if (auto error = take_failure(Call::Settle)) {
        return *error;
    }
    const TimePoint start = clock_.now();
    const TimePoint deadline = start + options.deadline;
    const TimePoint last_change = pending_scene_ ? pending_at_ : start;
    const TimePoint quiet_at = last_change + options.quiet;
    const bool is_quiet = !never_quiet_ && quiet_at <= deadline;
    const WaitResult waited = clock_.sleep_until(is_quiet ? quiet_at : deadline, stop);
    paint_if_due();
    const bool changed = std::exchange(has_changed_, false) || never_quiet_;
    if (waited == WaitResult::Stopped) {
        return Error{ErrorCode::Cancelled, "settling was stopped"};
    }
    return Settled{is_quiet, changed, clock_.now() - start};
}

Result<void> FakePlatform::watch_person(PersonWatch watch) {
    if (auto error = take_failure(Call::WatchPerson)) {
        return *error;
    }
    return Platform::watch_person(std::move(watch));
}

Result<void> FakePlatform::release_all() {
    const std::lock_guard lock(held_mutex_);
    ++releases_;
    held_.clear();
    if (auto error = take_failure(Call::ReleaseAll)) {
        return *error;
    }
    return {};
}

} // namespace handeye::fakes
