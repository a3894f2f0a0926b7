// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/journal.h"

#include "agent/history.h"
#include "apps/kept/folder.h"
#include "apps/kept/settings.h"
#include "base/json.h"
#include "base/json_fields.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

constexpr std::size_t kWordsBytesMax = 2000; ///< of a goal and of a reason, which may be a model's or a page's own words

json to_json(const Profile& profile) {
    const auto ms = [](double seconds) { return std::round(seconds * 1e4) / 10; };
    return {{"open", ms(profile.open)}, {"capture", ms(profile.capture)}, {"model", ms(profile.model)}, {"act", ms(profile.act)}, {"settle", ms(profile.settle)}, {"rest", ms(profile.rest)}};
}

Profile profile_from(const json& ms) {
    const auto seconds = [&ms](const char* key) { return json_number(ms, key) / 1e3; };
    return {seconds("open"), seconds("capture"), seconds("model"), seconds("act"), seconds("settle"), seconds("rest")};
}

} // namespace

json to_json(const EpisodeResult& result) {
    return {{"task", result.task},
            {"seed", result.seed},
            {"outcome", ending_name(result.ending)},
            {"raw_reward", result.raw_reward},
            {"steps", result.steps},
            {"model_calls", result.model_calls},
            {"tokens", result.tokens},
            {"seconds", std::round(result.seconds * 1e3) / 1e3},
            {"reason", clip_utf8(result.reason, kWordsBytesMax)},
            {"goal", clip_utf8(result.goal, kWordsBytesMax)},
            {"profile_ms", to_json(result.profile)}};
}

Result<EpisodeResult> from_json(const json& data) {
    EpisodeResult result;
    result.task = json_text(data, "task");
    if (find_task(result.task) == nullptr) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"task\" is \"{}\", which is none", result.task.substr(0, 80))};
    }
    const json& seed = json_member(data, "seed");
    if (!seed.is_number_unsigned()) {
        return Error{ErrorCode::ParseFailed, "\"seed\" is no whole number"};
    }
    result.seed = seed.get<std::uint64_t>();
    const std::optional<Ending> ending = find_ending(json_text(data, "outcome"));
    if (!ending) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"outcome\" is \"{}\", which is none", json_text(data, "outcome").substr(0, 80))};
    }
    result.ending = *ending;
    result.raw_reward = json_number(data, "raw_reward", 2);
    result.steps = json_int(data, "steps", -1);
    result.model_calls = json_int(data, "model_calls", -1);
    result.tokens = static_cast<std::int64_t>(json_number(data, "tokens"));
    result.seconds = json_number(data, "seconds", -1);
    if (std::abs(result.raw_reward) > 1 || result.steps < 0 || result.model_calls < 0 || result.seconds < 0 || (result.ending == Ending::Solved) != (result.raw_reward == 1)) {
        return Error{ErrorCode::ParseFailed, "reward, steps, model calls or seconds are missing or cannot be"};
    }
    result.reason = json_text(data, "reason");
    result.goal = json_text(data, "goal");
    result.profile = profile_from(json_object(data, "profile_ms"));
    return result;
}

Result<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& folder, const json& settings) {
    TRY(kept::open_folder(folder, kSettingsFile));
    TRY(kept::keep_settings(folder / kSettingsFile, settings));
    std::unique_ptr<Journal> journal(new Journal);
    const auto take = [&journal](const json& line) -> Result<void> {
        journal->take(TRY(from_json(line)));
        return {};
    };
    journal->log_ = std::make_unique<kept::LineLog>(TRY(kept::LineLog::open(folder / kEpisodesFile, take)));
    return journal;
}

void Journal::take(EpisodeResult result) {
    if (known_.emplace(result.task, result.seed).second) {
        results_.push_back(std::move(result));
    }
}

Result<void> Journal::add(const EpisodeResult& result) {
    TRY(log_->add(to_json(result)));
    take(result);
    return {};
}

bool Journal::has(std::string_view task, std::uint64_t seed) const { return known_.contains(std::pair(std::string(task), seed)); }

} // namespace handeye::miniwob
