// SPDX-License-Identifier: Apache-2.0
// A recording as one page. Pictures are embedded once each and used where they are shown. A short report is whole without its script.
// In a long one steps and pictures are inert text, and the script shows those that come into sight: the browser holds a few at a time.
#include "agent/report.h"

#include "agent/report_html.h"
#include "agent/report_model.h"
#include "agent/report_pictures.h"
#include "agent/report_step.h"
#include "agent/report_words.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace report; // NOLINT(google-build-using-namespace): this file is that namespace's only user

constexpr std::size_t kShortSteps = 120; // more are shown as they come into sight
constexpr std::size_t kNavGroup = 40;    // lines of a long one's timeline that are shown together; the script knows it

// Of one prompt or answer shown: all texts together stay within a quarter of the page.
std::size_t text_bytes_max(const SessionRecord& session, std::size_t page_bytes_max) {
    return std::clamp<std::size_t>(page_bytes_max / 4 / (3 * count_steps(session) + 1), 2U << 10U, 256U << 10U);
}

// What comes besides pictures: the page itself, and of each step its texts, tables and drawings.
std::size_t other_bytes(const SessionRecord& session, std::size_t page_bytes_max) {
    constexpr std::size_t kPage = 64U << 10U, kStep = 12U << 10U;
    return std::min(kPage + kStep * count_steps(session), page_bytes_max / 2);
}

// For pictures. A browser holds the text of a long page several times over while it reads it: with 29 MB of pictures 1,000 steps stay
// within 300 MB however they are scrolled.
std::size_t picture_bytes(const SessionRecord& session, const ReportOptions& options, bool is_long) {
    constexpr std::size_t kLongMax = 29'000'000;
    const std::size_t room = options.bytes_max - other_bytes(session, options.bytes_max);
    return is_long ? std::min(room, kLongMax) : room;
}

SessionRecord joined(SessionRecord session) {
    join_file_steps(session);
    return session;
}

class Page {
public:
    Page(const Recording& recording, const ReportOptions& options)
        : options_(options), session_(joined(collect(recording))), chooser_(chooser_of(session_)), is_long_(count_steps(session_) > kShortSteps),
          pictures_(recording, session_, is_long_ ? PictureStore::InertText : PictureStore::StyleSheet,
                    {picture_bytes(session_, options, is_long_), options.pictures_max}),
          step_page_(recording, pictures_, {chooser_, text_bytes_max(session_, options.bytes_max), is_long_}) {}

