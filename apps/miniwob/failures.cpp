// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/failures.h"

#include "agent/gallery.h"
#include "apps/miniwob/campaign.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace handeye::miniwob {
namespace {

std::string counts_of(const Tally& tally) {
    std::string out = fmt::format("{} of {} solved", tally.solved, tally.episodes);
    for (const auto& [ending, count] : tally.endings) {
        out += ending == Ending::Solved ? "" : fmt::format(", {} {}", count, ending_words(ending));
    }
    return out;
}

} // namespace

std::string_view ending_words(Ending ending) {
    switch (ending) {
    case Ending::Solved: return "solved";
    case Ending::Partial: return "part of the reward";
    case Ending::Wrong: return "wrong click or value";
    case Ending::NotOver: return "not over after its last step";
    case Ending::SaidDone: return "said done too early";
    case Ending::SaidFail: return "gave up";
    case Ending::NoAction: return "answers without an action";
    case Ending::Stuck: return "went in circles";
    case Ending::LeftPage: return "left the page";
    case Ending::Broken: return "broken";
    }
    return "";
}

std::string failures_page(const Summary& summary, std::span<const EpisodeResult> results, const std::filesystem::path& keep, const std::string& title) {
    Gallery gallery{.title = title, .words = counts_of(summary.all) + ". Of each task some that failed are shown: what the model saw at each step, where it acted, and what it said.", .rows = {}};
    for (const Row& row : summary.tasks) {
        std::vector<const EpisodeResult*> failed;
        for (const EpisodeResult& result : results) {
            std::error_code problem;
            const bool is_kept = result.task == row.name && result.ending != Ending::Solved && std::filesystem::exists(recording_file(keep, result.task, result.seed), problem);
            if (is_kept) {
                failed.push_back(&result);
            }
        }
        std::ranges::sort(failed, {}, &EpisodeResult::seed);
        for (const EpisodeResult* const result : failed) {
            gallery.rows.push_back({fmt::format("{} ({}): {}", row.name, row.group, counts_of(row.tally)), fmt::format("seed {}", result->seed), std::string(ending_words(result->ending)), result->reason, false, recording_file(keep, result->task, result->seed)});
        }
    }
    return render_gallery_html(gallery);
}

} // namespace handeye::miniwob
