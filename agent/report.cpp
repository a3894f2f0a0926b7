// SPDX-License-Identifier: Apache-2.0
// A recording as one page. No script; pictures are embedded once each and used where they are shown; the content security
// policy names the style sheet by its hash, so nothing that a recording holds can run, load or restyle.
#include "agent/report.h"

#include "agent/report_html.h"
#include "agent/report_model.h"
#include "base/hash.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace report; // NOLINT(google-build-using-namespace): this file is that namespace's only user

constexpr std::size_t kTextBytesMax = 256U << 10U; // of one prompt or answer shown

class Page {
public:
    Page(const Recording& recording, const ReportOptions& options) : recording_(recording), options_(options), session_(collect(recording)) {}

    std::string render() {
        std::string steps;
        for (const TaskRecord& task : session_.tasks) {
            steps += task_html(task);
        }
        if (steps.empty()) {
            steps = R"(<p class="empty">This recording holds no task.</p>)";
        }
        const std::string style(style_sheet());
        const Sha256 style_hash = sha256(style);
        const std::string title = session_.tasks.empty() ? "handeye session" : text_of(session_.tasks.front().started, "goal", "handeye session");
        std::string out = fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">"
                                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">"
                                      "<title>{}</title><style>",
                                      base64(style_hash), escape(shorten(title, 80)));
        out += style + "</style></head><body>";
        out += "<svg class=\"defs\" aria-hidden=\"true\"><defs>" + pictures_ + "</defs></svg>";
        out += head_html() + "<div class=\"wrap grid\">" + nav_html() + "<main>" + steps + "</main></div>";
        out += fmt::format("<footer class=\"wrap foot\">Session {}, {} events{}. The report was made from the recording alone.</footer></body></html>\n",
                           escape(session_.session_id), session_.events, session_.is_sealed ? ", sealed" : "");
        return out;
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
        out += note("warn", left_out_ == 0 ? "" : fmt::format("{} pictures are left out: a report shows {} at most.", left_out_, options_.pictures_max));
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
            out += step_html(task, step);
        }
        return out;
    }

    std::string step_html(const TaskRecord& task, const StepRecord& step) {
        const std::string result = step_result(step);
        const json proposal = step.proposals.empty() ? json() : step.proposals.back();
        std::string out = fmt::format(R"(<article class="step" id="{}"><header><span class="no">{}</span><h3>{}</h3>{}<span class="time">{}</span></header>)",
                                      anchor(task, step), step.index, escape(step_title(step)), badge(result_kind(result), human(result)),
                                      format_ms(sum_of(timings_of(step))));
        if (const std::string thought = text_of(proposal, "thought"); !thought.empty()) {
            out += fmt::format(R"(<p class="thought">{}</p>)", escape(shorten(thought, 1200)));
        }
        out += notes_html(step) + pictures_html(step);
        out += stage_bar(timings_of(step), sum_of(timings_of(step)), "stages") + times_html(step);
        out += R"(<div class="tables">)" + effect_html(step) + chain_html(step) + "</div>";
        for (const json& prompt : step.prompts) {
            out += details(attempt_title("Prompt", step.prompts.size(), prompt), field_of(prompt, "text"));
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

    // The id under which the frame's picture is embedded; empty when it is left out or missing.
    std::string embed(const json& frame, double width, double height) {
        const std::string name = text_of(frame, "sha256");
        if (embedded_.contains(name)) {
            return "f" + name.substr(0, 32);
        }
        if (static_cast<int>(embedded_.size()) >= options_.pictures_max) {
            ++left_out_;
            return "";
        }
        const Result<std::vector<std::uint8_t>> bytes = recording_.blob(name);
        if (!bytes) {
            return ""; // also when `name` is no hash: it goes into the page only after this
        }
        embedded_.insert(name);
        const std::string id = "f" + name.substr(0, 32);
        pictures_ += fmt::format(R"(<image id="{}" width="{:.0f}" height="{:.0f}" href="data:image/png;base64,{}"/>)", id, width, height, base64(*bytes));
        return id;
    }

    std::string figure(const json& observation, std::string_view css, const std::string& caption, const std::string& overlay) {
        const json& size = field_of(observation, "size");
        const double width = std::clamp(number_of(size, "width"), 1.0, 1e5);
        const double height = std::clamp(number_of(size, "height"), 1.0, 1e5);
        const json& frame = field_of(observation, "frame");
        std::string picture;
        if (!frame.is_object()) {
            picture = fmt::format(R"(<div class="withheld">Picture withheld: {}</div>)", escape(text_of(observation, "withheld", "no reason recorded")));
        } else if (const std::string id = embed(frame, width, height); id.empty()) {
            picture = R"(<div class="withheld">Picture left out</div>)";
        } else {
            picture = fmt::format(R"(<label><input type="checkbox" aria-label="Enlarge"><svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}"><use href="#{}"/>{}</svg></label>)",
                                  width, height, escape(caption), id, overlay);
        }
        const double masks = number_of(observation, "masks");
        const std::string words = caption + (masks > 0 ? fmt::format(" ({:.0f} secret fields painted over)", masks) : "");
        return fmt::format(R"(<figure class="{}">{}<figcaption>{}</figcaption></figure>)", css, picture, escape(words));
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

    std::string details(const std::string& title, const json& blob_name) {
        if (!blob_name.is_object()) {
            return "";
        }
        const Result<std::vector<std::uint8_t>> bytes = recording_.blob(text_of(blob_name, "sha256"));
        if (!bytes) {
            return note("bad", title + ": " + bytes.error().message);
        }
        const std::string_view text(reinterpret_cast<const char*>(bytes->data()), std::min(bytes->size(), kTextBytesMax));
        return fmt::format("<details><summary>{}</summary><pre>{}{}</pre></details>", escape(title), escape(text), bytes->size() > kTextBytesMax ? "…" : "");
    }

    const Recording& recording_;
    ReportOptions options_;
    SessionRecord session_;
    std::set<std::string> embedded_;
    std::string pictures_;
    int left_out_ = 0;
};

} // namespace

Result<std::string> render_report_html(const Recording& recording, const ReportOptions& options) { return Page(recording, options).render(); }

} // namespace handeye