    std::string render() {
        PageParts parts;
        parts.title = session_.tasks.empty() ? "handeye session" : text_of(session_.tasks.front().started, "goal", "handeye session");
        const std::string nav = nav_html();
        const std::string steps = steps_html(nav.size());
        parts.body = head_html() + "<div class=\"wrap grid\">" + nav + "<main>" + steps + "</main></div>";
        parts.body += fmt::format("<footer class=\"wrap foot\">Session {}, {}{}. The report was made from the recording alone.</footer>", escape(shorten(session_.session_id, 100)),
                                  counted(static_cast<double>(session_.events), "event"), session_.is_sealed ? ", sealed" : "");
        (is_long_ ? parts.stores : parts.sheet) = pictures_.text();
        return page_html(parts);
    }

private:
    static std::string fact(std::string_view name, const std::string& value) {
        return value.empty() ? "" : fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, escape(value));
    }

    // As many steps as there is room for beside the pictures and the timeline.
    std::string steps_html(std::size_t nav_bytes) {
        constexpr std::size_t kPage = 64U << 10U;
        const std::size_t taken = pictures_.text().size() + nav_bytes + kPage;
        const std::size_t room = options_.bytes_max > taken ? options_.bytes_max - taken : 0;
        std::string out;
        for (const TaskRecord& task : session_.tasks) {
            if (session_.tasks.size() > 1 && out.size() < room) {
                out += fmt::format(R"(<h2 class="task">Task {}: {}</h2>)", task.index, escape(shorten(text_of(task.started, "goal"), 200)));
            }
            if (task.steps.empty() && out.size() < room) {
                out += fmt::format(R"(<p class="empty">No step was taken.{}</p>)", escape(task.finished.is_object() ? " " + text_of(task.finished, "message") + "." : ""));
            }
            for (const StepRecord& step : task.steps) {
                add_step(out, task, step, room);
            }
        }
        return out.empty() && steps_left_out_ == 0 ? R"(<p class="empty">This recording holds no task.</p>)" : out;
    }

    void add_step(std::string& out, const TaskRecord& task, const StepRecord& step, std::size_t room) {
        if (steps_left_out_ > 0) {
            ++steps_left_out_;
            return;
        }
        const StepPage::Article article = step_page_.article(task, step);
        if (out.size() + article.html.size() + article.folded.size() > room) {
            steps_left_out_ = 1;
            return;
        }
        const std::string id = anchor(task, step);
        out += is_long_ ? fmt::format("<section class=\"slot\" id=\"{0}\"></section><script type=\"text/plain\" id=\"h-{0}\">{1}</script>", id, article.html)
                        : fmt::format("<section id=\"{}\">{}</section>", id, article.html);
        out += article.folded.empty() ? "" : fmt::format("<script type=\"text/plain\" id=\"c-{}\">{}</script>", id, article.folded);
    }

    std::string notes_html() const {
        std::string out = note("bad", session_.damage.empty() ? "" : "The recording is damaged: " + session_.damage + ". What came before is shown.");
        out += note("warn", session_.is_sealed ? "" : "The recording was not closed: the program was killed, or is still running.");
        out += note("warn", pictures_.left_out() == 0 ? "" : fmt::format("Left out: {}, since the report has no room for more. The recording holds them.", counted(pictures_.left_out(), "picture")));
        out += note("warn", steps_left_out_ == 0 ? "" : fmt::format("Left out at the end: {}, since the report has no room for more. The recording holds them.", counted(steps_left_out_, "step")));
        out += is_long_ ? R"(<noscript><p class="note warn">The steps of a long report are put in place by its script.</p></noscript>)" : "";
        return out + note("plain", pictures_.is_as_recorded() ? "" : fmt::format("Pictures are shown {}, so that the page stays small. The recording holds them as they were.", pictures_.form_words()));
    }

    std::string head_html() const {
        const TaskRecord empty;
        const TaskRecord& task = session_.tasks.empty() ? empty : session_.tasks.back();
        const bool is_over = task.finished.is_object();
        const bool is_shown = chooser_ == Chooser::Person;
        const std::string outcome = is_over ? text_of(task.finished, "outcome", "?") : "not finished";
        std::string out = fmt::format(R"(<header class="head"><div class="wrap"><p class="brand"><b>handeye</b> {}</p>)", is_shown ? "report of a demonstration" : "report");
        out += fmt::format("<h1>{}</h1>", escape(shorten(text_of(task.started, "goal", "No task"), 600)));
        if (is_shown && outcome == "done") {
            out += fmt::format(R"(<div class="verdict">{}<p>A person did this once, and handeye watched.</p></div>)", badge("ok", "shown"));
        } else {
            out += fmt::format(R"(<div class="verdict">{}<p>{}</p></div>)", badge(is_over ? outcome_kind(outcome) : "warn", human(outcome)), escape(text_of(task.finished, "message")));
        }
        if (const std::string answer = text_of(task.finished, "answer"); !answer.empty()) {
            out += fmt::format(R"(<p class="answer">{}</p>)", escape(answer));
        }
        return out + notes_html() + facts_html(task) + "</div></header>";
    }

    std::string facts_html(const TaskRecord& task) const {
        const json& platform = field_of(session_.opened, "platform");
        const json& size = field_of(platform, "size");
        const double wall = number_of(task.finished, "wall_ms");
        const bool is_over = task.finished.is_object();
        std::string out = R"(<dl class="facts">)" + fact("Steps", std::to_string(task.steps.size())) + fact("Time", is_over ? format_ms(wall) : "");
        if (chooser_ == Chooser::Model) {
            const json& model = field_of(session_.opened, "model");
            double generate = 0;
            for (const StepRecord& step : task.steps) {
                generate += number_of(timings_of(step), "generate");
            }
            const bool has_model = text_of(model, "name") != "none";
            out += !has_model ? "" : fact("of it the model", is_over && wall > 0 ? fmt::format("{:.0f} %", std::min(100.0, 100 * generate / wall)) : "");
            out += !has_model ? "" : fact("Tokens", is_over ? format_count(number_of(task.finished, "tokens")) : "");
            out += fact("Model", has_model ? text_of(model, "name") : "none: the task file says each step");
            out += fact("Weights", text_of(model, "weight_format"));
        }
        out += fact("Screen", size.is_object() ? fmt::format("{}, {:.0f} × {:.0f}", text_of(platform, "name"), number_of(size, "width"), number_of(size, "height")) : "");
        return out + fact("Started", readable_time(task.started_at)) + "</dl>";
    }

    // The stages that took time at all: a person thinks unseen.
    std::string legend_html() const {
        std::string out;
        for (const StageStyle& stage : stage_styles()) {
            const auto takes_time = [&](const StepRecord& step) { return stage_ms(timings_of(step), stage.key) > 0; };
            if (std::any_of(session_.tasks.begin(), session_.tasks.end(), [&](const TaskRecord& task) { return std::any_of(task.steps.begin(), task.steps.end(), takes_time); })) {
                out += fmt::format(R"(<span><i class="{}"></i>{}</span>)", stage.css, stage.name);
            }
        }
        return out.empty() ? "" : R"(<p class="legend">)" + out + "</p>";
    }

    std::string nav_line(const TaskRecord& task, const StepRecord& step, double longest_ms) const {
        const double ms = sum_of(timings_of(step));
        return fmt::format(R"(<li><a href="#{}"><span class="n">{}</span><span class="what"><span class="dot {}"></span>{}</span><span class="t">{}</span>{}</a></li>)", anchor(task, step), number_words(step),
                           result_kind(shown_result(step)), escape(shorten(step_title(step, chooser_), 60)), ms > 0 ? format_ms(ms) : "", longest_ms > 0 ? stage_bar(timings_of(step), longest_ms, "bar") : "");
    }

    std::string nav_html() const {
        double longest = 0;
        std::vector<std::pair<const TaskRecord*, const StepRecord*>> steps;
        for (const TaskRecord& task : session_.tasks) {
            for (const StepRecord& step : task.steps) {
                longest = std::max(longest, sum_of(timings_of(step)));
                steps.emplace_back(&task, &step);
            }
        }
        std::string out = R"(<nav class="nav" aria-label="Timeline"><h2>Timeline</h2>)" + legend_html() + "<ol>";
        for (std::size_t first = 0; first < steps.size(); first += kNavGroup) {
            if (out.size() > options_.bytes_max / 4) {
                out += fmt::format("<li class=\"more\">and {}</li>", counted(static_cast<double>(steps.size() - first), "step"));
                break;
            }
            std::string lines;
            const std::size_t end = std::min(first + kNavGroup, steps.size());
            for (std::size_t at = first; at < end; ++at) {
                lines += nav_line(*steps[at].first, *steps[at].second, longest);
            }
            out += is_long_ ? fmt::format(R"(<li class="group" id="n{0}" data-lines="{1}"></li><script type="text/plain" id="h-n{0}"><ol>{2}</ol></script>)", first / kNavGroup, end - first, lines) : lines;
        }
        return out + "</ol></nav>";
    }

    ReportOptions options_;
    SessionRecord session_;
    Chooser chooser_;
    bool is_long_;
    Pictures pictures_;
    StepPage step_page_;
    int steps_left_out_ = 0;
};

} // namespace

Result<std::string> render_report_html(const Recording& recording, const ReportOptions& options) { return Page(recording, options).render(); }

bool is_report_page(std::string_view bytes) { return bytes.starts_with(kPageStart); }

} // namespace handeye
