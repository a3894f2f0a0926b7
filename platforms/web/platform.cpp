// SPDX-License-Identifier: Apache-2.0
// Looking: pictures, what the page's own world tells, tabs, and when it is at rest.
#include "platforms/web/platform.h"

#include "base/image_codec.h"
#include "base/json_fields.h"
#include "platforms/open_registry.h"
#include "platforms/web/base64.h"
#include "platforms/web/page_script.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr Duration kPicturePatience = std::chrono::seconds(20);
constexpr Duration kPictureRetry = std::chrono::milliseconds(20);
constexpr Duration kPageMoves = std::chrono::seconds(10); // between two documents there is nothing to take a picture of
constexpr Duration kScriptPatience = std::chrono::seconds(10);
constexpr std::size_t kWorldsMax = 4096;
constexpr int kFrameDepthMax = 32;
constexpr std::size_t kTitleMax = 1024;
constexpr std::size_t kUrlMax = 8192;

} // namespace

Result<std::unique_ptr<Platform>> open_web(const PlatformOptions& options, Clock& clock) { return WebPlatform::open(options, clock); }

PlatformSupport describe_web() {
    const auto program = find_browser({});
    if (!program) {
        return {"web", false, program.error().message};
    }
    const auto version = browser_version(*program);
    if (!version) {
        return {"web", false, version.error().message};
    }
    return {"web", true, fmt::format("{} ({})", *version, program->string())};
}

Result<std::unique_ptr<Platform>> WebPlatform::open(const PlatformOptions& options, Clock& clock) {
    std::unique_ptr<WebPlatform> platform(new WebPlatform(clock));
    platform->browser_ = TRY(Browser::open(options, clock, {}));
    platform->hand_ = std::make_unique<Hand>(platform->browser_->cdp(), clock);
    platform->panel_ = std::make_unique<Panel>(*platform->browser_, clock);
    if (!options.web.url.empty()) {
        TRY(platform->navigate(options.web.url, {}).with_context("the first page"));
    }
    auto* raw = platform.get();
    register_open_platform(raw, [raw](bool refuse_more) { static_cast<void>(raw->hand_->release_all(refuse_more)); });
    return std::unique_ptr<Platform>(std::move(platform));
}

WebPlatform::~WebPlatform() { unregister_open_platform(this); }

Result<WebPlatform::Stage> WebPlatform::stage() {
    Stage stage{TRY(browser_->front()), {}, false};
    stage.session = stage.tab.session;
    if (stage.tab.question) {
        stage.session = TRY(panel_->show(stage.tab, picture_, scale_).with_context("showing what the page asks"));
        stage.is_panel = true;
    }
    return stage;
}

Result<void> WebPlatform::after_input(const Stage& stage) {
    if (!stage.is_panel) {
        return {};
    }
    browser_->note_paint(); // the panel tells no damage
    TRY(panel_->answer(stage.tab));
    return {};
}

Result<std::string> WebPlatform::clipboard() {
    TRY(stage());
    return panel_->clipboard();
}

Result<DisplayInfo> WebPlatform::display() {
    if (frame_.is_empty()) {
        TRY(capture());
    }
    TRY(stage());
    DisplayInfo info;
    info.platform = "web";
    info.backend = "cdp";
    info.size = frame_;
    info.address = browser_->address();
    info.monitors = {{browser_->product(), Rect{0, 0, frame_.width_px, frame_.height_px}, true}};
    return info;
}

/// Lossless, and fast before small: the default takes the browser twice as long.
Result<Image> WebPlatform::picture_of(const std::string& session, const std::stop_token& stop) {
    const TimePoint deadline = clock_.now() + kPageMoves;
    while (true) {
        auto reply = browser_->cdp().call(session, "Page.captureScreenshot", {{"format", "png"}, {"optimizeForSpeed", true}}, kPicturePatience, stop);
        if (!reply && reply.error().code == ErrorCode::InvalidArgument && clock_.now() < deadline) { // a new document has not come yet
            if (clock_.sleep_for(kPictureRetry, stop) == WaitResult::Stopped) {
                return Error{ErrorCode::Cancelled, "stopped while the page changed"};
            }
            continue;
        }
        if (!reply) {
            return std::move(reply).error().with_context("the page's picture");
        }
        const auto data = reply->find("data");
        if (data == reply->end() || !data->is_string()) {
            return Error{ErrorCode::ParseFailed, "the browser's picture holds no data"};
        }
        const auto encoded = TRY(from_base64(data->get_ref<const std::string&>()).with_context("the browser's picture"));
        return decode_image(encoded).with_context("the browser's picture");
    }
}

Result<Screenshot> WebPlatform::capture() {
    const Stage seen = TRY(stage());
    const TimePoint now = clock_.now();
    const std::uint64_t paints = browser_->paints().count;
    std::optional<double> ratio;
    if (!browser_->is_headless() && !seen.is_panel) { // the screen's, which may be another one now
        const json told = TRY(evaluate(seen.session, {}, "devicePixelRatio"));
        ratio = told.is_number() ? told.get<double>() : 1.0;
    }
    browser_->note_capture(Browser::Capturing::Begins);
    Result<Image> taken = picture_of(seen.session, {});
    if (!taken && !seen.is_panel && TRY(stage()).is_panel) { // the page asked meanwhile, and stands still
        return capture();
    }
    Image image = TRY(std::move(taken));
    browser_->note_capture(Browser::Capturing::Ends);
    if (!seen.is_panel) {
        scale_ = ratio.value_or(browser_->is_headless() ? browser_->scale() : scale_);
        picture_ = image;
    }
    frame_ = image.size();
    paints_seen_ = paints;
    return Screenshot{std::move(image), ++captures_, now};
}

