// SPDX-License-Identifier: Apache-2.0
// Opening a browser and asking it for tabs. What it tells by itself is taken in browser_events.cpp.
#include "platforms/web/browser.h"

#include "base/file.h"
#include "base/json_fields.h"

#include <algorithm>

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr Duration kCallPatience = std::chrono::seconds(30);
constexpr Duration kOwnFrameTime = std::chrono::seconds(2); // that it takes to be told of, on a busy machine
constexpr Size kVisibleWindow{1280, 800};
constexpr double kScaleMin = 0.25, kScaleMax = 8;
constexpr int kSidePxMax = 16384;

Result<std::vector<AddressPattern>> parse_list(const std::vector<std::string>& texts, std::string_view name) {
    std::vector<AddressPattern> patterns;
    for (const std::string& text : texts) {
        patterns.push_back(TRY(parse_address_pattern(text).with_context(name)));
    }
    return patterns;
}

Result<AddressRules> make_rules(const WebOptions& options) {
    AddressRules rules;
    rules.allow = TRY(parse_list(options.allow, "allow"));
    for (const AddressPattern& pattern : rules.allow) {
        if (pattern.only_below && pattern.port != 0) {
            return Error{ErrorCode::InvalidArgument, fmt::format("allow: \"{}\" names a port of every host below one, which a browser cannot be held to; "
                                                                 "name each host with its port, or leave the port out", pattern.text.substr(0, 120))};
        }
    }
    rules.deny = TRY(parse_list(options.deny, "deny"));
    rules.may_read_files = options.url.starts_with("file:");
    return rules;
}

/// False: the folder was there before us, and stays.
Result<bool> is_still_to_make(const std::filesystem::path& downloads) {
    std::error_code problem;
    const auto status = std::filesystem::status(downloads, problem);
    if (status.type() == std::filesystem::file_type::directory) {
        return false;
    }
    if (status.type() != std::filesystem::file_type::not_found || std::filesystem::is_symlink(downloads, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("downloads \"{}\" is there and is no folder: name one, or a path where nothing is yet", downloads.string())};
    }
    return true;
}

} // namespace

Browser::Browser(const PlatformOptions& options, Clock& clock) : clock_(clock), options_(options.web), viewport_(options.headless), scale_(options.web.scale) {
    if (scale_ == 0 && viewport_) {
        scale_ = 1;
    }
    if (options_.downloads.empty()) {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock.wall_now().time_since_epoch()).count();
        options_.downloads = state_dir() / "downloads" / fmt::format("{}-{}-{:x}", now, getpid(), reinterpret_cast<std::uintptr_t>(this) & 0xFFFFFU);
    }
}

Result<std::unique_ptr<Browser>> Browser::open(const PlatformOptions& options, Clock& clock, const std::stop_token& stop) {
    const double scale = options.web.scale;
    if (scale != 0 && (scale < kScaleMin || scale > kScaleMax)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a device scale of {} is outside {} to {}", scale, kScaleMin, kScaleMax)};
    }
    if (options.headless && std::max(options.headless->width_px, options.headless->height_px) * std::max(scale, 1.0) > kSidePxMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{}x{} at scale {} passes {} pixels a side", options.headless->width_px,
                                                             options.headless->height_px, scale, kSidePxMax)};
    }
    std::unique_ptr<Browser> browser(new Browser(options, clock));
    browser->rules_ = TRY(make_rules(options.web));
    browser->makes_downloads_ = TRY(is_still_to_make(browser->options_.downloads));
    BrowserAddress address;
    if (!options.attach.empty()) {
        address = TRY(find_running_browser(options.attach, stop));
    } else {
        LaunchOptions launch{.program = TRY(find_browser(options.web.browser)), .is_headless = options.headless.has_value(),
                             .window = options.headless.value_or(kVisibleWindow), .extra = resolver_switches(browser->rules_)};
        if (!launch.is_headless && !options.display.empty()) {
            launch.display = options.display;
        }
        browser->process_ = TRY(BrowserProcess::start(launch, clock, stop));
        address = browser->process_->address();
    }
    browser->address_ = to_string(address.endpoint);
    browser->cdp_ = TRY(Cdp::connect(address.endpoint, address.path, stop).with_context("the browser's DevTools"));
    Browser* const raw = browser.get();
    raw->cdp_->listen([raw](const CdpEvent& event) { raw->take(event); },
                      [raw] {
                          const std::lock_guard lock(raw->mutex_);
                          ++raw->changes_;
                          raw->changed_.notify_all();
                      });
    TRY(browser->start(stop));
    return browser;
}

