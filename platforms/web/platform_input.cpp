// SPDX-License-Identifier: Apache-2.0
// The events and commands of the platform "web".
#include "platforms/web/platform.h"

#include "base/json_fields.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr int kNotchesMax = 1000;
constexpr double kNotchCss = 100; // Chromium's own on Linux, at its default wheel settings
constexpr Duration kNavigationPatience = std::chrono::seconds(60);
constexpr Duration kCallPatience = std::chrono::seconds(10);

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
    return out;
}

/// What was sent took the tab with it: that is what was asked for.
Result<void> unless_closed(Result<void> sent, Browser& browser, const std::string& session) {
    if (sent || sent.error().code != ErrorCode::Unavailable || browser.cdp().is_lost()) {
        return sent;
    }
    const auto tabs = browser.tabs();
    const bool is_gone = std::none_of(tabs.begin(), tabs.end(), [&](const Tab& tab) { return tab.session == session; });
    return is_gone ? Result<void>() : sent;
}

} // namespace

/// The middle of the pixel, whatever part of a CSS pixel that is.
Result<CssPoint> WebPlatform::to_css(Point in_target) {
    if (frame_.is_empty()) {
        TRY(capture());
    }
    if (!Rect{0, 0, frame_.width_px, frame_.height_px}.contains(in_target)) {
        return Error{ErrorCode::OutOfBounds, fmt::format("({}, {}) lies outside the {}x{} target", in_target.x, in_target.y, frame_.width_px, frame_.height_px)};
    }
    return CssPoint{(in_target.x + 0.5) / scale_, (in_target.y + 0.5) / scale_};
}

Result<void> WebPlatform::inject(const InputEvent& event) {
    return std::visit([this](const auto& e) { return send(e); }, event);
}

Result<void> WebPlatform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    const Hand::Obeying obeying(*hand_, stop);
    return inject(event);
}

Result<void> WebPlatform::send(const PointerMove& move) {
    const CssPoint to = TRY(to_css(move.to));
    const Stage at = TRY(stage());
    TRY(hand_->move(at.session, to));
    may_drag_ = hand_->is_down(MouseButton::Left);
    TRY(follow_drag(at.session));
    return after_input(at);
}

/// A page that begins a drag hears of no mouse until it ends: the motions become the steps of that drag.
Result<void> WebPlatform::follow_drag(const std::string& session) {
    if (auto begun = browser_->take_drag()) {
        drag_ = std::make_shared<json>(std::move(*begun));
        TRY(hand_->drag_step(session, "dragEnter", *drag_));
    }
    if (drag_) {
        TRY(hand_->drag_step(session, "dragOver", *drag_));
    }
    return {};
}

Result<void> WebPlatform::end_drag(const std::string& session) {
    const std::shared_ptr<json> data = std::move(drag_);
    TRY(hand_->drag_step(session, "dragOver", *data));
    hand_->forget_button(MouseButton::Left);
    return hand_->drag_step(session, "drop", *data);
}

Result<void> WebPlatform::send(const PointerButton& button) {
    const Stage at = TRY(stage());
    if (button.edge == Edge::Press && button.button == MouseButton::Left) {
        may_drag_ = false;
        if (const std::shared_ptr<json> left = std::exchange(drag_, nullptr)) { // let go of by release_all(), over nothing
            TRY(hand_->drag_step(at.session, "dragCancel", *left));
        }
    }
    if (button.edge == Edge::Release && button.button == MouseButton::Left && std::exchange(may_drag_, false) && hand_->is_down(MouseButton::Left)) {
        // The notice of a drag comes apart from the answer to the motion that began it, and before the answer to whatever is asked next.
        TRY(browser_->cdp().call(at.session, "Page.getNavigationHistory", json::object(), kCallPatience));
        TRY(follow_drag(at.session));
        if (drag_) {
            return end_drag(at.session);
        }
    }
    TRY(unless_closed(hand_->button(at.session, button.button, button.edge), *browser_, at.session));
    return after_input(at);
}

Result<void> WebPlatform::send(const Wheel& wheel) {
    const int most = std::max(std::abs(wheel.down_notches), std::abs(wheel.right_notches));
    if (most > kNotchesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} wheel notches; the limit is {}", most, kNotchesMax)};
    }
    const Stage at = TRY(stage());
    for (int i = 0; i < std::abs(wheel.down_notches); ++i) {
        TRY(hand_->wheel(at.session, 0, wheel.down_notches > 0 ? kNotchCss : -kNotchCss));
    }
    for (int i = 0; i < std::abs(wheel.right_notches); ++i) {
        TRY(hand_->wheel(at.session, wheel.right_notches > 0 ? kNotchCss : -kNotchCss, 0));
    }
    return {};
}