Result<int> WebPlatform::world_of(const std::string& session, const std::string& frame) {
    const std::string key = session + " " + frame;
    if (const auto known = worlds_.find(key); known != worlds_.end()) {
        return known->second;
    }
    if (worlds_.size() >= kWorldsMax) {
        worlds_.clear();
    }
    const json made = TRY(browser_->cdp().call(session, "Page.createIsolatedWorld", {{"frameId", frame}, {"worldName", kWorldName}}, kScriptPatience));
    const int world = json_int(made, "executionContextId");
    worlds_[key] = world;
    return world;
}

Result<json> WebPlatform::evaluate(const std::string& session, const std::string& frame, const std::string& expression) {
    const std::string in = frame.empty() ? TRY(browser_->main_frame_of(session)) : frame;
    for (int attempt = 0;; ++attempt) {
        const auto world = world_of(session, in);
        auto reply = world ? browser_->cdp().call(session, "Runtime.evaluate", {{"expression", expression}, {"contextId", *world}, {"returnByValue", true}}, kScriptPatience)
                           : Result<json>(world.error());
        if (!reply && reply.error().code == ErrorCode::InvalidArgument && attempt < 3) { // the document it knew is gone
            worlds_.erase(session + " " + in);
            continue;
        }
        const json answer = TRY(std::move(reply));
        if (answer.contains("exceptionDetails")) {
            const json& details = answer["exceptionDetails"];
            return Error{ErrorCode::Unavailable, fmt::format("the page did not let itself be read: {}", json_text(json_object(details, "exception"), "description", "no reason").substr(0, 200))};
        }
        return json_member(json_object(answer, "result"), "value");
    }
}

namespace {

void add_frames(const json& tree, const std::string& session, std::size_t count_max, int depth, std::vector<WebPlatform::FrameRef>& out) {
    if (out.size() >= count_max || depth > kFrameDepthMax || !tree.is_object()) {
        return;
    }
    const json& frame = json_object(tree, "frame");
    out.push_back({session, json_text(frame, "id"), json_text(frame, "parentId")});
    for (const json& child : json_list(tree, "childFrames")) {
        add_frames(child, session, count_max, depth + 1, out);
    }
}

} // namespace

Result<std::vector<WebPlatform::FrameRef>> WebPlatform::frames_of(const Tab& tab, std::size_t count_max) {
    std::vector<FrameRef> frames;
    for (const std::string& session : browser_->sessions_of(tab)) {
        const auto tree = browser_->cdp().call(session, "Page.getFrameTree", json::object(), kScriptPatience);
        if (!tree && session == tab.session) {
            return tree.error();
        }
        if (tree) { // a frame of another process may be gone by now, and a worker has no frames
            add_frames(json_object(*tree, "frameTree"), session, count_max, 0, frames);
        }
    }
    return frames;
}

Result<std::vector<WindowInfo>> WebPlatform::windows() {
    const auto in_front = browser_->front();
    if (!in_front && browser_->cdp().is_lost()) {
        return in_front.error();
    }
    // Asked, because not every change of a title is told.
    const json told = TRY(browser_->cdp().call({}, "Target.getTargets", json::object(), kScriptPatience));
    const json& targets = json_list(told, "targetInfos");
    std::vector<WindowInfo> windows;
    for (const Tab& tab : browser_->tabs()) {
        const auto now = std::find_if(targets.begin(), targets.end(), [&](const json& info) { return json_text(info, "targetId") == tab.target; });
        WindowInfo window;
        window.id = tab.number;
        window.title_utf8 = now != targets.end() ? json_text(*now, "title").substr(0, kTitleMax) : tab.title;
        window.window_class = "tab";
        window.pid = browser_->pid();
        window.app = "chromium";
        window.url = now != targets.end() ? json_text(*now, "url").substr(0, kUrlMax) : tab.url;
        window.is_focused = in_front && in_front->number == tab.number;
        if (window.is_focused) { // the others are not to be seen, so that no point is in them
            window.area = Rect{0, 0, frame_.width_px, frame_.height_px};
        }
        windows.push_back(std::move(window));
    }
    for (const Download& download : browser_->downloads()) { // told as windows, which is where whoever asks for news looks
        WindowInfo window;
        window.title_utf8 = fmt::format("download {}: {} ({:.0f} bytes) in {}", download.state, download.name, download.bytes, browser_->options().downloads.string());
        window.window_class = "download";
        windows.push_back(std::move(window));
    }
    std::stable_sort(windows.begin(), windows.end(), [](const WindowInfo& a, const WindowInfo& b) { return a.is_focused < b.is_focused; });
    return windows;
}

Result<std::optional<Point>> WebPlatform::pointer() {
    const auto at = hand_->pointer();
    if (!at) {
        return std::optional<Point>();
    }
    return std::optional<Point>(Point{static_cast<int>(std::floor(at->x * scale_)), static_cast<int>(std::floor(at->y * scale_))});
}

Result<Settled> WebPlatform::settle(const SettleOptions& options, std::stop_token stop) {
    const TimePoint start = clock_.now();
    const TimePoint deadline = start + options.deadline;
    Settled settled;
    while (true) {
        TRY(browser_->front());
        const Paints paints = browser_->paints();
        settled.has_changed = paints.count != paints_seen_;
        const TimePoint now = clock_.now();
        const TimePoint quiet_at = std::max(start, paints.newest) + options.quiet;
        settled.waited = now - start;
        settled.is_quiet = now >= quiet_at && !paints.is_loading;
        if (settled.is_quiet || now >= deadline) {
            paints_seen_ = paints.count;
            return settled;
        }
        if (stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped while the page came to rest"};
        }
        browser_->wait_for_change(std::min(deadline, paints.is_loading ? deadline : quiet_at), stop);
    }
}

} // namespace handeye::web
