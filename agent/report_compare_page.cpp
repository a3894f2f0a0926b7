// SPDX-License-Identifier: Apache-2.0
// Two runs side by side as one page: steps that belong together in one row, what differs above them in words, pictures of both.
#include "agent/report.h"
#include "agent/report_compare.h"
#include "agent/report_html.h"
#include "agent/report_pictures.h"
#include "agent/report_step.h"
#include "agent/report_words.h"

#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace report; // NOLINT(google-build-using-namespace): this file is that namespace's only user

constexpr std::size_t kShortPairs = 60; // of two pictures or more each

// A step that fell short before it did anything has no fellow in the other run: how the task ended says it.
SessionRecord without_cards(SessionRecord session) {
    join_file_steps(session);
    for (TaskRecord& task : session.tasks) {
        std::erase_if(task.steps, [](const StepRecord& step) { return step.index == 0; });
    }
    return session;
}

struct Run {
    Run(const Recording& recording, SessionRecord collected, PictureStore store, Pictures::Limits limits)
        : session(without_cards(std::move(collected))), chooser(chooser_of(session)), pictures(recording, session, store, limits) {}
    SessionRecord session;
    Chooser chooser;
    Pictures pictures;
};

class ComparePage {
public:
    ComparePage(const Run& mine, const Run& other, const Comparison& comparison, std::size_t room, bool is_long, const ReportOptions& options)
        : mine_(mine), other_(other), comparison_(comparison), room_(room), is_long_(is_long), mine_name_(options.name.empty() ? "this run" : options.name),
          other_name_(options.other_name.empty() ? "the other run" : options.other_name) {}

    std::string body() {
        std::string rows;
        for (const TaskPair& task : comparison_.tasks) {
            rows += task_html(task, rows.size());
        }
        std::string out = head_html();
        out += fmt::format(R"(<div class="wrap both"><div class="run-names"><span>{}</span><span>{}</span></div>)", escape(shorten(other_name_, 120)), escape(shorten(mine_name_, 120))) + rows + "</div>";
        return out + R"(<footer class="wrap foot">Made from the two recordings alone.</footer>)";
    }

private:
    static std::string chips(const std::vector<Difference>& differences) {
        std::string out;
        for (const Difference& one : differences) {
            out += "<li>" + escape(one.words) + "</li>";
        }
        return out.empty() ? "" : "<ul class=\"differences\">" + out + "</ul>";
    }

    static std::string run_row(std::string_view name, const Run& run) {
        const TaskRecord empty;
        const TaskRecord& task = run.session.tasks.empty() ? empty : run.session.tasks.back();
        const bool is_over = task.finished.is_object();
        return fmt::format("<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", name, escape(human(is_over ? text_of(task.finished, "outcome", "?") : "not finished")),
                           counted(static_cast<double>(count_steps(run.session)), "step"), is_over ? format_ms(number_of(task.finished, "wall_ms")) : "",
                           escape(readable_time(task.started_at)), escape(shorten(run.session.session_id, 60)));
    }

    std::string head_html() const {
        const std::size_t count = comparison_.count();
        const std::string goal = mine_.session.tasks.empty() ? "No task" : text_of(mine_.session.tasks.front().started, "goal", "No task");
        std::string out = R"(<header class="head"><div class="wrap"><p class="brand"><b>handeye</b> two runs</p>)";
        out += fmt::format("<h1>{}</h1><div class=\"verdict\">{}<p>{}</p></div>", escape(shorten(goal, 600)), count == 0 ? badge("ok", "the same") : badge("warn", counted(static_cast<double>(count), "difference")),
                           count == 0 ? "Every step did the same, to the same, with the same effect." : escape(fmt::format("What differs is said of {}, against {}.", shorten(mine_name_, 120), shorten(other_name_, 120))));
        out += chips(comparison_.differences);
        const int left_out = mine_.pictures.left_out() + other_.pictures.left_out();
        out += note("warn", left_out == 0 ? "" : fmt::format("Left out: {}, since the page has no room for more.", counted(left_out, "picture")));
        out += is_long_ ? R"(<noscript><p class="note warn">The steps of a long comparison are put in place by its script.</p></noscript>)" : "";
        return out + "<table>" + run_row(escape(shorten(other_name_, 120)), other_) + run_row(escape(shorten(mine_name_, 120)), mine_) + "</table></div></header>";
    }

