// SPDX-License-Identifier: Apache-2.0
// The failures that were kept, side by side on one page.
#pragma once

#include "apps/miniwob/episode.h"
#include "apps/miniwob/summary.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace handeye::miniwob {

/// For people: "wrong click or value", "not over after its last step".
std::string_view ending_words(Ending ending);
/// A page with a row for each episode of `results` that failed and whose recording lies in `keep`: by group and task, as `summary` has them.
std::string failures_page(const Summary& summary, std::span<const EpisodeResult> results, const std::filesystem::path& keep, const std::string& title);

} // namespace handeye::miniwob
