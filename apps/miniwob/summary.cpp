// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/summary.h"

#include "base/wilson.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::miniwob {
namespace {

using nlohmann::json;

double percent(double share) { return share * 100; }

std::string rate_words(const Tally& tally) {
    const ShareInterval interval = wilson_interval(tally.solved, tally.episodes);
    return fmt::format("{:5.1f} % ({:.1f} to {:.1f})", percent(tally.rate()), percent(interval.low), percent(interval.high));
}

json to_json(const Tally& tally) {
    const ShareInterval interval = wilson_interval(tally.solved, tally.episodes);
    json outcomes = json::object();
    for (const auto& [ending, count] : tally.endings) {
        outcomes[std::string(ending_name(ending))] = count;
    }
    return {{"episodes", tally.episodes},
            {"successes", tally.solved},
            {"rate", tally.rate()},
            {"interval_95", {interval.low, interval.high}},
            {"positive", tally.positive},
            {"mean_reward", tally.mean(tally.rewards)},
            {"mean_steps", tally.mean(static_cast<double>(tally.steps))},
            {"mean_model_calls", tally.mean(static_cast<double>(tally.model_calls))},
            {"model_calls", tally.model_calls},
            {"seconds", tally.seconds},
            {"outcomes", outcomes}};
}

json to_json(const Row& row) {
    json out = to_json(row.tally);
    out["name"] = row.name;
    if (!row.group.empty()) {
        out["group"] = row.group;
    }
    return out;
}

std::string text_row(std::string_view name, const Tally& tally) {
    return fmt::format("{:28} {:6}/{:<6} {:27} {:7.2f} {:6.1f} {:6.1f} {:8.2f}\n", name, tally.solved, tally.episodes, rate_words(tally), tally.mean(tally.rewards),
                       tally.mean(static_cast<double>(tally.steps)), tally.mean(static_cast<double>(tally.model_calls)), tally.mean(tally.seconds));
}

std::string markdown_row(const std::string& name, const Tally& tally) {
    const ShareInterval interval = wilson_interval(tally.solved, tally.episodes);
    return fmt::format("| {} | {} | {} | {:.1f} | {:.1f} to {:.1f} | {} | {:.2f} | {:.1f} | {:.1f} | {:.0f} |\n", name, tally.episodes, tally.solved, percent(tally.rate()),
                       percent(interval.low), percent(interval.high), tally.positive, tally.mean(tally.rewards), tally.mean(static_cast<double>(tally.steps)),
                       tally.mean(static_cast<double>(tally.model_calls)), tally.seconds);
}

constexpr const char* kMarkdownHead = "episodes | reward 1 | % | 95 % interval | reward > 0 | mean reward | steps | model calls | seconds |\n|---|---|---|---|---|---|---|---|---|---|\n";

std::string endings_table(const Summary& summary) {
    std::string head = "| how it ended |";
    std::string line = "|---|";
    for (const Row& row : summary.groups) {
        head += fmt::format(" {} |", row.name);
        line += "---|";
    }
    std::string out = head + " all |\n" + line + "---|\n";
    for (const Ending ending : endings()) {
        const auto of = [ending](const Tally& tally) {
            const auto found = tally.endings.find(ending);
            return found == tally.endings.end() ? 0 : found->second;
        };
        if (of(summary.all) == 0) {
            continue;
        }
        out += fmt::format("| {} |", ending_name(ending));
        for (const Row& row : summary.groups) {
            out += fmt::format(" {} |", of(row.tally));
        }
        out += fmt::format(" {} |\n", of(summary.all));
    }
    return out;
}

std::string profile_words(const Tally& tally) {
    const Profile& p = tally.profile;
    const double steps = std::max(1.0, static_cast<double>(tally.steps));
    const auto ms = [steps](double seconds) { return seconds * 1e3 / steps; };
    return fmt::format("a step: {:.0f} ms model, {:.0f} ms capture, {:.0f} ms input, {:.0f} ms settle, {:.0f} ms rest; {:.0f} ms to open a page", ms(p.model), ms(p.capture), ms(p.act), ms(p.settle),
                       ms(p.rest), tally.mean(p.open) * 1e3);
}

} // namespace

void Tally::add(const EpisodeResult& result) {
    ++episodes;
    solved += result.ending == Ending::Solved ? 1 : 0;
    positive += result.raw_reward > 0 ? 1 : 0;
    rewards += result.raw_reward;
    steps += result.steps;
    model_calls += result.model_calls;
    seconds += result.seconds;
    ++endings[result.ending];
    profile.add(result.profile);
}

void Tally::add(const Tally& other) {
    episodes += other.episodes;
    solved += other.solved;
    positive += other.positive;
    rewards += other.rewards;
    steps += other.steps;
    model_calls += other.model_calls;
    seconds += other.seconds;
    for (const auto& [ending, count] : other.endings) {
        endings[ending] += count;
    }
    profile.add(other.profile);
}

Summary summarise(std::span<const EpisodeResult> results) {
    std::map<std::string, Tally, std::less<>> by_task;
    for (const EpisodeResult& result : results) {
        by_task[result.task].add(result);
    }
    Summary summary;
    double rates = 0;
    for (const Group group : groups()) {
        Row of_group{std::string(group_name(group)), "", {}};
        for (const auto& [name, tally] : by_task) {
            if (find_task(name)->group == group) {
                summary.tasks.push_back({name, of_group.name, tally});
                of_group.tally.add(tally);
                rates += tally.rate();
            }
        }
        if (of_group.tally.episodes > 0) {
            summary.all.add(of_group.tally);
            summary.groups.push_back(std::move(of_group));
        }
    }
    summary.macro_rate = summary.tasks.empty() ? 0 : rates / static_cast<double>(summary.tasks.size());
    return summary;
}

json to_json(const Summary& summary) {
    json out{{"all", to_json(summary.all)}, {"groups", json::array()}, {"tasks", json::array()}};
    out["all"]["mean_rate_of_tasks"] = summary.macro_rate;
    for (const Row& row : summary.groups) {
        out["groups"].push_back(to_json(row));
    }
    for (const Row& row : summary.tasks) {
        out["tasks"].push_back(to_json(row));
    }
    return out;
}

std::string to_text(const Summary& summary) {
    std::string out = fmt::format("{:28} {:>13} {:27} {:>7} {:>6} {:>6} {:>8}\n", "task", "solved", "  rate (95 % interval)", "reward", "steps", "calls", "seconds");
    std::string group;
    for (const Row& row : summary.tasks) {
        out += row.group == group ? "" : fmt::format("-- {}\n", group = row.group);
        out += text_row(row.name, row.tally);
    }
    out += "-- groups\n";
    for (const Row& row : summary.groups) {
        out += text_row(row.name, row.tally);
    }
    out += text_row("all", summary.all);
    return out + profile_words(summary.all);
}

std::string to_markdown(const Summary& summary, const std::string& head) {
    std::string out = head + "\n\n| group | " + kMarkdownHead;
    for (const Row& row : summary.groups) {
        out += markdown_row(row.name, row.tally);
    }
    out += markdown_row("all", summary.all);
    out += fmt::format("\nMean of the tasks' rates: {:.1f} %; {}.\n\n", percent(summary.macro_rate), profile_words(summary.all));
    out += endings_table(summary) + "\n| task | " + kMarkdownHead;
    for (const Row& row : summary.tasks) {
        out += markdown_row(fmt::format("{} ({})", row.name, row.group), row.tally);
    }
    return out;
}

} // namespace handeye::miniwob
