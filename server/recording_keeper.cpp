// SPDX-License-Identifier: Apache-2.0
#include "server/recording_keeper.h"

#include "agent/recording_folder.h"
#include "base/log.h"

#include <fmt/format.h>

namespace handeye {
namespace {

double mebi(std::uint64_t bytes) { return static_cast<double>(bytes) / (1U << 20U); }

} // namespace

RecordingKeeper::RecordingKeeper(std::filesystem::path folder, RecordingRules rules, Clock& clock, std::stop_token ending)
    : folder_(std::move(folder)), clock_(clock), ending_(std::move(ending)), rules_(rules), worker_(1) {}

void RecordingKeeper::set_rules(const RecordingRules& rules) {
    const std::lock_guard lock(mutex_);
    rules_ = rules;
}

RecordingRules RecordingKeeper::rules() const {
    const std::lock_guard lock(mutex_);
    return rules_;
}

Result<void> RecordingKeeper::make_room() {
    const RecordingRules now = rules();
    if (now.quota_bytes == 0) {
        return {};
    }
    const std::lock_guard one(making_room_);
    std::vector<RecordingEntry> entries = TRY(list_recordings(folder_));
    if (total_bytes(entries) >= now.quota_bytes && now.when_full == RecordingRules::WhenFull::DeleteOldest) {
        const PrunePlan plan = plan_prune(std::move(entries), {.bytes_max = now.quota_bytes - 1}, clock_.wall_now());
        for (const PrunePlan::Victim& victim : plan.victims) {
            remove(victim.entry.path, "the quota is used up");
        }
        entries = TRY(list_recordings(folder_));
    }
    if (const std::uint64_t used = total_bytes(entries); used >= now.quota_bytes) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("the recordings in {} take {:.1f} MiB, the quota is {:.1f} MiB (recordings.quota_bytes): delete some with "
                                 "`handeye sessions prune`, or allow more",
                                 folder_.string(), mebi(used), mebi(now.quota_bytes))};
    }
    return {};
}

void RecordingKeeper::sweep() {
    const RecordingRules now = rules();
    if (now.age_max == Duration::zero()) {
        return;
    }
    auto entries = list_recordings(folder_);
    if (!entries) {
        log::warn("server", fmt::format("old recordings stay: {}", entries.error().message));
        return;
    }
    const PrunePlan plan = plan_prune(*std::move(entries), {.age_max = now.age_max}, clock_.wall_now());
    for (const PrunePlan::Victim& victim : plan.victims) {
        if (ending_.stop_requested()) {
            return;
        }
        remove(victim.entry.path, "it is older than recordings.keep_days");
    }
}

void RecordingKeeper::sweep_soon() {
    (void)worker_.submit([this] { sweep(); }); // full: one that has not begun sees the same folder
}

void RecordingKeeper::remove(const std::filesystem::path& path, std::string_view reason) const {
    if (const auto removed = delete_recording(path); removed) {
        log::info("server", fmt::format("{} was deleted: {}", path.string(), reason));
    } else {
        log::warn("server", fmt::format("a recording stays: {}", removed.error().message));
    }
}

} // namespace handeye