Browser::~Browser() {
    if (cdp_) {
        cdp_->close(); // before the pointer goes: what the browser tells until then is answered through it
    }
    cdp_.reset();
    process_.reset();
    if (makes_downloads_) {
        ::rmdir(options_.downloads.c_str()); // only where nothing was downloaded into it
    }
}

Result<void> Browser::set_up_browser(const std::stop_token& stop) {
    const json version = TRY(cdp_->call({}, "Browser.getVersion", json::object(), kCallPatience, stop));
    product_ = json_text(version, "product");
    if (process_) {
        json granted = options_.grant;
        granted.push_back("clipboardSanitizedWrite"); // "copy" buttons of pages, after a click
        TRY(cdp_->call({}, "Browser.grantPermissions", {{"permissions", granted}}, kCallPatience, stop).with_context("the permissions granted"));
    }
    // The browser makes the folder when something is downloaded.
    TRY(cdp_->call({}, "Browser.setDownloadBehavior",
                   {{"behavior", "allow"}, {"downloadPath", options_.downloads.string()}, {"eventsEnabled", true}}, kCallPatience, stop));
    TRY(cdp_->call({}, "Target.setDiscoverTargets", {{"discover", true}}, kCallPatience, stop));
    TRY(cdp_->call({}, "Target.setAutoAttach", {{"autoAttach", true}, {"waitForDebuggerOnStart", true}, {"flatten", true}}, kCallPatience, stop));
    return {};
}

Result<void> Browser::start(const std::stop_token& stop) {
    TRY(set_up_browser(stop));
    const TimePoint deadline = clock_.now() + kCallPatience;
    bool has_asked = false;
    while (true) {
        {
            std::unique_lock lock(mutex_);
            const auto ready = std::find_if(tabs_.begin(), tabs_.end(), [](const Tab& tab) { return tab.is_ready; });
            if (ready != tabs_.end()) {
                if (front_session_.empty()) {
                    front_changed_to(ready->session);
                }
                return {};
            }
            has_asked = has_asked || !tabs_.empty();
        }
        if (cdp_->is_lost()) {
            return Error{ErrorCode::Unavailable, failure()};
        }
        if (!has_asked) { // a browser whose last window was closed
            has_asked = true;
            TRY(cdp_->call({}, "Target.createTarget", {{"url", "about:blank"}}, kCallPatience, stop));
        }
        if (clock_.now() > deadline) {
            return Error{ErrorCode::DeadlineExceeded, fmt::format("the browser showed no tab within {} s", std::chrono::duration_cast<std::chrono::seconds>(kCallPatience).count())};
        }
        wait_for_change(clock_.now() + std::chrono::milliseconds(200), stop);
        if (stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped while the browser opened"};
        }
    }
}

std::string Browser::failure() const {
    std::string words = process_ ? process_->failure() : std::string();
    return words.empty() && cdp_ && cdp_->is_lost() ? std::string("the browser closed the connection") : words;
}

Result<Tab> Browser::front() {
    if (cdp_->is_lost()) {
        const std::string words = failure();
        return Error{ErrorCode::Unavailable, words.empty() ? std::string("the browser is gone") : words};
    }
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(tabs_.begin(), tabs_.end(), [&](const Tab& tab) { return tab.session == front_session_; });
    if (found == tabs_.end()) {
        return Error{ErrorCode::Unavailable, "the browser has no tab left: the last one was closed; open a page to go on"};
    }
    if (found->is_crashed) {
        return Error{ErrorCode::Unavailable, fmt::format("the tab \"{}\" ({}) crashed; open a page to go on", found->title.substr(0, 80), found->url.substr(0, 200))};
    }
    return *found;
}

std::vector<Tab> Browser::tabs() const {
    const std::lock_guard lock(mutex_);
    return tabs_;
}

std::vector<Download> Browser::downloads() const {
    const std::lock_guard lock(mutex_);
    return {downloads_.begin(), downloads_.end()};
}

Result<void> Browser::bring_to_front(std::uint64_t tab_number) {
    std::string session;
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(tabs_.begin(), tabs_.end(), [&](const Tab& tab) { return tab.number == tab_number; });
        if (found == tabs_.end()) {
            return Error{ErrorCode::NotFound, "the tab was closed"};
        }
        session = found->session;
        if (front_session_ != session) {
            front_changed_to(session);
        }
    }
    return {};
}

