// SPDX-License-Identifier: Apache-2.0
// A recording as one page. Pictures are embedded once each and used where they are shown. A short report has no script. In a long
// one steps and pictures are inert text, and one script shows those that come into sight: the browser holds a few steps at a time.
// The content security policy names style sheets and script by their hashes, so nothing that a recording holds can run, load or restyle.
#include "agent/report.h"

#include "agent/report_html.h"
#include "agent/report_model.h"
#include "agent/report_pictures.h"
#include "base/hash.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace report; // NOLINT(google-build-using-namespace): this file is that namespace's only user

constexpr std::size_t kShortSteps = 120; // more are shown as they come into sight

// Of one prompt or answer shown: all texts together stay within a quarter of the page.
std::size_t text_bytes_max(const SessionRecord& session, std::size_t page_bytes_max) {
    return std::clamp<std::size_t>(page_bytes_max / 4 / (3 * count_steps(session) + 1), 2U << 10U, 256U << 10U);
}

// What comes besides pictures: the page itself, and of each step its texts, tables and drawings.
std::size_t other_bytes(const SessionRecord& session, std::size_t page_bytes_max) {
    constexpr std::size_t kPage = 64U << 10U, kStep = 10U << 10U;
    return std::min(kPage + kStep * count_steps(session), page_bytes_max / 2);
}

class Page {
public:
    Page(const Recording& recording, const ReportOptions& options)
        : recording_(recording), session_(collect(recording)), is_long_(count_steps(session_) > kShortSteps), text_bytes_max_(text_bytes_max(session_, options.bytes_max)),
          pictures_(recording, session_, is_long_ ? PictureStore::InertText : PictureStore::StyleSheet,
                    {options.bytes_max - other_bytes(session_, options.bytes_max), options.pictures_max}) {}

    std::string render() {
        std::string steps;
        for (const TaskRecord& task : session_.tasks) {
            steps += task_html(task);
        }
        if (steps.empty()) {
            steps = R"(<p class="empty">This recording holds no task.</p>)";
        }
        const std::string style = std::string(style_sheet()) + (is_long_ ? "" : pictures_.text());
        const std::string script(is_long_ ? page_script() : "");
        const std::string title = session_.tasks.empty() ? "handeye session" : text_of(session_.tasks.front().started, "goal", "handeye session");
        std::string out = fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:;{} style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">"
                                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">"
                                      "<title>{}</title><style>",
                                      is_long_ ? fmt::format(" script-src 'sha256-{}';", base64(sha256(script))) : "", base64(sha256(style)), escape(shorten(title, 80)));
        out += style + "</style></head><body>";
        out += head_html() + "<div class=\"wrap grid\">" + nav_html() + "<main>" + steps + "</main></div>";
        out += fmt::format("<footer class=\"wrap foot\">Session {}, {} events{}. The report was made from the recording alone.</footer>",
                           escape(session_.session_id), session_.events, session_.is_sealed ? ", sealed" : "");
        return out + (is_long_ ? pictures_.text() + "<script>" + script + "</script>" : "") + "</body></html>\n";
    }