Result<void> WebPlatform::send(const Key& key) {
    const Stage at = TRY(stage());
    if (drag_ && key.keysym == "Escape" && key.edge == Edge::Press) {
        const std::shared_ptr<json> data = std::move(drag_);
        hand_->forget_button(MouseButton::Left);
        return hand_->drag_step(at.session, "dragCancel", *data);
    }
    TRY(unless_closed(hand_->key(at.session, key.keysym, key.edge), *browser_, at.session));
    return after_input(at);
}

Result<void> WebPlatform::release_all() {
    return hand_->release_all(false);
}

Result<void> WebPlatform::perform(const Command& command) {
    return std::visit([this](const auto& c) { return run(c); }, command);
}

Result<void> WebPlatform::run(const LaunchApp& /*launch_app*/) {
    return Error{ErrorCode::Unsupported, "a browser launches no programs; open an address instead"};
}

Result<void> WebPlatform::run(const FocusWindow& focus) {
    const std::string wanted = lower(focus.title);
    std::string titles;
    for (const WindowInfo& window : TRY(windows())) {
        if (window.window_class != "tab") {
            continue;
        }
        if (lower(window.title_utf8).find(wanted) != std::string::npos) {
            return browser_->bring_to_front(window.id);
        }
        titles += fmt::format("{}\"{}\"", titles.empty() ? "" : ", ", window.title_utf8.substr(0, 60));
    }
    return Error{ErrorCode::NotFound, fmt::format("no tab whose title contains \"{}\"; there are: {}", focus.title.substr(0, 100), titles.substr(0, 500))};
}

Result<void> WebPlatform::run(const NavigateBack& /*back*/) {
    const Tab tab = TRY(browser_->front());
    const json history = TRY(browser_->cdp().call(tab.session, "Page.getNavigationHistory", json::object(), kCallPatience));
    const int at = json_int(history, "currentIndex");
    const json& entries = json_list(history, "entries");
    if (at < 1 || static_cast<std::size_t>(at) > entries.size()) {
        return Error{ErrorCode::Unavailable, "there is no page to go back to: this is the first one of the tab"};
    }
    const json& entry = entries[static_cast<std::size_t>(at) - 1];
    const std::string url = json_text(entry, "url");
    if (const std::string why = why_refused(browser_->rules(), url); !why.empty()) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{} is not loaded: {}", url.substr(0, 200), why)};
    }
    TRY(browser_->cdp().call(tab.session, "Page.navigateToHistoryEntry", {{"entryId", json_int(entry, "id")}}, kNavigationPatience));
    return {};
}

Result<void> WebPlatform::run(const NavigateHome& /*home*/) {
    const std::string& url = browser_->options().url;
    if (url.empty()) {
        return Error{ErrorCode::Unsupported, "this browser has no home page: the session was opened without --url; open an address instead"};
    }
    return navigate(url, {});
}

Result<void> WebPlatform::run(const OpenUrl& open_url) { return navigate(open_url.url, {}); }

Result<void> WebPlatform::navigate(const std::string& url, const std::stop_token& stop) {
    if (const std::string why = why_refused(browser_->rules(), url); !why.empty()) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{} is not loaded: {}", url.substr(0, 200), why)};
    }
    auto tab = browser_->front();
    if (!tab && !browser_->cdp().is_lost()) { // the last one was closed or crashed
        tab = browser_->open_tab("about:blank");
    }
    const std::string session = TRY(Result<Tab>(tab)).session;
    browser_->take_refusal();
    const json reply = TRY(browser_->cdp().call(session, "Page.navigate", {{"url", url}}, kNavigationPatience, stop));
    const std::string problem = json_text(reply, "errorText");
    if (const std::string refusal = browser_->take_refusal(); !refusal.empty()) {
        return Error{ErrorCode::PermissionDenied, refusal};
    }
    if (!problem.empty() && problem != "net::ERR_ABORTED") { // aborted: it became a download, or the page answered 204
        return Error{ErrorCode::Unavailable, fmt::format("{} cannot be opened: {}", url.substr(0, 200), problem)};
    }
    return {};
}

} // namespace handeye::web
