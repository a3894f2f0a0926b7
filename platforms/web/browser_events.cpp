// SPDX-License-Identifier: Apache-2.0
// What a browser tells by itself. Everything here runs on the protocol's reading thread, which must not wait: it changes state under
// the mutex and posts what has to be answered. A page must not be able to grow anything without bound.
#include "platforms/web/browser.h"

#include "platforms/web/page_script.h"

#include "base/json_fields.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr int kLookPx = 256; // enough for a ticked box to look another
constexpr std::size_t kTabsMax = 200;
constexpr std::size_t kChildrenMax = 2000;
constexpr std::size_t kDownloadsMax = 100;
constexpr std::size_t kTitleMax = 1024;
constexpr std::size_t kUrlMax = 8192;
constexpr std::size_t kMessageMax = 16384;

std::string text_of(const json& object, const char* key, std::size_t bytes_max) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get_ref<const std::string&>().substr(0, bytes_max) : std::string();
}

PageQuestion::Kind kind_of(const std::string& type) {
    if (type == "confirm") {
        return PageQuestion::Kind::Confirm;
    }
    if (type == "prompt") {
        return PageQuestion::Kind::Prompt;
    }
    return type == "beforeunload" ? PageQuestion::Kind::BeforeUnload : PageQuestion::Kind::Alert;
}

} // namespace

Tab* Browser::tab_of_session(std::string_view session) {
    std::string at(session);
    for (int depth = 0; depth < 32; ++depth) { // a frame's session lies below its page's
        const auto found = std::find_if(tabs_.begin(), tabs_.end(), [&](const Tab& tab) { return tab.session == at; });
        if (found != tabs_.end()) {
            return &*found;
        }
        const auto parent = parents_.find(at);
        if (parent == parents_.end()) {
            return nullptr;
        }
        at = parent->second;
    }
    return nullptr;
}

/// mutex_ is held.
void Browser::front_changed_to(const std::string& session) {
    front_session_ = session;
    ++paints_.count; // another page is another picture
    paints_.newest = clock_.now();
    if (session.empty()) {
        return;
    }
    cdp_->post(session, "Page.bringToFront", json::object());
    set_up_damage(session);
}

/// A small picture, told whenever something was painted: a notice of change that costs next to nothing.
void Browser::set_up_damage(const std::string& session) {
    cdp_->post(session, "Page.startScreencast", {{"format", "jpeg"}, {"quality", 20}, {"maxWidth", kLookPx}, {"maxHeight", kLookPx}});
}

void Browser::set_up_session(const std::string& session, const std::string& type) {
    if (rules_.has_lists()) {
        cdp_->post(session, "Fetch.enable", {{"patterns", json::array({{{"urlPattern", "*"}, {"requestStage", "Request"}}})}});
    }
    if (type == "page" || type == "iframe") {
        cdp_->post(session, "Page.enable", json::object());
        cdp_->post(session, "Page.addScriptToEvaluateOnNewDocument",
                   {{"source", page_script()}, {"worldName", kWorldName}, {"runImmediately", true}});
    }
    cdp_->post(session, "Target.setAutoAttach", {{"autoAttach", true}, {"waitForDebuggerOnStart", true}, {"flatten", true}});
}

void Browser::set_up_tab(const std::string& session) {
    set_up_session(session, "page");
    // Not Emulation.setFocusEmulationEnabled: with it Chromium 156 loses the renderer of every second first navigation.
    cdp_->post(session, "Page.setInterceptFileChooserDialog", {{"enabled", true}});
    cdp_->post(session, "Input.setInterceptDrags", {{"enabled", true}});
    if (viewport_) {
        cdp_->post(session, "Emulation.setDeviceMetricsOverride",
                   {{"width", viewport_->width_px}, {"height", viewport_->height_px}, {"deviceScaleFactor", scale_}, {"mobile", false}});
    } else if (scale_ != 0) { // the window decides the size
        cdp_->post(session, "Emulation.setDeviceMetricsOverride", {{"width", 0}, {"height", 0}, {"deviceScaleFactor", scale_}, {"mobile", false}});
    }
}

