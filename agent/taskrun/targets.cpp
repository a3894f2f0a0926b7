// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/targets.h"

#include "agent/taskfile/names.h"
#include "agent/taskfile/scalars.h"
#include "base/json.h"

#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using taskfile::text_of;

constexpr int kBesideWidthPx = 320; // of a region beside something whose size is not given
constexpr double kBesideHeights = 1.6;

int number(const Node& scalar) {
    int value = 0;
    std::from_chars(scalar.scalar.data(), scalar.scalar.data() + scalar.scalar.size(), value);
    return value;
}

Rect rect_of(const Node& four) { return {number(four.items[0]), number(four.items[1]), number(four.items[2]), number(four.items[3])}; }

Side side_of(const Node& near) {
    constexpr std::array<std::pair<std::string_view, Side>, 4> kSides{{{"left", Side::Left}, {"right", Side::Right}, {"above", Side::Above}, {"below", Side::Below}}};
    const std::string name = text_of(near, "side");
    for (const auto& [word, side] : kSides) {
        if (name == word) {
            return side;
        }
    }
    return Side::Any;
}

Rect beside(const Rect& neighbour, Side side, int width, int height) {
    const int middle_y = neighbour.center().y - height / 2;
    const int middle_x = neighbour.center().x - width / 2;
    switch (side) {
    case Side::Left: return {neighbour.x - width, middle_y, width, height};
    case Side::Above: return {middle_x, neighbour.y - height, width, height};
    case Side::Below: return {middle_x, neighbour.y + neighbour.height_px, width, height};
    case Side::Any:
    case Side::Right: break;
    }
    return {neighbour.x + neighbour.width_px, middle_y, width, height};
}

/// The expanded text of a key that may hold references; empty without it.
Attempt<std::string> text(const Node& map, std::string_view key, Context& context) {
    const Node* const node = map.find(key);
    if (node == nullptr) {
        return std::string();
    }
    Result<std::string> out = context.values().text(node->scalar);
    return out ? Attempt<std::string>(*std::move(out)) : fail(out.error());
}

Outcome add_texts(const Node& target, Context& context, TargetQuery& query) {
    for (const auto& [key, field] : {std::pair{"id", &query.id}, std::pair{"role", &query.role}, std::pair{"label", &query.label_utf8}, std::pair{"text", &query.text_utf8},
                                     std::pair{"model", &query.description_utf8}}) {
        Attempt<std::string> value = text(target, key, context);
        if (auto* const failure = std::get_if<Failure>(&value)) {
            return *failure;
        }
        *field = std::get<std::string>(std::move(value));
    }
    return std::nullopt;
}

Attempt<Neighbour> neighbour_of(const Node& near, Context& context) {
    Neighbour out;
    for (const auto& [key, field] : {std::pair{"text", &out.text_utf8}, std::pair{"label", &out.label_utf8}}) {
        Attempt<std::string> value = text(near, key, context);
        if (auto* const failure = std::get_if<Failure>(&value)) {
            return *failure;
        }
        *field = std::get<std::string>(std::move(value));
    }
    out.side = side_of(near);
    if (near.find("template") != nullptr) {
        Attempt<Image> picture = picture_of(near, context);
        if (auto* const failure = std::get_if<Failure>(&picture)) {
            return *failure;
        }
        out.picture = std::get<Image>(std::move(picture));
    }
    return out;
}

// What stands in a masked area of the picture does not count: an alpha of 0 says so.
Image masked_out(const Image& picture, const Node& mask) {
    const Image rgb = picture.to_rgb();
    const Size size = rgb.size();
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.area()) * 4);
    std::vector<Rect> areas;
    for (const Node& area : mask.items) {
        if (area.items.size() == 4) {
            areas.push_back(rect_of(area));
        }
    }
    for (int y = 0; y < size.height_px; ++y) {
        const auto row = rgb.row(y);
        for (int x = 0; x < size.width_px; ++x) {
            const bool is_masked = std::any_of(areas.begin(), areas.end(), [&](const Rect& area) { return area.contains({x, y}); });
            const std::size_t at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width_px) + static_cast<std::size_t>(x)) * 4;
            std::copy_n(row.begin() + x * 3, 3, pixels.begin() + static_cast<std::ptrdiff_t>(at));
            pixels[at + 3] = is_masked ? 0 : 255;
        }
    }
    return Image::from_pixels(size, PixelFormat::Rgba, std::move(pixels)).value_or(picture);
}

