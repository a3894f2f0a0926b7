// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/outcome.h"

#include "base/printable.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace handeye::batch {
namespace {

using nlohmann::json;

constexpr std::size_t kShownMax = 10;
constexpr std::size_t kTextShownMax = 120;
constexpr std::size_t kReasonShownMax = 400;

/// One line of a stranger's text, at most so much of it.
std::string one_line(const std::string& text, std::size_t bytes_max = kTextShownMax) {
    std::size_t end = std::min(text.size(), bytes_max);
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
        --end;
    }
    return printable_line(text.substr(0, end)) + (end < text.size() ? "..." : "");
}

std::string name_of(const Item& item) { return item.id.empty() ? fmt::format("line {}", item.line) : fmt::format("line {} ({})", item.line, one_line(item.id)); }

std::string what_it_said(const Scored& scored) {
    if (scored.reading.is_thought_open) {
        return "no answer: its thought did not end";
    }
    if (scored.reading.answer.empty()) {
        return "no answer";
    }
    return "said " + one_line(scored.verdict->read.empty() ? scored.reading.answer : scored.verdict->read);
}

json listed(const std::vector<BadLine>& lines) {
    json out = json::array();
    for (const BadLine& line : lines) {
        out.push_back({{"line", line.line}, {"reason", line.reason}});
    }
    return out;
}

std::string told(const std::vector<BadLine>& lines, const std::string& heading) {
    if (lines.empty()) {
        return "";
    }
    std::string out = heading + ":\n";
    for (std::size_t i = 0; i < std::min(lines.size(), kShownMax); ++i) {
        out += fmt::format("  line {}: {}\n", lines[i].line, one_line(lines[i].reason, kReasonShownMax));
    }
    return out + (lines.size() > kShownMax ? fmt::format("  and {} more\n", lines.size() - kShownMax) : "");
}

std::string plural(std::int64_t count, const char* word) { return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s"); }

std::string counts_text(const Outcome& outcome, const Totals& totals) {
    std::string out = fmt::format("{:<10} {} of {} chosen{}{}\n", "answered", outcome.answered.size(), outcome.chosen, outcome.unanswered.empty() ? "" : fmt::format(", {} could not be asked", outcome.unanswered.size()),
                                  outcome.bad.empty() ? "" : fmt::format("; {} of the file {} no item", plural(static_cast<std::int64_t>(outcome.bad.size()), "line"), outcome.bad.size() == 1 ? "is" : "are"));
    if (totals.scored > 0) {
        out += fmt::format("{:<10} {} of {} by {}: {:.1f} % (95 %: {:.1f} to {:.1f} %)\n", "right", totals.right, totals.scored,
                           outcome.judge.empty() ? outcome.rule : fmt::format("the judge {}", printable_line(outcome.judge)), 100.0 * static_cast<double>(totals.right) / static_cast<double>(totals.scored),
                           100 * totals.interval.low, 100 * totals.interval.high);
    }
    out += fmt::format("{:<10} {} in the prompts{}; {} in the answers{}\n", "tokens", totals.prompt_tokens, totals.image_tokens > 0 ? fmt::format(", {} of them of pictures", totals.image_tokens) : "", totals.completion_tokens,
                       outcome.judge_tokens > 0 ? fmt::format("; {} for the judge", outcome.judge_tokens) : "");
    out += fmt::format("{:<10} {} closed by force, {} cut off, {} without an answer\n", "thoughts", totals.closed_thoughts, plural(totals.cut_off, "answer"), totals.without_answer);
    if (outcome.asked_now > 0) {
        out += fmt::format("{:<10} {:.1f} s for {}\n", "time", outcome.seconds, plural(static_cast<std::int64_t>(outcome.asked_now), "answer"));
    }
    return out;
}

} // namespace

