// SPDX-License-Identifier: Apache-2.0
// The finished episodes of a run, one line of JSON each, in a folder beside the settings that they were played with: what makes a run
// that was interrupted go on, and keeps results of different models apart.
#pragma once

#include "apps/miniwob/episode.h"
#include "base/file.h"
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

/// One line, without its end; `line` is untrusted: ParseFailed names what is wrong with it.
std::string to_line(const EpisodeResult& result);
Result<EpisodeResult> from_line(std::string_view line);

/// InvalidArgument names each setting that differs, with both values; what only one of them has differs.
Result<void> check_same_settings(const nlohmann::json& recorded, const nlohmann::json& wanted, const std::filesystem::path& folder);

/// Appends; any thread, one at a time. One writer at a time has the folder.
class Journal {
public:
    /// Creates the folder, or goes on in one: what a crash left of a last line is cut off. InvalidArgument as check_same_settings(),
    /// Unavailable where another program writes there, ParseFailed with the line that is damaged.
    static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& folder, const nlohmann::json& settings);

    /// On the disk when it returns.
    Result<void> add(const EpisodeResult& result);
    /// All, those of earlier runs first.
    [[nodiscard]] const std::vector<EpisodeResult>& results() const { return results_; }
    [[nodiscard]] bool has(std::string_view task, std::uint64_t seed) const;

private:
    Journal(FileDescriptor file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
    Result<void> read_back();

    FileDescriptor file_;
    std::filesystem::path path_;
    std::vector<EpisodeResult> results_;
    std::set<std::pair<std::string, std::uint64_t>, std::less<>> known_; ///< task and seed of each
};

} // namespace handeye::miniwob
