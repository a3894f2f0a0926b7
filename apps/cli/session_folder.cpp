// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/session_folder.h"

#include "agent/recording_folder.h"
#include "base/file.h"
#include "base/printable.h"

#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

struct Options {
    std::string folder;
    std::string session;
    std::uint64_t age_s_max = 0;
    std::uint64_t bytes_max = 0;
    std::size_t count_max = 0;
    bool is_dry_run = false;
};

std::filesystem::path folder_of(const Options& options) { return options.folder.empty() ? state_dir() / "sessions" : std::filesystem::path(options.folder); }

// The folder that nobody named is there from the first session on.
Result<std::vector<RecordingEntry>> entries_of(const Options& options) {
    auto entries = list_recordings(folder_of(options));
    if (!entries && entries.error().code == ErrorCode::NotFound && options.folder.empty()) {
        return std::vector<RecordingEntry>();
    }
    return entries;
}

std::string size_text(std::uint64_t bytes) {
    const auto kibi = static_cast<double>(bytes) / 1024;
    return kibi < 1024 ? fmt::format("{:.1f} KiB", kibi) : fmt::format("{:.1f} MiB", kibi / 1024);
}

json facts_of(const RecordingEntry& entry) {
    return {{"session", entry.session}, {"recording", entry.path.string()}, {"size_bytes", entry.size_bytes}, {"changed", format_utc(entry.changed)},
            {"open", entry.is_open},    {"kept", entry.is_kept}};
}

json row_of(const RecordingEntry& entry) {
    json row = facts_of(entry);
    const auto summary = summarise_recording(entry.path);
    if (!summary) {
        row["error"] = summary.error().message;
        return row;
    }
    row["started"] = summary->started;
    row["goal"] = summary->goal;
    row["outcome"] = summary->outcome.empty() ? json() : json(summary->outcome);
    row["tasks"] = summary->tasks;
    row["steps"] = summary->steps;
    row["sealed"] = summary->is_sealed;
    return row;
}

// The first line, cut between two characters.
std::string short_goal(const std::string& goal_utf8) {
    constexpr std::size_t kBytesMax = 72;
    std::size_t end = std::min(goal_utf8.find('\n'), goal_utf8.size());
    if (end > kBytesMax) {
        for (end = kBytesMax; end > 0 && (static_cast<unsigned char>(goal_utf8[end]) & 0xC0U) == 0x80U; --end) {
        }
    }
    return goal_utf8.substr(0, end) + (end < goal_utf8.size() ? "..." : "");
}

// A name or a goal with a line feed in it would look like another row.
std::string one_line(const std::string& text) {
    std::string out;
    for (const char c : printable(text)) {
        out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
    }
    return out;
}

std::string outcome_text(const json& row) {
    if (row["open"].get<bool>()) {
        return "open";
    }
    return row["tasks"] == 0 ? "no task" : row["outcome"].is_null() ? "cut off" : row["outcome"].get<std::string>();
}

std::string line_of(const json& row) {
    const std::string size = size_text(row["size_bytes"].get<std::uint64_t>());
    const std::string kept = row["kept"].get<bool>() ? "  kept" : "";
    if (row.contains("error")) {
        return fmt::format("{}  {}  {:>10}  cannot be read{}: {}", row["session"].get<std::string>(), row["changed"].get<std::string>(), size, kept,
                           row["error"].get<std::string>());
    }
    return fmt::format("{}  {}  {:>10}  {:<15} {:>4} steps{}  {}", row["session"].get<std::string>(), row["started"].get<std::string>(), size,
                       outcome_text(row), row["steps"].get<std::uint64_t>(), kept, short_goal(row["goal"].get<std::string>()));
}