void Browser::on_attached(const json& params) {
    const std::string session = text_of(params, "sessionId", 256);
    const json& info = json_object(params, "targetInfo");
    const std::string type = text_of(info, "type", 64);
    const bool is_waiting = json_flag(params, "waitingForDebugger");
    bool is_own = false;
    {
        const std::lock_guard lock(mutex_);
        targets_[session] = text_of(info, "targetId", 256);
        is_own = !own_context_.empty() && text_of(info, "browserContextId", 256) == own_context_;
    }
    if (type == "page" && !is_own) {
        {
            const std::lock_guard lock(mutex_);
            if (tabs_.size() >= kTabsMax) {
                cdp_->post({}, "Target.closeTarget", {{"targetId", text_of(info, "targetId", 256)}});
                return;
            }
            Tab tab;
            tab.number = next_tab_++;
            tab.target = text_of(info, "targetId", 256);
            tab.session = session;
            tab.opener = text_of(info, "openerId", 256);
            tab.title = text_of(info, "title", kTitleMax);
            tab.url = text_of(info, "url", kUrlMax);
            tabs_.push_back(std::move(tab));
        }
        set_up_tab(session);
    } else if (type == "page") {
        cdp_->post(session, "Page.enable", json::object());
        cdp_->post(session, "Page.addScriptToEvaluateOnNewDocument", {{"source", page_script()}, {"worldName", kWorldName}, {"runImmediately", true}});
    } else {
        set_up_session(session, type);
    }
    const auto ready = [this, session, type, is_own](const Result<json>&) {
        const std::lock_guard lock(mutex_);
        ++changes_;
        if (is_own) {
            own_sessions_[targets_[session]] = session;
        }
        Tab* const tab = type == "page" && !is_own ? tab_of_session(session) : nullptr;
        if (tab != nullptr) {
            tab->is_ready = true;
            if (!tab->opener.empty()) { // a page opened it: that is where its user looks now
                front_changed_to(session);
            }
        }
        changed_.notify_all();
    };
    cdp_->post(session, is_waiting ? "Runtime.runIfWaitingForDebugger" : "Page.getNavigationHistory", json::object(), ready);
}

void Browser::on_detached(const json& params) {
    const std::string session = text_of(params, "sessionId", 256);
    cdp_->release(session, Error{ErrorCode::Unavailable, "the tab was closed"});
    const std::lock_guard lock(mutex_);
    parents_.erase(session);
    targets_.erase(session);
    const auto found = std::find_if(tabs_.begin(), tabs_.end(), [&](const Tab& tab) { return tab.session == session; });
    if (found == tabs_.end()) {
        return;
    }
    const std::string opener = found->opener;
    tabs_.erase(found);
    if (front_session_ != session) {
        return;
    }
    const auto back = std::find_if(tabs_.begin(), tabs_.end(), [&](const Tab& tab) { return tab.target == opener; });
    front_changed_to(back != tabs_.end() ? back->session : tabs_.empty() ? std::string() : tabs_.back().session);
}

void Browser::on_target_changed(const json& info) {
    const std::string target = text_of(info, "targetId", 256);
    const std::lock_guard lock(mutex_);
    for (Tab& tab : tabs_) {
        if (tab.target == target) {
            tab.title = text_of(info, "title", kTitleMax);
            tab.url = text_of(info, "url", kUrlMax);
        }
    }
}

void Browser::refuse(const std::string& url, const std::string& why) {
    const std::lock_guard lock(mutex_);
    refusal_ = fmt::format("{} is not loaded: {}", url.substr(0, 200), why);
}

void Browser::on_request(const CdpEvent& event) {
    const std::string id = text_of(event.params, "requestId", 256);
    const std::string url = text_of(json_object(event.params, "request"), "url", 1U << 20U);
    const std::string why = why_refused(rules_, url);
    if (why.empty()) {
        cdp_->post(std::string(event.session), "Fetch.continueRequest", {{"requestId", id}});
        return;
    }
    cdp_->post(std::string(event.session), "Fetch.failRequest", {{"requestId", id}, {"errorReason", "BlockedByClient"}});
    if (text_of(event.params, "resourceType", 64) == "Document") {
        refuse(url, why);
    }
}

/// Documents that no request fetches (data:, blob:, javascript:) are judged when they appear.
void Browser::on_frame_navigated(const CdpEvent& event) {
    const json& frame = json_object(event.params, "frame");
    const std::string url = text_of(frame, "url", 1U << 20U);
    const bool has_error = !text_of(frame, "unreachableUrl", 16).empty(); // the browser's own error page
    if (!rules_.has_lists() || has_error || url.empty() || url == ":") {
        return;
    }
    if (const std::string why = why_refused(rules_, url); !why.empty()) {
        refuse(url, why);
        cdp_->post(std::string(event.session), "Page.navigate", {{"url", "about:blank"}, {"frameId", text_of(frame, "id", 256)}});
    }
}