Result<Tab> Browser::open_tab(const std::string& url) {
    const json made = TRY(cdp_->call({}, "Target.createTarget", {{"url", url}}, kCallPatience));
    const std::string target = json_text(made, "targetId");
    const TimePoint deadline = clock_.now() + kCallPatience;
    while (clock_.now() < deadline && !cdp_->is_lost()) {
        for (const Tab& tab : tabs()) {
            if (tab.target == target && tab.is_ready) {
                TRY(bring_to_front(tab.number));
                return tab;
            }
        }
        wait_for_change(clock_.now() + std::chrono::milliseconds(200), {});
    }
    return Error{ErrorCode::DeadlineExceeded, "the browser opened no new tab in time"};
}

std::vector<std::filesystem::path> Browser::upload_folders() const {
    std::vector<std::filesystem::path> folders{options_.downloads};
    if (!options_.uploads.empty()) {
        folders.push_back(options_.uploads);
    }
    return folders;
}

Result<std::string> Browser::open_own_page() {
    const json context = TRY(cdp_->call({}, "Target.createBrowserContext", {{"disposeOnDetach", true}}, kCallPatience));
    const std::string id = json_text(context, "browserContextId");
    {
        const std::lock_guard lock(mutex_);
        own_context_ = id; // before its page is told of
    }
    const json made = TRY(cdp_->call({}, "Target.createTarget", {{"url", "about:blank"}, {"browserContextId", id}, {"newWindow", true}}, kCallPatience));
    const std::string target = json_text(made, "targetId");
    const TimePoint deadline = clock_.now() + kCallPatience;
    while (clock_.now() < deadline && !cdp_->is_lost()) {
        {
            const std::lock_guard lock(mutex_);
            if (const auto found = own_sessions_.find(target); found != own_sessions_.end()) {
                return found->second;
            }
        }
        wait_for_change(clock_.now() + std::chrono::milliseconds(100), {});
    }
    return Error{ErrorCode::DeadlineExceeded, "the browser opened no page for its dialogs in time"};
}

void Browser::note_paint() {
    const std::lock_guard lock(mutex_);
    ++paints_.count;
    paints_.newest = clock_.now();
}

std::vector<std::string> Browser::sessions_of(const Tab& tab) const {
    std::vector<std::string> sessions{tab.session};
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < sessions.size(); ++i) { // grows as children of children are found
        for (const auto& [child, parent] : parents_) {
            if (parent == sessions[i]) {
                sessions.push_back(child);
            }
        }
    }
    return sessions;
}

Paints Browser::paints() const {
    const std::lock_guard lock(mutex_);
    Paints now = paints_;
    const auto found = std::find_if(tabs_.begin(), tabs_.end(), [&](const Tab& tab) { return tab.session == front_session_; });
    now.is_loading = found != tabs_.end() && found->is_loading;
    return now;
}

void Browser::note_capture(Capturing when) {
    const std::lock_guard lock(mutex_);
    has_own_frame_ = has_own_frame_ || when == Capturing::Begins;
    own_frame_until_ = clock_.now() + (when == Capturing::Begins ? kCallPatience : kOwnFrameTime);
}

std::string Browser::parent_of(const std::string& session) const {
    const std::lock_guard lock(mutex_);
    const auto found = parents_.find(session);
    return found == parents_.end() ? std::string() : found->second;
}

Result<std::string> Browser::main_frame_of(const std::string& session) const {
    const std::lock_guard lock(mutex_);
    const auto found = targets_.find(session);
    if (found == targets_.end()) {
        return Error{ErrorCode::Unavailable, "the tab was closed"};
    }
    return found->second;
}

void Browser::wait_for_change(TimePoint until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const std::uint64_t before = changes_;
    changed_.wait_until(lock, stop, until, [&] { return changes_ != before; });
}

std::string Browser::take_refusal() {
    const std::lock_guard lock(mutex_);
    return std::exchange(refusal_, {});
}

std::optional<json> Browser::take_drag() {
    const std::lock_guard lock(mutex_);
    if (!drag_) {
        return std::nullopt;
    }
    const std::shared_ptr<json> taken = std::move(drag_);
    return std::move(*taken);
}

void Browser::clear_question(const Tab& tab, std::uint64_t question_number) {
    const std::lock_guard lock(mutex_);
    Tab* const found = tab_of_session(tab.session);
    if (found != nullptr && found->question && found->question->number == question_number) {
        found->question.reset();
    }
}

} // namespace handeye::web