Result<int> list(const Options& options, const Context& context) {
    const std::vector<RecordingEntry> entries = TRY(entries_of(options));
    json rows = json::array();
    for (const RecordingEntry& entry : entries) {
        if (context.stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "stopped"};
        }
        rows.push_back(row_of(entry));
        if (!context.json) {
            print(one_line(line_of(rows.back())));
        }
    }
    const std::uint64_t total = total_bytes(entries);
    if (context.json) {
        print_json({{"folder", folder_of(options).string()}, {"sessions", std::move(rows)}, {"total_bytes", total}});
    } else {
        print(entries.empty() ? fmt::format("no recordings in {}", folder_of(options).string())
                              : fmt::format("{} in {}, {}", entries.size(), folder_of(options).string(), size_text(total)));
    }
    return 0;
}

struct Pruned {
    json deleted = json::array();
    json failed = json::array();
    std::uint64_t freed_bytes = 0;
    int code = 0;
};

Pruned carry_out(const PrunePlan& plan, const Options& options, const Context& context) {
    Pruned out;
    for (const PrunePlan::Victim& victim : plan.victims) {
        if (context.stop.stop_requested()) {
            out.code = exit_code(ErrorCode::Cancelled);
            return out;
        }
        json row = facts_of(victim.entry);
        row["reason"] = prune_reason_name(victim.reason);
        const auto done = options.is_dry_run ? Result<void>() : delete_recording(victim.entry.path);
        if (!done) {
            row["error"] = done.error().message;
            out.code = exit_code(done.error().code);
            fmt::print(stderr, "handeye: {}\n", done.error().message);
        } else if (!context.json) {
            print(fmt::format("{} {}  {}  {:>10}  ({})", options.is_dry_run ? "would delete" : "deleted", victim.entry.session,
                              format_utc(victim.entry.changed), size_text(victim.entry.size_bytes), prune_reason_name(victim.reason)));
        }
        out.freed_bytes += done ? victim.entry.size_bytes : 0;
        (done ? out.deleted : out.failed).push_back(std::move(row));
    }
    return out;
}

Result<int> prune(const Options& options, const PruneRules& rules, const Context& context) {
    if (!rules.age_max && !rules.count_max && !rules.bytes_max) {
        return Error{ErrorCode::InvalidArgument, "say what may stay: --older-than, --max-size or --max-count; --dry-run shows what would go"};
    }
    SystemClock clock;
    const PrunePlan plan = plan_prune(TRY(entries_of(options)), rules, clock.wall_now());
    const Pruned pruned = carry_out(plan, options, context);
    const std::uint64_t left = total_bytes(plan.left);
    if (context.json) {
        print_json({{"folder", folder_of(options).string()}, {"dry_run", options.is_dry_run}, {"deleted", pruned.deleted}, {"failed", pruned.failed},
                    {"freed_bytes", pruned.freed_bytes}, {"left", plan.left.size()}, {"left_bytes", left}, {"enough", plan.is_enough}});
    } else {
        print(fmt::format("{}{} recordings, {}; {} left, {}{}", options.is_dry_run ? "would free: " : "freed: ", pruned.deleted.size(),
                          size_text(pruned.freed_bytes), plan.left.size(), size_text(left),
                          plan.is_enough ? "" : ": that is more than allowed, and all of it is open, marked to keep, or no session's file by its name"));
    }
    return pruned.code != 0 ? pruned.code : plan.is_enough ? 0 : 1;
}

Result<int> mark(const Options& options, Keeping keeping, const Context& context) {
    if (!is_session_id(options.session)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no session: `handeye sessions list` shows them", options.session)};
    }
    const std::filesystem::path path = folder_of(options) / (options.session + ".handeye");
    TRY(keep_recording(path, keeping));
    if (context.json) {
        print_json({{"session", options.session}, {"kept", keeping == Keeping::Kept}});
    } else {
        print(fmt::format("{} {}", options.session, keeping == Keeping::Kept ? "stays until `handeye sessions unkeep`" : "may go when its time comes"));
    }
    return 0;
}