void Browser::on_question(const CdpEvent& event, PageQuestion question) {
    std::vector<std::string> waiting;
    {
        const std::lock_guard lock(mutex_);
        Tab* const tab = tab_of_session(event.session);
        if (tab == nullptr) {
            return;
        }
        question.number = next_question_++;
        tab->question = std::move(question);
        waiting.push_back(tab->session);
        if (front_session_ != tab->session) {
            front_changed_to(tab->session);
        }
        ++paints_.count;
        paints_.newest = clock_.now();
    }
    waiting.emplace_back(event.session);
    for (const std::string& session : waiting) { // the input that led here is answered only after the question is
        cdp_->release(session, std::nullopt);
    }
}

void Browser::on_download(const CdpEvent& event) {
    const std::string id = text_of(event.params, "guid", 256);
    const std::lock_guard lock(mutex_);
    auto found = std::find_if(downloads_.begin(), downloads_.end(), [&](const Download& one) { return one.id == id; });
    if (event.method == "Browser.downloadWillBegin" && found == downloads_.end()) {
        if (downloads_.size() >= kDownloadsMax) {
            downloads_.pop_front();
        }
        downloads_.push_back({id, text_of(event.params, "suggestedFilename", 255), "inProgress", 0});
        return;
    }
    if (found != downloads_.end()) {
        found->state = text_of(event.params, "state", 32);
        found->bytes = json_number(event.params, "receivedBytes");
        if (const std::string path = text_of(event.params, "filePath", 4096); !path.empty()) {
            found->name = std::filesystem::path(path).filename().string();
        }
    }
}

/// mutex_ is held. A picture that we take is painted and told of once more: the frame after one that shows the same is none of the page's.
void Browser::on_frame_painted(const json& params) {
    const auto data = params.find("data");
    const std::size_t look = data != params.end() && data->is_string() ? std::hash<std::string>{}(data->get_ref<const std::string&>()) : 0;
    const bool is_same = std::exchange(last_look_, look) == look;
    if (is_same && has_own_frame_ && clock_.now() < own_frame_until_) {
        has_own_frame_ = false;
        return;
    }
    ++paints_.count;
    paints_.newest = clock_.now();
}

void Browser::take(const CdpEvent& event) {
    const std::string_view method = event.method;
    if (method == "Target.attachedToTarget") {
        if (!event.session.empty()) {
            const std::lock_guard lock(mutex_);
            if (parents_.size() < kChildrenMax) {
                parents_[text_of(event.params, "sessionId", 256)] = event.session;
            }
        }
        on_attached(event.params);
    } else if (method == "Target.detachedFromTarget") {
        on_detached(event.params);
    } else if (method == "Target.targetInfoChanged") {
        on_target_changed(json_object(event.params, "targetInfo"));
    } else if (method == "Fetch.requestPaused") {
        on_request(event);
    } else if (method == "Page.frameNavigated") {
        on_frame_navigated(event);
    } else if (method == "Page.javascriptDialogOpening") {
        on_question(event, {.kind = kind_of(text_of(event.params, "type", 32)), .message = text_of(event.params, "message", kMessageMax),
                            .default_text = text_of(event.params, "defaultPrompt", kMessageMax)});
    } else if (method == "Page.fileChooserOpened") {
        on_question(event, {.kind = PageQuestion::Kind::File, .backend_node = json_int(event.params, "backendNodeId"),
                            .takes_several = text_of(event.params, "mode", 32) == "selectMultiple"});
    } else if (method.starts_with("Browser.download")) {
        on_download(event);
    } else if (method == "Page.screencastFrame") {
        cdp_->post(std::string(event.session), "Page.screencastFrameAck", {{"sessionId", json_int(event.params, "sessionId")}});
    }
    if (method == "Inspector.targetCrashed") {
        cdp_->release(event.session, Error{ErrorCode::Unavailable, "the tab crashed"});
    }
    const std::lock_guard lock(mutex_);
    Tab* const tab = tab_of_session(event.session);
    const bool is_main = tab != nullptr && tab->session == event.session && text_of(event.params, "frameId", 256) == tab->target;
    if (method == "Page.screencastFrame" && event.session == front_session_) {
        on_frame_painted(event.params);
    } else if (method == "Page.frameStartedLoading" && is_main) {
        tab->is_loading = true;
    } else if (method == "Page.frameStoppedLoading" && is_main) {
        tab->is_loading = false;
    } else if (method == "Page.javascriptDialogClosed" && tab != nullptr && tab->question && tab->question->kind != PageQuestion::Kind::File) {
        tab->question.reset();
    } else if (method == "Inspector.targetCrashed" && tab != nullptr && tab->session == event.session) {
        tab->is_crashed = true;
        tab->is_loading = false;
    } else if (method == "Input.dragIntercepted") {
        drag_ = std::make_shared<json>(json_object(event.params, "data"));
    }
    ++changes_;
    changed_.notify_all();
}

} // namespace handeye::web
