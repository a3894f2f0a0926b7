// SPDX-License-Identifier: Apache-2.0
// The ladder: rung after rung, what each has to say kept for the answer or the error.
#include "agent/locate/choose.h"
#include "agent/locate/limits.h"
#include "agent/locate/roles.h"
#include "agent/locate/rungs.h"
#include "agent/locate/words.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace handeye {
namespace {

using locate::Choice;
using locate::Look;
using locate::Matches;

constexpr int kIndexMax = 1000;

bool has_words(const TargetQuery& query) { return !query.text_utf8.empty() || !query.label_utf8.empty(); }
bool has_structure(const TargetQuery& query) { return has_words(query) || !query.id.empty() || !query.role.empty(); }
bool is_place_alone(const TargetQuery& query) {
    return query.at && !has_structure(query) && query.picture.is_empty() && query.landmarks.empty() && query.description_utf8.empty();
}

Result<std::filesystem::path> reader_beside_us() {
    std::error_code failed;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
    return failed ? Result<std::filesystem::path>(Error{ErrorCode::Unavailable, "this program's own path is not known"}) : self.parent_path() / "handeye-reader";
}

/// One find() on its way down.
struct Descent {
    Look look;
    std::vector<std::string> tried;
    std::vector<Candidate> several; // of the first rung that had too many
    Rung several_of = Rung::Structure;
    std::optional<Result<std::vector<Rect>>> neighbours; // looked for once, when the first rung needs them
};

class LadderLocator final : public Locator {
public:
    explicit LadderLocator(LocatorOptions options)
        : options_(std::move(options)), text_(options_.reader.empty() ? reader_beside_us().value_or(std::filesystem::path()) : options_.reader, options_.languages) {}

    Result<Found> find(const TargetQuery& query, const LookedAt& seen) override;
    Result<std::vector<ReadText>> read_lines(const LookedAt& seen, std::optional<Rect> region) override;

private:
    std::optional<Found> climb(Descent& descent, Rung rung);
    std::optional<Found> take(Descent& descent, Rung rung, const Matches& matches);
    Result<Matches> match(Descent& descent, Rung rung);
    Result<Matches> ask_model(const Look& look) const;

