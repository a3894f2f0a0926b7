// SPDX-License-Identifier: Apache-2.0
#include "platforms/web/panel.h"

#include "base/image_codec.h"
#include "base/json_fields.h"
#include "platforms/web/base64.h"
#include "platforms/web/page_script.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr Duration kPatience = std::chrono::seconds(15);
constexpr std::size_t kFilesMax = 100;
constexpr std::size_t kClipboardMax = 1U << 20U;
constexpr int kJpegQuality = 85;

std::string title_of(const PageQuestion& question, const std::string& url) {
    const std::string who = url.substr(0, url.find_first_of("?#")).substr(0, 120);
    switch (question.kind) {
    case PageQuestion::Kind::BeforeUnload: return "Leave this page?";
    case PageQuestion::Kind::File: return "Choose files to upload";
    case PageQuestion::Kind::Alert:
    case PageQuestion::Kind::Confirm:
    case PageQuestion::Kind::Prompt: break;
    }
    return who + " says";
}

std::string message_of(const PageQuestion& question, const std::string& folders) {
    if (question.kind == PageQuestion::Kind::BeforeUnload) {
        return "Changes that you made may not be saved.";
    }
    if (question.kind == PageQuestion::Kind::File) {
        return fmt::format("Type the path of {}. Files may come from {}.", question.takes_several ? "each file, one on a line" : "the file", folders);
    }
    return question.message;
}

std::string list_of(const std::vector<std::filesystem::path>& folders) {
    std::string out;
    for (const std::filesystem::path& folder : folders) {
        out += fmt::format("{}{}", out.empty() ? "" : ", ", folder.string());
    }
    return out;
}

} // namespace

Result<std::vector<std::filesystem::path>> files_to_upload(std::string_view lines, const std::vector<std::filesystem::path>& folders, bool takes_several) {
    std::vector<std::filesystem::path> files;
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        std::string line(lines.substr(0, end));
        lines.remove_prefix(std::min(end + 1, lines.size()));
        line.erase(0, line.find_first_not_of(" \t\r"));
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (line.empty()) {
            continue;
        }
        std::error_code problem;
        const std::filesystem::path path = std::filesystem::canonical(line, problem); // what it is, not what it is called
        if (problem || !std::filesystem::is_regular_file(path, problem)) {
            return Error{ErrorCode::NotFound, fmt::format("\"{}\" is no file", line.substr(0, 200))};
        }
        const bool is_inside = std::any_of(folders.begin(), folders.end(), [&](const std::filesystem::path& folder) {
            const std::filesystem::path root = std::filesystem::weakly_canonical(folder, problem);
            return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
        });
        if (!is_inside) {
            return Error{ErrorCode::PermissionDenied, fmt::format("\"{}\" lies outside {}: name its folder with --uploads", line.substr(0, 200), list_of(folders))};
        }
        files.push_back(path);
    }
    if (files.empty()) {
        return Error{ErrorCode::InvalidArgument, "no file was named"};
    }
    if (files.size() > (takes_several ? kFilesMax : 1)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} files; the page takes {}", files.size(), takes_several ? "100 at most" : "one")};
    }
    return files;
}