private:
    static std::string fact(std::string_view name, const std::string& value) {
        return value.empty() ? "" : fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, escape(value));
    }

    static std::string note(std::string_view kind, const std::string& text) {
        return text.empty() ? "" : fmt::format(R"(<p class="note {}">{}</p>)", kind, escape(text));
    }

    static std::string anchor(const TaskRecord& task, const StepRecord& step) { return fmt::format("t{}s{}", task.index, step.index); }

    static std::string step_title(const StepRecord& step) {
        const json proposal = step.proposals.empty() ? json() : step.proposals.back();
        const std::string summary = text_of(proposal, "summary", text_of(proposal, "verb"));
        if (!summary.empty()) {
            return shorten(summary, 90);
        }
        return step.answers.empty() ? "no question asked" : step.proposals.empty() ? "no answer" : "no action in the answer";
    }

    static std::string step_result(const StepRecord& step) { return text_of(step.finished, "result", "unfinished"); }

    static std::string human(std::string text) {
        std::replace(text.begin(), text.end(), '_', ' ');
        return text == "suspected noop" ? "no visible effect" : text;
    }

    static const json& timings_of(const StepRecord& step) { return field_of(step.finished, "timings_ms"); }

    std::string head_html() const {
        const TaskRecord empty;
        const TaskRecord& task = session_.tasks.empty() ? empty : session_.tasks.back();
        const json& model = field_of(session_.opened, "model");
        const json& platform = field_of(session_.opened, "platform");
        const json& size = field_of(platform, "size");
        double generate = 0;
        for (const StepRecord& step : task.steps) {
            generate += number_of(timings_of(step), "generate");
        }
        const double wall = number_of(task.finished, "wall_ms");
        const bool is_over = task.finished.is_object();
        const std::string outcome = is_over ? text_of(task.finished, "outcome", "?") : "not finished";
        std::string out = R"(<header class="head"><div class="wrap"><p class="brand"><b>handeye</b> report</p>)";
        out += fmt::format("<h1>{}</h1>", escape(shorten(text_of(task.started, "goal", "No task"), 600)));
        out += fmt::format(R"(<div class="verdict">{}<p>{}</p></div>)", badge(is_over ? outcome_kind(outcome) : "warn", human(outcome)),
                           escape(text_of(task.finished, "message")));
        if (const std::string answer = text_of(task.finished, "answer"); !answer.empty()) {
            out += fmt::format(R"(<p class="answer">{}</p>)", escape(answer));
        }
        out += note("bad", session_.damage.empty() ? "" : "The recording is damaged: " + session_.damage + ". What came before is shown.");
        out += note("warn", session_.is_sealed ? "" : "The recording was not closed: the program was killed, or is still running.");
        out += note("warn", pictures_.left_out() == 0 ? "" : fmt::format("{} pictures are left out: the report has no room for them. The recording holds them.", pictures_.left_out()));
        out += is_long_ ? R"(<noscript><p class="note warn">The steps of a long report are put in place by its script.</p></noscript>)" : "";
        out += note("plain", pictures_.is_as_recorded() ? "" : fmt::format("Pictures are shown {}, so that the page stays small. The recording holds them as they were.", pictures_.form_words()));
        out += R"(<dl class="facts">)" + fact("Steps", is_over || !task.steps.empty() ? std::to_string(task.steps.size()) : "0");
        out += fact("Time", is_over ? format_ms(wall) : "");
        out += fact("of it the model", is_over && wall > 0 ? fmt::format("{:.0f} %", std::min(100.0, 100 * generate / wall)) : "");
        out += fact("Tokens", is_over ? format_count(number_of(task.finished, "tokens")) : "");
        out += fact("Model", text_of(model, "name"));
        out += fact("Weights", text_of(model, "weight_format"));
        out += fact("Screen", size.is_object() ? fmt::format("{}, {:.0f} × {:.0f}", text_of(platform, "name"), number_of(size, "width"), number_of(size, "height")) : "");
        out += fact("Started", readable_time(task.started_at));
        return out + "</dl></div></header>";
    }

    static std::string readable_time(const std::string& utc) { // "2026-11-21T10:44:40.123Z"
        return utc.size() < 19 ? utc : utc.substr(0, 10) + " " + utc.substr(11, 8) + " UTC";
    }

    std::string nav_html() const {
        double longest = 0;
        for (const TaskRecord& task : session_.tasks) {
            for (const StepRecord& step : task.steps) {
                longest = std::max(longest, sum_of(timings_of(step)));
            }
        }
        std::string out = R"(<nav class="nav" aria-label="Timeline"><h2>Timeline</h2><p class="legend">)";
        for (const StageStyle& stage : stage_styles()) {
            out += fmt::format(R"(<span><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>{}</span>)", stage.css, stage.name);
        }
        out += "</p><ol>";
        for (const TaskRecord& task : session_.tasks) {
            for (const StepRecord& step : task.steps) {
                out += fmt::format(R"(<li><a href="#{}"><span class="n">{}</span><span class="what"><span class="dot {}"></span>{}</span><span class="t">{}</span>{}</a></li>)",
                                   anchor(task, step), step.index, result_kind(step_result(step)), escape(shorten(step_title(step), 60)),
                                   format_ms(sum_of(timings_of(step))), stage_bar(timings_of(step), longest, "bar"));
            }
        }
        return out + "</ol></nav>";
    }

    std::string task_html(const TaskRecord& task) {
        std::string out;
        if (session_.tasks.size() > 1) {
            out += fmt::format(R"(<h2 class="task">Task {}: {}</h2>)", task.index, escape(shorten(text_of(task.started, "goal"), 200)));
        }
        if (task.steps.empty()) {
            out += fmt::format(R"(<p class="empty">No step was taken.{}</p>)", escape(task.finished.is_object() ? " " + text_of(task.finished, "message") + "." : ""));
        }
        for (const StepRecord& step : task.steps) {
            const std::string html = step_html(task, step);
            const std::string id = anchor(task, step);
            out += is_long_ ? fmt::format("<section class=\"slot\" id=\"{}\"></section><script type=\"text/plain\" id=\"h-{}\">{}</script>", id, id, html)
                            : fmt::format("<section id=\"{}\">{}</section>", id, html);
        }
        return out;
    }

    std::string step_html(const TaskRecord& task, const StepRecord& step) {
        const std::string result = step_result(step);
        const json proposal = step.proposals.empty() ? json() : step.proposals.back();
        std::string out = fmt::format(R"(<article class="step"><header><span class="no">{}</span><h3>{}</h3>{}<span class="time">{}</span></header>)",
                                      step.index, escape(step_title(step)), badge(result_kind(result), human(result)),
                                      format_ms(sum_of(timings_of(step))));
        if (const std::string thought = text_of(proposal, "thought"); !thought.empty()) {
            out += fmt::format(R"(<p class="thought">{}</p>)", escape(shorten(thought, 1200)));
        }
        out += notes_html(step) + pictures_html(step);
        out += stage_bar(timings_of(step), sum_of(timings_of(step)), "stages") + times_html(step);
        out += R"(<div class="tables">)" + effect_html(step) + chain_html(step) + "</div>";
        for (const json& prompt : step.prompts) {
            out += prompt_html(attempt_title("Prompt", step.prompts.size(), prompt), task, step, field_of(prompt, "text"));
        }
        for (const json& proposed : step.proposals) {
            out += details(attempt_title("Thinking", step.proposals.size(), proposed), field_of(proposed, "thinking"));
        }
        for (const json& answer : step.answers) {
            out += details(attempt_title("Answer as the model wrote it", step.answers.size(), answer) + usage_words(answer), field_of(answer, "text"));
        }
        return out + "</article>";
    }

    static std::string attempt_title(std::string_view name, std::size_t count, const json& event) {
        return count < 2 ? std::string(name) : fmt::format("{}, attempt {:.0f}", name, number_of(event, "attempt", 1));
    }

    static std::string usage_words(const json& answer) {
        const json& usage = field_of(answer, "usage");
        return usage.is_object() ? fmt::format(": {} tokens after {} of prompt, {}", format_count(number_of(usage, "completion_tokens")),
                                               format_count(number_of(usage, "prompt_tokens")), format_ms(number_of(answer, "wall_ms")))
                                 : "";
    }

    static std::string notes_html(const StepRecord& step) {
        std::string out;
        for (const json& answer : step.answers) {
            out += note("bad", text_of(field_of(answer, "error"), "message"));
        }
        for (const json& proposed : step.proposals) {
            out += note("bad", text_of(proposed, "error"));
            for (const json& warning : field_of(proposed, "warnings")) {
                out += note("plain", warning.is_string() ? "Repaired while parsing: " + warning.get<std::string>() : "");
            }
        }
        if (text_of(step.gated, "gate") == "deny") {
            out += note("bad", fmt::format("Refused by policy: {} ({})", text_of(step.gated, "reason"), text_of(step.gated, "rule")));
        }
        const std::string certainty = text_of(step.verified, "certainty", text_of(step.executed, "certainty"));
        if (certainty == "refused" || certainty == "partial") {
            out += note(certainty == "partial" ? "warn" : "bad", text_of(step.verified, "reason", text_of(step.executed, "reason")));
        }
        for (const json& loop : step.loops) {
            out += note("warn", "Going in circles? " + text_of(loop, "message"));
        }
        for (const json& budget : step.budgets) {
            out += note("warn", fmt::format("Budget used up: {} ({:.0f} of {:.0f})", human(text_of(budget, "budget")), number_of(budget, "used"), number_of(budget, "limit")));
        }
        return out;
    }

    std::string figure(const json& observation, std::string_view place, const std::string& caption, const std::string& overlay) {
        const json& size = field_of(observation, "size");
        const double width = std::clamp(number_of(size, "width"), 1.0, 1e5);
        const double height = std::clamp(number_of(size, "height"), 1.0, 1e5);
        const json& frame = field_of(observation, "frame");
        std::string picture;
        if (!frame.is_object()) {
            picture = fmt::format(R"(<div class="withheld">Picture withheld: {}</div>)", escape(text_of(observation, "withheld", "no reason recorded")));
        } else if (const std::string frame_attribute = pictures_.attribute_of(text_of(frame, "sha256")); frame_attribute.empty()) {
            picture = R"(<div class="withheld">Picture left out</div>)";
        } else {
            picture = fmt::format(R"(<label><input type="checkbox" aria-label="Enlarge"><svg {} viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg></label>)",
                                  frame_attribute, width, height, escape(caption), overlay);
        }
        const double masks = number_of(observation, "masks");
        const std::string words = caption + (masks > 0 ? fmt::format(" ({:.0f} secret fields painted over)", masks) : "");
        return fmt::format(R"(<figure class="{}">{}<figcaption>{}</figcaption></figure>)", place, picture, escape(words));
    }

    std::string pictures_html(const StepRecord& step) {
        if (!step.before.is_object()) {
            return "";
        }
        const auto extent = [&](const char* key) { return number_of(field_of(step.before, "size"), key); };
        std::string out = R"(<div class="pictures">)";
        const std::string overlay = action_overlay(step, extent("width"), extent("height"));
        out += figure(step.before, "before", overlay.empty() ? "What the model saw" : "What the model saw, and where it acted", overlay);
        if (step.after.is_object()) {
            const bool has_changed = field_of(step.verified, "changed").is_object();
            out += figure(step.after, "after", has_changed ? "Afterwards, with what changed" : "Afterwards: nothing changed", change_overlay(step, extent("width")));
        }
        return out + "</div>";
    }

    static std::string times_html(const StepRecord& step) {
        const json& timings = timings_of(step);
        if (!timings.is_object()) {
            return "";
        }
        std::string out = R"(<p class="times">)";
        for (const StageStyle& stage : stage_styles()) {
            const double ms = std::string_view(stage.key) == "decide"
                                  ? number_of(timings, "parse") + number_of(timings, "gate") + number_of(timings, "resolve")
                                  : number_of(timings, stage.key);
            out += fmt::format(R"(<span><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>{} {}</span>)", stage.css, stage.name, format_ms(ms));
        }
        return out + "</p>";
    }

    static std::string spot_words(const json& point) {
        return point.is_object() ? fmt::format("{:.0f}, {:.0f}", number_of(point, "x"), number_of(point, "y")) : "";
    }

    static std::string frame_words(const json& point) {
        const json& frame = field_of(point, "frame");
        return frame.is_object() ? fmt::format(" ({:.0f} × {:.0f})", number_of(frame, "width"), number_of(frame, "height")) : "";
    }

    static std::string chain_html(const StepRecord& step) {
        const json& points = field_of(step.executed, "points");
        if (!points.is_array() || points.empty()) {
            return "";
        }
        std::string out = fmt::format("<table><caption>Coordinates</caption><tr><th>model</th><th></th><th>picture fed{}</th><th></th>"
                                      "<th>screen{}</th><th></th><th>landed</th></tr>",
                                      frame_words(field_of(points.front(), "image")), frame_words(field_of(points.front(), "target")));
        constexpr std::string_view kArrow = R"(<td class="arrow">→</td>)";
        for (const json& point : points) {
            const json& model = field_of(point, "model");
            const json& landed = field_of(step.executed, "landed");
            const bool is_last = &point == &points.back();
            const std::string end = !is_last ? "" : landed.is_object() ? fmt::format("{:.0f}, {:.0f}", number_of(landed, "x"), number_of(landed, "y")) : "unknown";
            out += fmt::format("<tr><td>{:g}, {:g} {}</td>{}<td>{}</td>{}<td>{}</td>{}<td>{}</td></tr>", number_of(model, "x"), number_of(model, "y"),
                               text_of(model, "units") == "pixels" ? "px" : "‰", kArrow, spot_words(field_of(point, "image")), kArrow,
                               spot_words(field_of(point, "target")), kArrow, end);
        }
        return out + "</table>";
    }

    static std::string sent_words(const StepRecord& step) {
        const double events = number_of(step.executed, "events_sent");
        const std::string route = text_of(step.executed, "route");
        return fmt::format("{:.0f} {}{}", events, events == 1 ? "event" : "events", route.empty() || route == "events" ? "" : ", as " + route);
    }

    static std::string effect_html(const StepRecord& step) {
        const json proposal = step.proposals.empty() ? json() : step.proposals.back();
        std::string rows;
        const auto row = [&rows](std::string_view name, const std::string& value) {
            rows += value.empty() ? "" : fmt::format("<tr><th>{}</th><td>{}</td></tr>", name, escape(shorten(value, 1000)));
        };
        row("call", text_of(proposal, "call"));
        row("policy", text_of(step.gated, "rule"));
        row("sent", step.executed.is_object() ? sent_words(step) : "");
        row("effect", text_of(step.verified, "reason"));
        row("told to the model", text_of(step.finished, "observation"));
        return rows.empty() ? "" : "<table><caption>Action</caption>" + rows + "</table>";
    }

    Result<std::string> text_at(const json& blob_name) const {
        const std::vector<std::uint8_t> bytes = TRY(recording_.blob(text_of(blob_name, "sha256")));
        return std::string(bytes.begin(), bytes.end());
    }

    // A prompt without the places of pictures that it begins with.
    static std::string_view after_pictures(std::string_view text) {
        constexpr std::string_view kPicture = "<picture ";
        while (text.starts_with(kPicture) && text.find('>') != std::string_view::npos) {
            text.remove_prefix(text.find('>') + 1);
        }
        return text;
    }

    // What the prompt says that the task's first did not: the rest is the same at every step.
    std::string prompt_html(const std::string& title, const TaskRecord& task, const StepRecord& step, const json& blob_name) const {
        constexpr std::size_t kWorthIt = 600;
        const StepRecord& first = task.steps.front();
        const Result<std::string> text = blob_name.is_object() ? text_at(blob_name) : Result<std::string>("");
        const Result<std::string> before = &first != &step && !first.prompts.empty() ? text_at(field_of(first.prompts.front(), "text")) : Result<std::string>("");
        if (!text || !before) {
            return details(title, blob_name);
        }
        const std::string_view words = after_pictures(*text);
        const std::string_view words_before = after_pictures(*before);
        const auto apart = std::mismatch(words.begin(), words.end(), words_before.begin(), words_before.end()).first;
        const std::size_t line = words.rfind('\n', static_cast<std::size_t>(apart - words.begin()));
        if (line == std::string::npos || line < kWorthIt) {
            return details(title, blob_name);
        }
        const std::string pictures = text->substr(0, text->size() - words.size());
        return fmt::format("<details><summary>{}</summary><p class=\"same\">{}{} bytes that are those of <a href=\"#{}\">step {}</a>, then:</p><pre>{}</pre></details>", escape(title), escape(pictures), format_count(static_cast<double>(line)),
                           anchor(task, first), first.index, cut(words.substr(line + 1)));
    }

    std::string cut(std::string_view text) const {
        if (text.size() <= text_bytes_max_) {
            return escape(text);
        }
        return escape(text.substr(0, text_bytes_max_)) + fmt::format("…\n(the first {} of {} bytes; the recording holds all)", format_count(static_cast<double>(text_bytes_max_)), format_count(static_cast<double>(text.size())));
    }

    std::string details(const std::string& title, const json& blob_name) const {
        if (!blob_name.is_object()) {
            return "";
        }
        const Result<std::string> text = text_at(blob_name);
        if (!text) {
            return note("bad", title + ": " + text.error().message);
        }
        return fmt::format("<details><summary>{}</summary><pre>{}</pre></details>", escape(title), cut(*text));
    }

    const Recording& recording_;
    SessionRecord session_;
    bool is_long_;
    std::size_t text_bytes_max_;
    Pictures pictures_;
};

} // namespace

Result<std::string> render_report_html(const Recording& recording, const ReportOptions& options) { return Page(recording, options).render(); }

} // namespace handeye