CLI::App* add_prune(CLI::App& sessions, Options& options) {
    const std::map<std::string, std::uint64_t> units{{"m", 60}, {"h", 3600}, {"d", 86'400}, {"w", 7 * 86'400}};
    constexpr std::uint64_t kAgeMax = 100ULL * 366 * 86'400;
    constexpr std::uint64_t kBytesMax = 1ULL << 60U; // "-5" would be read as a large number
    constexpr std::size_t kCountMax = 1U << 30U;
    // Put before the conversions, which would read "-1d" as a very large number.
    const CLI::Validator not_negative([](std::string& text) { return text.starts_with('-') ? fmt::format("{} is negative: what may stay is counted from 0", text) : std::string(); }, "", "NOT_NEGATIVE");
    CLI::App* const prune = sessions.add_subcommand("prune", "Delete old recordings; never one that is open, marked to keep, or named by you");
    const CLI::Validator has_unit([](std::string& text) {
        const bool is_age = !text.empty() && text.find_first_not_of("0123456789.") == text.size() - 1 && std::string_view("mhdwMHDW").find(text.back()) != std::string_view::npos;
        return is_age || text.starts_with('-') ? std::string() : fmt::format("\"{}\" is no age: a number and m, h, d or w for minutes, hours, days or weeks, such as 12h or 30d", text);
    }, "", "AGE");
    prune->add_option("--older-than", options.age_s_max, "Delete those that nothing was added to for so long: 30m, 12h, 30d, 8w")
        ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "AGE"))
        ->transform(has_unit)
        ->transform(not_negative)
        ->check(CLI::Range(std::uint64_t{0}, kAgeMax))
        ->type_name("AGE");
    prune->add_option("--max-size", options.bytes_max, "Then the oldest, until the folder has no more than this: 500MB, 20GB (of 1024)")
        ->transform(CLI::AsSizeValue(false))
        ->transform(not_negative)
        ->check(CLI::Range(std::uint64_t{0}, kBytesMax))
        ->type_name("SIZE");
    prune->add_option("--max-count", options.count_max, "Then the oldest, until no more than so many are left")->transform(not_negative)->check(CLI::Range(std::size_t{0}, kCountMax))->type_name("N");
    prune->add_flag("--dry-run", options.is_dry_run, "Say what would go, and delete nothing");
    prune->footer("Try it:      handeye sessions prune --older-than 30d --max-size 20GB --dry-run\n"
                  "Exit codes:  0 done, 1 what is left is still too much and may not go, 2 bad use, 3 and 5 something could not be deleted.\n"
                  "The daemon does the same by itself: `recordings` in its configuration (docs/service.md).");
    return prune;
}

} // namespace

std::vector<std::pair<CLI::App*, Runner>> declare_folder_commands(CLI::App& sessions) {
    const auto options = std::make_shared<Options>();
    CLI::App* const all = sessions.add_subcommand("list", "What was recorded, newest first: id, when, size, outcome, steps, goal; needs no daemon");
    CLI::App* const pruning = add_prune(sessions, *options);
    CLI::App* const keep = sessions.add_subcommand("keep", "Mark a recording: neither `prune` nor the daemon deletes it");
    CLI::App* const unkeep = sessions.add_subcommand("unkeep", "Take that mark away");
    for (CLI::App* const command : {all, pruning, keep, unkeep}) {
        command->add_option("--dir", options->folder, "Folder of recordings (default: $XDG_STATE_HOME/handeye/sessions)");
    }
    for (CLI::App* const command : {keep, unkeep}) {
        command->add_option("ID", options->session, "Session")->required();
    }
    const auto run_prune = [options, pruning](const Context& context) {
        PruneRules rules;
        rules.age_max = pruning->count("--older-than") > 0 ? std::optional<Duration>(std::chrono::seconds(options->age_s_max)) : std::nullopt;
        rules.bytes_max = pruning->count("--max-size") > 0 ? std::optional(options->bytes_max) : std::nullopt;
        rules.count_max = pruning->count("--max-count") > 0 ? std::optional(options->count_max) : std::nullopt;
        return prune(*options, rules, context);
    };
    return {{all, [options](const Context& context) { return list(*options, context); }},
            {pruning, run_prune},
            {keep, [options](const Context& context) { return mark(*options, Keeping::Kept, context); }},
            {unkeep, [options](const Context& context) { return mark(*options, Keeping::Free, context); }}};
}

} // namespace handeye::cli