Result<json> Panel::run(const std::string& expression) {
    const json answer = TRY(browser_.cdp().call(session_, "Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}}, kPatience));
    if (answer.contains("exceptionDetails")) {
        return Error{ErrorCode::Internal, fmt::format("our own page failed: {}", json_text(json_object(answer, "exceptionDetails"), "text"))};
    }
    return json_member(json_object(answer, "result"), "value");
}

Result<void> Panel::open(Size css, double scale) {
    if (session_.empty()) {
        session_ = TRY(browser_.open_own_page());
        const json tree = TRY(browser_.cdp().call(session_, "Page.getFrameTree", json::object(), kPatience));
        const std::string frame = json_text(json_object(json_object(tree, "frameTree"), "frame"), "id");
        TRY(browser_.cdp().call(session_, "Page.setDocumentContent", {{"frameId", frame}, {"html", panel_page()}}, kPatience));
    }
    if (!css.is_empty()) {
        TRY(browser_.cdp().call(session_, "Emulation.setDeviceMetricsOverride",
                                {{"width", css.width_px}, {"height", css.height_px}, {"deviceScaleFactor", scale}, {"mobile", false}}, kPatience));
    }
    return {};
}

Result<void> Panel::ask(const Tab& tab, const std::string& picture, const std::string& problem) {
    const PageQuestion& question = *tab.question;
    const bool has_cancel = question.kind != PageQuestion::Kind::Alert;
    const bool is_leaving = question.kind == PageQuestion::Kind::BeforeUnload;
    const json words{{"title", title_of(question, tab.url)},
                     {"message", message_of(question, list_of(browser_.upload_folders()))},
                     {"ok", is_leaving ? "Leave" : "OK"},
                     {"cancel", has_cancel ? (is_leaving ? "Stay" : "Cancel") : ""},
                     {"has_field", question.kind == PageQuestion::Kind::Prompt || question.kind == PageQuestion::Kind::File},
                     {"field_name", question.kind == PageQuestion::Kind::File ? "Paths" : "Answer"},
                     {"text", question.default_text},
                     {"picture", picture},
                     {"problem", problem}};
    TRY(run(fmt::format("ask({})", words.dump(-1, ' ', true, json::error_handler_t::replace))));
    return {};
}

Result<std::string> Panel::show(const Tab& tab, const Image& under, double scale) {
    if (shown_ == tab.question->number) {
        return session_;
    }
    const Size device = under.size();
    const Size css = device.is_empty() ? browser_.viewport().value_or(Size{1280, 800})
                                       : Size{static_cast<int>(std::lround(device.width_px / scale)), static_cast<int>(std::lround(device.height_px / scale))};
    TRY(open(css, scale));
    std::string picture;
    if (!under.is_empty()) {
        const auto encoded = TRY(encode_jpeg(under, kJpegQuality));
        picture = "data:image/jpeg;base64," + to_base64(encoded);
    }
    TRY(ask(tab, picture, {}));
    TRY(browser_.cdp().call(session_, "Page.bringToFront", json::object(), kPatience));
    shown_ = tab.question->number;
    return session_;
}

Result<void> Panel::give_files(const Tab& tab, const PageQuestion& question, const std::string& text) {
    const auto files = TRY(files_to_upload(text, browser_.upload_folders(), question.takes_several));
    json paths = json::array();
    for (const std::filesystem::path& file : files) {
        paths.push_back(file.string());
    }
    TRY(browser_.cdp().call(tab.session, "DOM.setFileInputFiles", {{"files", paths}, {"backendNodeId", question.backend_node}}, kPatience));
    return {};
}

Result<bool> Panel::answer(const Tab& tab) {
    if (shown_ != tab.question->number) {
        return false;
    }
    const json given = TRY(run("answer"));
    if (!given.is_object()) {
        return false;
    }
    const PageQuestion& question = *tab.question;
    const bool is_yes = json_flag(given, "accept");
    if (question.kind == PageQuestion::Kind::File) {
        if (is_yes) {
            if (const auto put = give_files(tab, question, json_text(given, "text")); !put) {
                TRY(ask(tab, {}, put.error().message)); // said where it is asked, so that another answer can be given
                return false;
            }
        }
    } else {
        json params{{"accept", is_yes}};
        if (question.kind == PageQuestion::Kind::Prompt && is_yes) {
            params["promptText"] = json_text(given, "text");
        }
        auto handled = browser_.cdp().call(tab.session, "Page.handleJavaScriptDialog", params, kPatience);
        if (!handled && handled.error().code != ErrorCode::InvalidArgument) { // somebody else answered it before
            return std::move(handled).error();
        }
    }
    browser_.clear_question(tab, question.number);
    shown_ = 0;
    TRY(browser_.cdp().call(tab.session, "Page.bringToFront", json::object(), kPatience));
    return true;
}

Result<std::string> Panel::clipboard() {
    TRY(open({}, 1));
    TRY(run("paste_here()"));
    // Only the browser may read the clipboard without asking anybody: as when somebody pastes.
    TRY(browser_.cdp().call(session_, "Input.dispatchKeyEvent",
                            {{"type", "rawKeyDown"}, {"key", "v"}, {"code", "KeyV"}, {"windowsVirtualKeyCode", 86}, {"modifiers", 2}, {"commands", {"paste"}}}, kPatience));
    const json text = TRY(run("pasted()"));
    shown_ = 0; // what it showed is to be shown anew
    if (!text.is_string()) {
        return std::string();
    }
    return text.get_ref<const std::string&>().substr(0, kClipboardMax);
}

} // namespace handeye::web
