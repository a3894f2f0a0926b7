// SPDX-License-Identifier: Apache-2.0
// Plays an episode.
#include "tests/miniwob/episode.h"

#include "actions/execute.h"
#include "actions/parse.h"
#include "actions/resolve.h"
#include "base/file.h"
#include "base/json.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

constexpr int kActionsMax = 90;
constexpr Size kShown{168, 210}; // PlayerOptions::view
constexpr Rect kQueryArea{0, 0, 160, 50};                // in CSS pixels, the same on every page
constexpr Rect kTaskArea{0, 50, 160, 160};
constexpr SettleOptions kSettle{.quiet = std::chrono::milliseconds(50), .deadline = std::chrono::milliseconds(600)};
constexpr std::string_view kPlaces[] = {"x", "y", "to_x", "to_y"};

Rect scaled(Rect area, double scale) {
    const auto by = [scale](int value) { return static_cast<int>(value * scale); };
    return {by(area.x), by(area.y), by(area.width_px), by(area.height_px)};
}

using Rgb = std::array<std::uint8_t, 3>;
std::vector<Rgb> pixels_of(const Image& image) {
    const Image rgb = image.to_rgb();
    std::vector<Rgb> pixels(rgb.bytes().size() / 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        std::copy_n(rgb.bytes().begin() + static_cast<std::ptrdiff_t>(3 * i), 3, pixels[i].begin());
    }
    return pixels;
}

} // namespace

Result<void> Arena::check_picture(std::string_view task) {
    const Screenshot shot = TRY(platform_.capture());
    const double scale = double(shot.image.size().width_px) / view_.width_px;
    const std::vector<Rgb> query = pixels_of(shot.image.cropped(scaled(kQueryArea, scale)));
    const std::vector<Rgb> area = pixels_of(shot.image.cropped(scaled(kTaskArea, scale)));
    const auto is_yellow = [](Rgb pixel) { return pixel[0] > 250 && pixel[1] > 250 && pixel[2] < 5; };
    const auto yellow = static_cast<std::size_t>(std::ranges::count_if(query, is_yellow));
    const std::size_t colours = std::set<Rgb>(area.begin(), area.end()).size();
    if (yellow < query.size() / 2 || yellow == query.size() || colours < 2) {
        return Error{ErrorCode::Internal,
                     fmt::format("{}: the picture of {}x{} does not show the task: {} of {} pixels of the goal's area are yellow, {} "
                                 "colours below it", task, shot.image.size().width_px, shot.image.size().height_px, yellow,
                                 query.size(), colours)};
    }
    return {};
}

Result<void> Arena::start(std::string_view task, int seed, OracleEpisode& episode) {
    TRY(page_.open(task, {}));
    TRY(page_.start(static_cast<std::uint64_t>(seed)));
    TRY(page_.goal());
    TRY(tools_.open_world());
    TRY(tools_.evaluate_apart(oracle_ + "\n;0"));
    episode.goal = dump_json(TRY(tools_.evaluate("core.getUtterance()"))); // with the fields that some tell beside the words
    TRY(platform_.settle(kSettle, {}));
    return check_picture(task);
}

/// Whether the episode goes on.
Result<bool> Arena::take_step(std::string_view task, OracleEpisode& episode) {
    const Result<json> named =
        tools_.evaluate_apart(fmt::format("handeye.next({}, {})", dump_json(json(task)), episode.goal));
    if (!named) {
        episode.trouble = "the oracle: " + named.error().message;
        return false;
    }
    json wish = *named;
    if (wish.value("verb", "") == "fail") {
        episode.why_not = wish.value("message", "");
        return false;
    }
    const bool is_outside = wish.value("x", 0.0) >= kShown.width_px || wish.value("to_x", 0.0) >= kShown.width_px || wish.value("y", 0.0) >= kShown.height_px || wish.value("to_y", 0.0) >= kShown.height_px;
    episode.outside += is_outside ? 1 : 0;
    const Size frame = TRY(platform_.display()).size;
    for (const std::string_view place : kPlaces) {
        if (wish.contains(place)) {
            wish[std::string(place)] = wish[std::string(place)].get<double>() * frame.width_px / view_.width_px;
        }
    }
    episode.last_action = dump_json(wish);
    const Action action = TRY(parse_action(episode.last_action));
    const Plan plan = TRY(resolve(action, {.picture = frame, .target = frame}));
    const ActionResult done = TRY(execute(plan, platform_, clock_, {.settle = kSettle}, {}));
    ++episode.actions;
    if (done.certainty == Certainty::Refused) {
        episode.trouble = fmt::format("refused: {}", done.reason);
    } else if (done.certainty == Certainty::Partial) { // said of what a page swallows at once, too: what counts is the reward
        ++episode.partials;
        episode.last_partial = done.reason;
    }
    return episode.trouble.empty();
}

Result<OracleEpisode> Arena::play(std::string_view task, int seed) {
    OracleEpisode episode;
    TRY(start(task, seed, episode));
    for (bool goes_on = true; goes_on;) {
        const PageState end = TRY(page_.state());
        episode.is_over = end.is_over;
        episode.raw_reward = end.raw_reward;
        if (episode.is_over) {
            break;
        }
        if (episode.actions == kActionsMax) {
            episode.trouble = fmt::format("not over after {} actions", kActionsMax);
            break;
        }
        goes_on = TRY(take_step(task, episode));
    }
    return episode;
}

Result<std::string> read_oracle(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        files.push_back(entry.path());
    }
    if (error) {
        return Error{ErrorCode::NotFound, fmt::format("{}: {}", folder.string(), error.message())};
    }
    // What the others stand on comes first.
    std::ranges::sort(files, {}, [](const std::filesystem::path& file) { return std::pair(file.stem() != "page", file.string()); });
    std::string scripts;
    for (const std::filesystem::path& file : files) {
        scripts += TRY(read_file(file, 1U << 20U)) + "\n";
    }
    return scripts;
}

} // namespace handeye::miniwob