/// A tip below the pointer may lie over the target: away with both. What the rules refuse is not done.
Outcome move_pointer_aside(Context& context) {
    const Result<StepEnd> done = context.hands.act([](const Look& look) -> Result<Proposal> {
        const Size size = look.shot.image.size();
        return Proposal{Hover{Spot{Units::Pixels, size.width_px - 1.0, size.height_px - 1.0, std::nullopt}, ""}, "move the pointer aside", dump_json({{"rung", kAsideRung}})};
    });
    if (!done) {
        return context.give_up(done.error());
    }
    if (context.record->note.empty()) {
        context.record->note = "the pointer was moved aside: something below it may have hidden the target";
    }
    return std::nullopt;
}

} // namespace

Duration duration_of(const Node& map, std::string_view key, Duration otherwise) {
    const Node* const node = map.find(key);
    return node == nullptr ? otherwise : taskfile::parse_duration(node->scalar).value_or(otherwise);
}

std::int64_t integer_of(const Node& map, std::string_view key, std::int64_t otherwise) {
    const Node* const node = map.find(key);
    return node == nullptr ? otherwise : taskfile::parse_count(node->scalar).value_or(otherwise);
}

Attempt<Image> picture_of(const Node& map, Context& context) {
    Attempt<std::string> name = text(map, "template", context);
    if (auto* const failure = std::get_if<Failure>(&name)) {
        return *failure;
    }
    Result<Image> picture = context.files.picture(context.frame().file, std::get<std::string>(name));
    if (!picture) {
        return fail(picture.error().with_context(std::get<std::string>(name)));
    }
    const Node* const mask = map.find("mask");
    return mask == nullptr ? *std::move(picture) : masked_out(*picture, *mask);
}

Attempt<Rect> region_of(const Node& region, Context& context, const Look& look) {
    if (const Node* const area = region.find("area"); area != nullptr && area->items.size() == 4) {
        return rect_of(*area);
    }
    Attempt<Neighbour> near = neighbour_of(*region.find("near"), context);
    if (auto* const failure = std::get_if<Failure>(&near)) {
        return *failure;
    }
    auto& neighbour = std::get<Neighbour>(near);
    TargetQuery query;
    query.text_utf8 = neighbour.text_utf8;
    query.label_utf8 = neighbour.label_utf8;
    query.picture = neighbour.picture;
    const Result<Found> found = context.locator.find(query, {look.shot.image, look.elements});
    if (!found) {
        return fail(FailureKind::TargetNotFound, "what the region lies beside: " + found.error().message);
    }
    const Rect& box = found->best.box;
    const auto height = static_cast<int>(integer_of(region, "height", static_cast<std::int64_t>(box.height_px * kBesideHeights)));
    return beside(box, neighbour.side, static_cast<int>(integer_of(region, "width", kBesideWidthPx)), height);
}

Attempt<TargetQuery> query_of(const Node& target, Context& context, const Look& look) {
    TargetQuery query;
    if (Outcome failure = add_texts(target, context, query)) {
        return *std::move(failure);
    }
    if (target.find("template") != nullptr) {
        Attempt<Image> picture = picture_of(target, context);
        if (auto* const failure = std::get_if<Failure>(&picture)) {
            return *failure;
        }
        query.picture = std::get<Image>(std::move(picture));
    }
    if (const Node* const at = target.find("at"); at != nullptr && at->items.size() == 2) {
        query.at = Point{number(at->items[0]), number(at->items[1])};
    }
    if (const Node* const was = target.find("was"); was != nullptr && was->items.size() == 4) {
        query.was_at = rect_of(*was);
    }
    for (const Node& landmark : target.find("landmarks") != nullptr ? target.find("landmarks")->items : std::vector<Node>()) {
        Attempt<std::string> words = text(landmark, "text", context);
        if (auto* const failure = std::get_if<Failure>(&words)) {
            return *failure;
        }
        query.landmarks.push_back({std::get<std::string>(words), double(number(*landmark.find("right"))), double(number(*landmark.find("down")))});
    }
    query.is_exact = taskfile::is_set(target, "exact");
    query.index = static_cast<int>(integer_of(target, "index", 0));
    if (const Node* const score = target.find("min_score")) {
        std::from_chars(score->scalar.data(), score->scalar.data() + score->scalar.size(), query.min_score);
    }
    if (const Node* const near = target.find("near")) {
        Attempt<Neighbour> neighbour = neighbour_of(*near, context);
        if (auto* const failure = std::get_if<Failure>(&neighbour)) {
            return *failure;
        }
        query.near = std::get<Neighbour>(std::move(neighbour));
    }
    if (const Node* const region = target.find("region")) {
        Attempt<Rect> area = region_of(*region, context, look);
        if (auto* const failure = std::get_if<Failure>(&area)) {
            return *failure;
        }
        query.region = std::get<Rect>(area);
    }
    return query;
}

