// SPDX-License-Identifier: Apache-2.0
// The way of a place from the model's number to the pointer, as the recording holds it: one small frame for each space, in its own
// proportions, the place in it, and the numbers below. Where two frames disagree the eye sees it before the numbers are read.
#include "agent/report_html.h"
#include "agent/report_step.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr double kFrameWidth = 180; // of a drawn frame, in its own units
constexpr double kFarAway = 1e6;    // a forged place lies no farther

struct Spot {
    double x = 0;
    double y = 0;
};
struct Box {
    double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

struct Space {
    std::string name;
    PictureSize size;  ///< of its coordinates
    PictureSize shape; ///< in the proportions of which it is drawn
    std::optional<Spot> at;
    std::optional<Box> box;
    bool has_grid = false; ///< lines at each tenth
    std::string words;     ///< below the name
    std::string of;        ///< and below that: the frame's size
};

double coordinate(const json& value, const char* key) { return std::clamp(number_of(value, key), -kFarAway, kFarAway); }

std::optional<Spot> spot_of(const json& value) { return value.is_object() ? std::optional(Spot{coordinate(value, "x"), coordinate(value, "y")}) : std::nullopt; }

PictureSize frame_of(const json& point) { return picture_size({{"size", field_of(point, "frame")}}); }

std::string spot_words(const std::optional<Spot>& at) { return at ? fmt::format("{:.0f}, {:.0f}", at->x, at->y) : "unknown"; }

std::string size_words(PictureSize size) { return fmt::format("{:.0f} × {:.0f}", size.width, size.height); }

std::optional<Box> model_box(const json& model) {
    const json& box = field_of(model, "box");
    if (!box.is_array() || box.size() != 4 || !std::all_of(box.begin(), box.end(), [](const json& n) { return n.is_number(); })) {
        return std::nullopt;
    }
    const auto at = [&](std::size_t i) { return std::clamp(box[i].get<double>(), -kFarAway, kFarAway); };
    return Box{at(0), at(1), at(2), at(3)};
}

std::optional<Box> element_box(const json& element) {
    const json& box = field_of(element, "box");
    if (!box.is_object()) {
        return std::nullopt;
    }
    const Spot at{coordinate(box, "x"), coordinate(box, "y")};
    return Box{at.x, at.y, at.x + coordinate(box, "width"), at.y + coordinate(box, "height")};
}

// Where the pointer was sent: of the first place the first move, of the last one the last.
std::optional<Spot> sent_to(const json& ops, bool is_first) {
    std::optional<Spot> out;
    for (const json& op : ops) {
        const std::optional<Spot> move = spot_of(field_of(op, "move"));
        out = move && (!out || !is_first) ? move : out;
    }
    return out;
}

std::string drawn(const Space& space) {
    const double scale = kFrameWidth / space.size.width;
    const double height = std::clamp(kFrameWidth * space.shape.height / space.shape.width, 24.0, 320.0);
    const double scale_y = height / space.size.height;
    std::string out = fmt::format(R"(<svg viewBox="0 0 {:.0f} {:.1f}" role="img" aria-label="{}"><rect class="frame" width="{:.0f}" height="{:.1f}"/>)", kFrameWidth, height,
                                  escape(space.name + ": " + space.words), kFrameWidth, height);
    std::string grid; // one path: a report of many steps has many of them
    for (int i = 1; space.has_grid && i < 10; ++i) {
        grid += fmt::format("M{:.0f} 0V{:.1f}M0 {:.1f}H{:.0f}", i * kFrameWidth / 10, height, i * height / 10, kFrameWidth);
    }
    out += grid.empty() ? "" : "<path class=\"grid-line\" d=\"" + grid + "\"/>";
    if (space.box) {
        const Box& box = *space.box;
        out += fmt::format(R"(<rect class="box" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)", box.x0 * scale, box.y0 * scale_y, std::max(2.0, (box.x1 - box.x0) * scale),
                           std::max(2.0, (box.y1 - box.y0) * scale_y));
    }
    if (space.at) {
        const double x = space.at->x * scale;
        const double y = space.at->y * scale_y;
        out += fmt::format(R"(<path class="hair" d="M{0:.1f} 0V{1:.1f}M0 {2:.1f}H{3:.0f}"/><circle class="spot" cx="{0:.1f}" cy="{2:.1f}" r="4"/>)", x, height, y, kFrameWidth);
    }
    return out + "</svg>";
}

std::string panel(const Space& space) { return fmt::format("<figure>{}<figcaption><b>{}</b>{}{}</figcaption></figure>", drawn(space), space.name, escape(space.words), space.of.empty() ? "" : "<br>of " + space.of); }

// How far the pointer was from its aim.
std::string landed_words(const std::optional<Spot>& landed, const std::optional<Spot>& aim) {
    if (!landed || !aim) {
        return spot_words(landed);
    }
    const double apart = std::hypot(landed->x - aim->x, landed->y - aim->y);
    return spot_words(landed) + (apart < 0.5 ? ", on the spot" : fmt::format(", {:.0f} px off", apart));
}

std::string row_html(const StepRecord& step, const json& point, bool is_first, bool is_last) {
    const json& model = field_of(point, "model");
    const json& target = field_of(point, "target");
    const bool is_pixels = text_of(model, "units") == "pixels";
    const PictureSize image_size = frame_of(field_of(point, "image"));
    const PictureSize screen_size = frame_of(target);
    const std::optional<Spot> named = spot_of(model);
    const std::optional<Spot> image = spot_of(field_of(point, "image"));
    const std::optional<Spot> aim = spot_of(target);
    std::string out;
    if (is_pixels) {
        out += panel({"given", screen_size, screen_size, named, model_box(model), false, spot_words(named) + " px", {}});
    } else {
        out += panel({"model", {1000, 1000}, image_size, named, model_box(model), true, named ? fmt::format("{:g}, {:g} ‰", named->x, named->y) : "unknown", {}});
        out += panel({"picture fed", image_size, image_size, image, std::nullopt, false, spot_words(image), size_words(image_size)});
    }
    out += panel({"screen", screen_size, screen_size, aim, element_box(field_of(point, "element")), false, spot_words(aim), size_words(screen_size)});
    if (const std::optional<Spot> sent = sent_to(field_of(step.executed, "ops"), is_first && !is_last)) {
        out += panel({"sent to the device", screen_size, screen_size, sent, std::nullopt, false, spot_words(sent), {}});
    }
    const std::optional<Spot> landed = spot_of(field_of(step.executed, "landed"));
    if (is_last && (landed || !is_pixels)) {
        out += panel({"pointer landed", screen_size, screen_size, landed, std::nullopt, false, landed_words(landed, aim), {}});
    }
    return "<div class=\"chain\">" + out + "</div>";
}

} // namespace

Chain chain_of(const StepRecord& step) {
    Chain out;
    const json& points = field_of(step.executed, "points");
    if (!points.is_array() || points.empty()) {
        return out;
    }
    for (const json& point : points) {
        out.drawing += row_html(step, point, &point == &points.front(), &point == &points.back());
    }
    const json& model = field_of(points.front(), "model");
    const json& landed = field_of(step.executed, "landed");
    const std::optional<Spot> aim = spot_of(field_of(points.front(), "target"));
    out.summary = fmt::format("Where it was: {:g}, {:g} {} → {} on the screen", coordinate(model, "x"), coordinate(model, "y"), text_of(model, "units") == "pixels" ? "px" : "‰", spot_words(aim));
    out.summary += points.size() > 1 ? " → the next place" : landed.is_object() ? " → landed " + landed_words(spot_of(landed), aim) : "";
    return out;
}

} // namespace handeye::report