    std::string task_html(const TaskPair& task, std::size_t bytes_before) {
        std::string out = comparison_.tasks.size() > 1 ? fmt::format(R"(<h2 class="task">Task {}: {}</h2>)", task.mine->index, escape(shorten(text_of(task.mine->started, "goal"), 200))) : "";
        out += chips(task.differences);
        out += note("warn", task.is_by_number ? "Too many steps differ to look for those that belong together: they are compared by number." : "");
        std::size_t left_out = 0;
        for (const StepPair& pair : task.steps) {
            const std::string html = left_out > 0 ? std::string() : pair_html(pair);
            if (left_out > 0 || bytes_before + out.size() + html.size() > room_) {
                ++left_out;
                continue;
            }
            const std::string id = fmt::format("p{}", ++pairs_);
            out += is_long_ ? fmt::format("<section class=\"slot\" id=\"{}\"></section><script type=\"text/plain\" id=\"h-{}\">{}</script>", id, id, html)
                            : fmt::format("<section id=\"{}\">{}</section>", id, html);
        }
        return out + note("warn", left_out == 0 ? "" : fmt::format("Left out at the end: {}, since the page has no room for more.", counted(static_cast<double>(left_out), "step")));
    }

    static std::string side(const StepRecord* step, const Run& run, bool has_after) {
        if (step == nullptr) {
            return R"(<div class="side"><div class="withheld">no such step</div></div>)";
        }
        const std::string result = result_of(*step);
        const double ms = sum_of(timings_of(*step));
        std::string out = fmt::format(R"(<div class="side"><header><span class="no">{}</span><h3>{}</h3>{}<span class="time">{}</span></header><div class="pictures">)", number_words(*step),
                                      escape(step_title(*step, run.chooser)), badge(result_kind(result), result_words(*step, run.chooser)), ms > 0 ? format_ms(ms) : "");
        out += before_figure(*step, run.pictures, run.chooser);
        if (has_after && step->after.is_object()) {
            out += figure(step->after, run.pictures, "after", "Afterwards", change_overlay(*step, picture_size(step->before).width));
        }
        return out + "</div></div>";
    }

    std::string pair_html(const StepPair& pair) const {
        const bool is_same = pair.differences.empty();
        const bool has_after = std::any_of(pair.differences.begin(), pair.differences.end(), [](const Difference& one) { return one.kind.starts_with("effect") || one.kind == "result"; });
        const std::string sides = R"(<div class="sides">)" + side(pair.other, other_, has_after) + side(pair.mine, mine_, has_after) + "</div>";
        if (is_same) {
            return fmt::format(R"(<article class="step same-step"><details><summary><span class="no">{}</span> {} <span class="time">the same</span></summary>{}</details></article>)", number_words(*pair.mine),
                               escape(step_title(*pair.mine, mine_.chooser)), sides);
        }
        return R"(<article class="step">)" + chips(pair.differences) + sides + "</article>";
    }

    const Run& mine_;
    const Run& other_;
    const Comparison& comparison_;
    std::size_t room_;
    bool is_long_;
    std::string mine_name_, other_name_;
    int pairs_ = 0;
};

} // namespace

Result<ComparedRuns> compare_recordings(const Recording& recording, const Recording& other, const ReportOptions& options) {
    SessionRecord mine_session = collect(recording);
    SessionRecord other_session = collect(other);
    const std::size_t steps = std::max(count_steps(mine_session), count_steps(other_session));
    const bool is_long = steps > kShortPairs;
    const PictureStore store = is_long ? PictureStore::InertText : PictureStore::StyleSheet;
    const std::size_t text_bytes = std::min(options.bytes_max / 4, (64U << 10U) + steps * (10U << 10U));
    const std::size_t picture_bytes = (options.bytes_max - text_bytes) / 2;
    const Run mine(recording, std::move(mine_session), store, {picture_bytes, options.pictures_max / 2, "f"});
    const Run before(other, std::move(other_session), store, {picture_bytes, options.pictures_max / 2, "g"});
    const Comparison comparison = compare(mine.session, before.session);
    PageParts parts;
    parts.title = "Two runs: " + (mine.session.tasks.empty() ? std::string("no task") : text_of(mine.session.tasks.front().started, "goal"));
    parts.body = ComparePage(mine, before, comparison, text_bytes, is_long, options).body();
    (is_long ? parts.stores : parts.sheet) = mine.pictures.text() + before.pictures.text();
    ComparedRuns out;
    out.differences = comparison.count();
    out.differences_json = dump_json(to_json(comparison));
    out.html = page_html(parts);
    return out;
}

} // namespace handeye