Attempt<Found> find_in(const Node& target, Context& context, const Look& look) {
    Attempt<TargetQuery> query = query_of(target, context, look);
    if (auto* const failure = std::get_if<Failure>(&query)) {
        return *failure;
    }
    Result<Found> found = context.locator.find(std::get<TargetQuery>(query), {look.shot.image, look.elements});
    if (!found) {
        const bool is_missing = found.error().code == ErrorCode::NotFound || found.error().code == ErrorCode::InvalidArgument;
        return fail(is_missing ? FailureKind::TargetNotFound : FailureKind::Failed, found.error().message);
    }
    if (!found->best.is_enabled) {
        return fail(FailureKind::TargetNotFound, fmt::format("{} is there, and is switched off", describe(std::get<TargetQuery>(query))));
    }
    return *std::move(found);
}

Outcome wait_for(const Node& target, Context& context) {
    const Duration within = duration_of(target, "within", kTargetWithin);
    const TimePoint half = context.hands.clock().now() + within / 2;
    bool may_move = !context.pointer_is_placed;
    Failure last = fail(FailureKind::TargetNotFound, "nothing was looked at");
    const Attempt<bool> found = context.until(within, [&]() -> Attempt<bool> {
        if (may_move && context.hands.clock().now() >= half) {
            may_move = false;
            if (Outcome broken = move_pointer_aside(context)) {
                return *std::move(broken);
            }
        }
        const Result<Look> look = context.hands.look();
        if (!look) {
            return fail(FailureKind::Failed, "the screen could not be read: " + look.error().message);
        }
        Attempt<Found> now = find_in(target, context, *look);
        auto* const failure = std::get_if<Failure>(&now);
        if (failure == nullptr) {
            return true;
        }
        last = *failure;
        return last.kind == FailureKind::TargetNotFound ? Attempt<bool>(false) : Attempt<bool>(last);
    });
    if (const auto* const failure = std::get_if<Failure>(&found)) {
        return *failure;
    }
    return std::get<bool>(found) ? std::nullopt : Outcome(last);
}

Rung meant_rung(const Node& target) {
    constexpr std::array<std::pair<std::string_view, Rung>, 5> kMeant{
        {{"id", Rung::Structure}, {"role", Rung::Structure}, {"label", Rung::Structure}, {"template", Rung::Template}, {"text", Rung::Text}}};
    for (const auto& [key, rung] : kMeant) {
        if (target.find(key) != nullptr) {
            return rung;
        }
    }
    return target.find("landmarks") != nullptr ? Rung::Landmark : target.find("model") != nullptr ? Rung::Model : Rung::Coordinates;
}

void note_found(Context& context, const Node& target, const Found& found) {
    StepRecord& record = *context.record;
    record.rung = rung_name(found.best.rung);
    record.score = found.best.score;
    record.margin = found.margin;
    record.point = found.point;
    record.drift.reset();
    if (const Node* const was = target.find("was"); was != nullptr && was->items.size() == 4) {
        const Point then = rect_of(*was).center();
        const Rung meant = meant_rung(target);
        record.drift = Drift{found.point.x - then.x, found.point.y - then.y, found.best.rung > meant ? std::string(rung_name(meant)) : ""};
    }
}

std::string found_json(const Found& found, const std::optional<Drift>& drift, bool is_irreversible) {
    const Rect& box = found.best.box;
    nlohmann::json out{{"rung", rung_name(found.best.rung)},
                       {"score", found.best.score},
                       {"margin", found.margin},
                       {"what", found.best.what_utf8},
                       {"box", {{"x", box.x}, {"y", box.y}, {"width", box.width_px}, {"height", box.height_px}}},
                       {"tried", found.tried}};
    if (is_irreversible) {
        out["irreversible"] = true;
    }
    if (drift) {
        out["drift"] = {{"right", drift->right_px}, {"down", drift->down_px}};
        if (!drift->instead_of.empty()) {
            out["drift"]["instead_of"] = drift->instead_of;
        }
    }
    return dump_json(out);
}

} // namespace handeye::taskrun
