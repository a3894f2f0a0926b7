// SPDX-License-Identifier: Apache-2.0
// The finished episodes of a run, one line of JSON each, in a folder beside the settings that they were played with: what makes a run
// that was interrupted go on, and keeps results of different models apart.
#pragma once

#include "apps/kept/line_log.h"
#include "apps/miniwob/episode.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::miniwob {

inline constexpr const char* kEpisodesFile = "episodes.jsonl";
inline constexpr const char* kSettingsFile = "settings.json";

/// A line of the file; what is read back is untrusted: ParseFailed names what is wrong with it.
nlohmann::json to_json(const EpisodeResult& result);
Result<EpisodeResult> from_json(const nlohmann::json& line);

/// Appends; any thread, one at a time. One writer at a time has the folder.
class Journal {
public:
    /// Creates the folder, or goes on in one. Errors as kept::open_folder(), kept::keep_settings() and kept::LineLog::open().
    static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& folder, const nlohmann::json& settings);

    /// On the disk when it returns.
    Result<void> add(const EpisodeResult& result);
    /// All, those of earlier runs first.
    [[nodiscard]] const std::vector<EpisodeResult>& results() const { return results_; }
    [[nodiscard]] bool has(std::string_view task, std::uint64_t seed) const;

private:
    Journal() = default;
    void take(EpisodeResult result);

    std::unique_ptr<kept::LineLog> log_;
    std::vector<EpisodeResult> results_;
    std::set<std::pair<std::string, std::uint64_t>, std::less<>> known_; ///< task and seed of each
};

} // namespace handeye::miniwob