Totals totals_of(const Outcome& outcome) {
    Totals out;
    for (const Scored& one : outcome.answered) {
        out.scored += one.verdict ? 1 : 0;
        out.right += one.verdict && one.verdict->is_right ? 1 : 0;
        out.prompt_tokens += one.answer->prompt_tokens;
        out.image_tokens += one.answer->image_tokens;
        out.completion_tokens += one.answer->completion_tokens;
        out.closed_thoughts += one.answer->is_thought_closed ? 1 : 0;
        out.cut_off += one.answer->stop_reason == "max_tokens" || one.answer->stop_reason == "context_full" ? 1 : 0;
        out.without_answer += one.reading.is_thought_open || one.reading.answer.empty() ? 1 : 0;
    }
    out.interval = wilson_interval(out.right, out.scored);
    return out;
}

json to_json(const Scored& scored) {
    json out{{"line", scored.item->line}, {"answer", scored.reading.answer}, {"references", scored.item->references}, {"stop_reason", scored.answer->stop_reason}};
    if (!scored.item->id.empty()) {
        out["id"] = scored.item->id;
    }
    if (scored.verdict) {
        out["right"] = scored.verdict->is_right;
        out["read"] = scored.verdict->read;
    }
    return out;
}

json to_json(const Outcome& outcome) {
    const Totals totals = totals_of(outcome);
    json failures = json::array();
    for (const Scored* const one : failures_of(outcome)) {
        failures.push_back(to_json(*one));
    }
    json out{{"file", outcome.file},
             {"model", outcome.model},
             {"score", outcome.rule},
             {"chosen", outcome.chosen},
             {"answered", outcome.answered.size()},
             {"scored", totals.scored},
             {"right", totals.right},
             {"tokens", {{"prompt", totals.prompt_tokens}, {"image", totals.image_tokens}, {"completion", totals.completion_tokens}, {"judge", outcome.judge_tokens}}},
             {"thoughts_closed_by_force", totals.closed_thoughts},
             {"cut_off", totals.cut_off},
             {"without_answer", totals.without_answer},
             {"asked_now", outcome.asked_now},
             {"seconds", outcome.seconds},
             {"failures", failures},
             {"unanswered", listed(outcome.unanswered)},
             {"unjudged", listed(outcome.unjudged)},
             {"bad_lines", listed(outcome.bad)}};
    if (!outcome.judge.empty()) {
        out["judge"] = outcome.judge;
    }
    if (totals.scored > 0) {
        out["rate"] = static_cast<double>(totals.right) / static_cast<double>(totals.scored);
        out["interval_95"] = {totals.interval.low, totals.interval.high};
    }
    return out;
}

std::vector<std::string> right_ones(const Item& item, std::string_view rule) {
    if (rule == rule_name(Rule::Click) && item.references.size() > 1) {
        return {fmt::format("[{}]", fmt::join(item.references, ", "))};
    }
    return item.references;
}

std::vector<const Scored*> failures_of(const Outcome& outcome) {
    std::vector<const Scored*> out;
    for (const Scored& one : outcome.answered) {
        if (one.verdict && !one.verdict->is_right) {
            out.push_back(&one);
        }
    }
    return out;
}

std::string to_text(const Outcome& outcome) {
    std::string out = counts_text(outcome, totals_of(outcome));
    const std::vector<const Scored*> failures = failures_of(outcome);
    out += failures.empty() ? "" : "not right:\n";
    for (std::size_t i = 0; i < std::min(failures.size(), kShownMax); ++i) {
        const Scored& one = *failures[i];
        const std::vector<std::string> right = right_ones(*one.item, outcome.rule);
        out += fmt::format("  {}: {}; right is {}{}\n", name_of(*one.item), what_it_said(one), one_line(right.front()), right.size() > 1 ? fmt::format(" (or {} more)", right.size() - 1) : "");
    }
    out += failures.size() > kShownMax ? fmt::format("  and {} more\n", failures.size() - kShownMax) : "";
    out += told(outcome.unanswered, "could not be asked, and are asked again by the same command");
    out += told(outcome.unjudged, "without a verdict");
    out += told(outcome.bad, "no items");
    out.pop_back(); // the last line feed
    return out;
}

} // namespace handeye::batch
