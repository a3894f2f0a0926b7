// SPDX-License-Identifier: Apache-2.0
// What can be operated on the page, its frames included, numbered as set-of-marks pictures number it. Every frame tells of itself in
// its own coordinates; where it lies is known to the document around it.
#include "platforms/web/platform.h"

#include "base/json_fields.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr std::size_t kFramesMax = 64;
constexpr std::size_t kElementsMax = 5000;
constexpr std::size_t kTextMax = 2000;
constexpr Duration kPatience = std::chrono::seconds(5);

/// Where a frame lies in the viewport of the page, in CSS pixels, and what of it is not cut off.
struct View {
    double x = 0, y = 0;
    double left = 0, top = 0, right = 0, bottom = 0;
};

std::string text_of(const json& row, const char* key) {
    const auto found = row.find(key);
    return found != row.end() && found->is_string() ? found->get_ref<const std::string&>().substr(0, kTextMax) : std::string();
}

/// Nullopt for a box outside what is to be seen of its frame, or for one that is no box.
std::optional<Rect> to_target(const json& box, const View& view, double scale) {
    if (!box.is_array() || box.size() != 4 || !std::all_of(box.begin(), box.end(), [](const json& edge) { return edge.is_number(); })) {
        return std::nullopt;
    }
    const double left = std::max(box[0].get<double>() + view.x, view.left), top = std::max(box[1].get<double>() + view.y, view.top);
    const double right = std::min(box[2].get<double>() + view.x, view.right), bottom = std::min(box[3].get<double>() + view.y, view.bottom);
    if (!(right - left >= 0.5 && bottom - top >= 0.5)) {
        return std::nullopt;
    }
    const int x = static_cast<int>(std::floor(left * scale)), y = static_cast<int>(std::floor(top * scale));
    return Rect{x, y, static_cast<int>(std::ceil(right * scale)) - x, static_cast<int>(std::ceil(bottom * scale)) - y};
}

Element to_element(const json& row, Rect box) {
    Element element;
    element.role = text_of(row, "role");
    element.label_utf8 = text_of(row, "label");
    element.box = box;
    element.is_secret = json_flag(row, "secret");
    element.id = text_of(row, "id");
    element.value_utf8 = element.is_secret ? std::string() : text_of(row, "value");
    element.is_enabled = json_flag(row, "enabled", true);
    element.is_focused = json_flag(row, "focused");
    if (const auto checked = row.find("checked"); checked != row.end() && checked->is_boolean()) {
        element.is_checked = checked->get<bool>();
    }
    return element;
}

/// The frame's box in the document around it, in the coordinates of that document's session.
std::optional<View> box_of_frame(Browser& browser, const std::string& around, const std::string& frame) {
    const auto owner = browser.cdp().call(around, "DOM.getFrameOwner", {{"frameId", frame}}, kPatience);
    if (!owner) {
        return std::nullopt;
    }
    const auto model = browser.cdp().call(around, "DOM.getBoxModel", {{"backendNodeId", json_int(*owner, "backendNodeId")}}, kPatience);
    const json content = model ? json_list(json_object(*model, "model"), "content") : json::array();
    if (content.size() != 8 || !std::all_of(content.begin(), content.end(), [](const json& edge) { return edge.is_number(); })) {
        return std::nullopt;
    }
    const double left = content[0].get<double>(), top = content[1].get<double>();
    return View{left, top, left, top, content[4].get<double>(), content[5].get<double>()};
}

} // namespace

Result<std::vector<Element>> WebPlatform::elements() {
    const Stage at = TRY(stage());
    if (frame_.is_empty()) {
        TRY(capture());
    }
    Tab tab = at.tab;
    tab.session = at.session;
    const View whole{0, 0, 0, 0, frame_.width_px / scale_, frame_.height_px / scale_};
    std::map<std::string, View> views;  // of frames
    std::map<std::string, View> roots;  // of sessions: where their coordinates begin
    std::vector<Element> elements;
    const std::vector<FrameRef> frames = TRY(frames_of(tab, kFramesMax));
    for (const FrameRef& frame : frames) {
        View view = whole;
        const std::string above = browser_->parent_of(frame.session);
        const bool is_root = !roots.contains(frame.session);
        if (frame.session != tab.session || !is_root) {
            const std::string around = is_root ? above : frame.session;
            const auto box = box_of_frame(*browser_, around, frame.id);
            if (!box) {
                continue; // gone meanwhile, or not shown
            }
            const View from = roots.contains(around) ? roots[around] : View{};
            const View outer = views.contains(frame.parent) ? views[frame.parent] : whole;
            view = View{box->x + from.x, box->y + from.y, std::max(outer.left, box->left + from.x), std::max(outer.top, box->top + from.y),
                        std::min(outer.right, box->right + from.x), std::min(outer.bottom, box->bottom + from.y)};
        }
        if (is_root) {
            roots[frame.session] = view;
        }
        views[frame.id] = view;
        const auto told = evaluate(frame.session, frame.id, "handeye.elements()");
        if (!told && frame.id == frames.front().id) {
            return told.error();
        }
        const json rows = told ? json_list(*told, "elements") : json::array();
        for (const json& row : rows) {
            const auto box = to_target(json_member(row, "box"), view, scale_);
            if (box && elements.size() < kElementsMax) {
                elements.push_back(to_element(row, *box));
            }
        }
    }
    if (frames.size() > 1) { // what is in a frame is told; the frame itself is no more to be clicked than a page is
        std::erase_if(elements, [](const Element& element) { return element.role == "internal frame"; });
    }
    int mark = 1;
    for (Element& element : elements) {
        element.mark = mark++;
    }
    return elements;
}

} // namespace handeye::web