    const LocatorOptions options_;
    locate::ScreenText text_;
};

/// Recorded with nothing but its kind and what stood around it: any field would do for its kind.
bool is_nameless_field(const TargetQuery& query) {
    return locate::is_field_role(query.role) && !has_words(query) && query.id.empty() && !query.near && query.index == 0 && !query.landmarks.empty();
}

bool is_asked(const TargetQuery& query, Rung rung) {
    switch (rung) {
    case Rung::Structure: return has_structure(query);
    case Rung::LocalTemplate: return !query.picture.is_empty() && query.was_at.has_value();
    case Rung::Template: return !query.picture.is_empty();
    case Rung::Text: return has_words(query);
    case Rung::Landmark: return !query.landmarks.empty();
    case Rung::Model: return !query.description_utf8.empty();
    case Rung::Coordinates: return query.at.has_value();
    }
    return false;
}

const std::vector<Rect>& neighbours_of(Descent& descent, std::string& problem) {
    static const std::vector<Rect> kNone;
    const TargetQuery& query = descent.look.query;
    if (!query.near) {
        return kNone;
    }
    if (!descent.neighbours) {
        const Neighbour& near = *query.near;
        const std::string& words = near.text_utf8.empty() ? near.label_utf8 : near.text_utf8;
        descent.neighbours = words.empty() ? locate::places_of(descent.look, near.picture) : locate::places_of(descent.look, words);
    }
    if (!descent.neighbours->has_value()) {
        problem = "its neighbour: " + descent.neighbours->error().message;
        return kNone;
    }
    problem = (*descent.neighbours)->empty() ? "its neighbour was not found" : "";
    return **descent.neighbours;
}

Result<Matches> place(const Look& look) {
    const Point at = *look.query.at;
    if (!look.area.contains(at)) {
        return Error{ErrorCode::OutOfBounds, fmt::format("{},{} lies outside of what is looked at", at.x, at.y)};
    }
    Matches matches;
    matches.all.push_back({Rung::Coordinates, {at.x, at.y, 1, 1}, is_place_alone(look.query) ? 1.0 : 0.0, "a place", true});
    return matches;
}

Result<Matches> LadderLocator::ask_model(const Look& look) const {
    if (!options_.ask_model) {
        return Error{ErrorCode::Unsupported, "no model may be asked"};
    }
    const Rect box = TRY(options_.ask_model(look.seen.image, look.query.description_utf8));
    const Size size = look.seen.image.size();
    const Rect inside = box.intersected({0, 0, size.width_px, size.height_px});
    if (inside.size().is_empty()) {
        return Error{ErrorCode::OutOfBounds, "the model's answer lies outside of the screen"};
    }
    Matches matches;
    matches.all.push_back({Rung::Model, inside, locate::limits_of(Rung::Model).score_min, look.query.description_utf8, true});
    return matches;
}

Result<Matches> LadderLocator::match(Descent& descent, Rung rung) {
    switch (rung) {
    case Rung::Structure: return locate::match_structure(descent.look);
    case Rung::LocalTemplate: return locate::match_local_template(descent.look);
    case Rung::Template: return locate::match_template(descent.look);
    case Rung::Text:
        if (!descent.several.empty() && descent.several_of == Rung::Structure) {
            return Error{ErrorCode::Unsupported, "words do not tell them apart"};
        }
        return locate::match_text(descent.look);
    case Rung::Landmark: return locate::match_landmarks(descent.look);
    case Rung::Model: return ask_model(descent.look);
    case Rung::Coordinates: return place(descent.look);
    }
    return Error{ErrorCode::Internal, "an unknown rung"};
}

std::optional<Found> LadderLocator::take(Descent& descent, Rung rung, const Matches& matches) {
    std::string problem;
    const bool is_place = rung == Rung::Model || rung == Rung::Coordinates || rung == Rung::Landmark; // one place: a neighbour tells nothing
    TargetQuery bare = descent.look.query;
    bare.near.reset();
    bare.index = 0;
    const Look look = is_place ? Look{bare, descent.look.seen, descent.look.text, descent.look.area} : descent.look;
    const std::vector<Rect> neighbours = is_place ? std::vector<Rect>() : neighbours_of(descent, problem);
    Choice choice = problem.empty() ? locate::choose(matches, look, locate::limits_of(rung), neighbours) : Choice{{}, {}, problem};
    const auto note = [&](const std::string& why) { descent.tried.push_back(fmt::format("{}: {}", rung_name(rung), why)); };
    if (!choice.several.empty()) {
        note(fmt::format("{} fit: {}", choice.several.size(), locate::listed(choice.several)));
        if (descent.several.empty()) {
            descent.several = std::move(choice.several);
            descent.several_of = rung;
        }
        return std::nullopt;
    }
    if (!choice.found) {
        note(choice.miss);
        return std::nullopt;
    }
    const bool is_blind = rung == Rung::LocalTemplate || rung == Rung::Template || rung == Rung::Landmark || rung == Rung::Coordinates;
    if (const std::string against = is_blind ? locate::contradiction(descent.look, choice.found->point) : std::string(); !against.empty()) {
        note(against);
        return std::nullopt;
    }
    choice.found->tried = std::move(descent.tried);
    return std::move(choice.found);
}

std::optional<Found> LadderLocator::climb(Descent& descent, Rung rung) {
    if (!is_asked(descent.look.query, rung)) {
        return std::nullopt;
    }
    if (rung == Rung::Structure && is_nameless_field(descent.look.query)) {
        descent.tried.push_back(fmt::format("{}: its kind alone tells no field from another", rung_name(rung)));
        return std::nullopt;
    }
    const Result<Matches> matches = match(descent, rung);
    if (!matches) {
        descent.tried.push_back(fmt::format("{}: {}", rung_name(rung), matches.error().message));
        return std::nullopt;
    }
    return take(descent, rung, *matches);
}

Result<Found> LadderLocator::find(const TargetQuery& query, const LookedAt& seen) {
    const Size size = seen.image.size();
    const Rect screen{0, 0, size.width_px, size.height_px};
    if (screen.size().is_empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is looked for on a screen without pixels", describe(query))};
    }
    if (query.index < 0 || query.index > kIndexMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the index {} lies outside of 0..{}", query.index, kIndexMax)};
    }
    const Rect area = query.region ? query.region->intersected(screen) : screen;
    if (area.size().is_empty()) {
        return Error{ErrorCode::NotFound, fmt::format("{} was not found: the region lies outside of the {}x{} screen", describe(query), size.width_px, size.height_px)};
    }
    Descent descent{{query, seen, text_, area}, {}, {}, Rung::Structure, {}};
    for (const Rung rung : {Rung::Structure, Rung::LocalTemplate, Rung::Template, Rung::Text, Rung::Landmark, Rung::Model, Rung::Coordinates}) {
        if (auto found = climb(descent, rung)) {
            return std::move(*found);
        }
    }
    if (descent.tried.empty()) {
        return Error{ErrorCode::InvalidArgument, "nothing was said about the target"};
    }
    if (!descent.several.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is not one but {}: {}. What tells them apart: near (a neighbour), region or index\n{}", describe(query), descent.several.size(),
                                                             locate::listed(descent.several), fmt::join(descent.tried, "\n"))};
    }
    return Error{ErrorCode::NotFound, fmt::format("{} was not found\n{}", describe(query), fmt::join(descent.tried, "\n"))};
}

Result<std::vector<ReadText>> LadderLocator::read_lines(const LookedAt& seen, std::optional<Rect> region) {
    const Rect screen{0, 0, seen.image.size().width_px, seen.image.size().height_px};
    std::vector<ReadText> read;
    for (const locate::TextLine& line : TRY(text_.lines(seen.image, region ? region->intersected(screen) : screen))) {
        read.push_back({line.text(), line.box, line.confidence()});
    }
    return read;
}

} // namespace

std::unique_ptr<Locator> Locator::create(LocatorOptions options) { return std::make_unique<LadderLocator>(std::move(options)); }

} // namespace handeye
