// SPDX-License-Identifier: Apache-2.0
#include "agent/report_step.h"

#include "agent/report_html.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::report {
namespace {

std::string attempt_title(std::string_view name, std::size_t count, const json& event) {
    return count < 2 ? std::string(name) : fmt::format("{}, attempt {:.0f}", name, number_of(event, "attempt", 1));
}

std::string usage_words(const json& answer) {
    const json& usage = field_of(answer, "usage");
    return usage.is_object() ? fmt::format(": {} tokens after {} of prompt, {}", format_count(number_of(usage, "completion_tokens")),
                                           format_count(number_of(usage, "prompt_tokens")), format_ms(number_of(answer, "wall_ms")))
                             : "";
}

std::string notes_html(const StepRecord& step) {
    std::string out = note("bad lines", text_of(step.failure, "message"));
    out += note("plain", text_of(step.file_step, "note"));
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

std::string times_html(const StepRecord& step) {
    const json& timings = timings_of(step);
    if (sum_of(timings) <= 0) {
        return "";
    }
    std::string out = R"(<details><summary>Times</summary><p class="times">)";
    for (const StageStyle& stage : stage_styles()) {
        const double ms = stage_ms(timings, stage.key);
        if (ms <= 0) {
            continue;
        }
        out += fmt::format(R"(<span><i class="{}"></i>{} {}</span>)", stage.css, stage.name, format_ms(ms));
    }
    return out + "</p></details>";
}

// A prompt without the places of pictures that it begins with.
std::string_view after_pictures(std::string_view text) {
    constexpr std::string_view kPicture = "<picture ";
    while (text.starts_with(kPicture) && text.find('>') != std::string_view::npos) {
        text.remove_prefix(text.find('>') + 1);
    }
    return text;
}

std::string sent_words(const StepRecord& step) {
    const std::string route = text_of(step.executed, "route");
    return counted(number_of(step.executed, "events_sent"), "event") + (route.empty() || route == "events" ? "" : ", as " + route);
}

/// Where the file has the step.
std::string file_place(const StepRecord& step) {
    return !step.file_step.is_object() ? "" : fmt::format(R"(<span class="place">{}:{:.0f}</span>)", escape(shorten(text_of(step.file_step, "file"), 60)), number_of(step.file_step, "line"));
}

/// One is shown, so that a reader knows what is behind the others.
const StepRecord* first_with_chain(const TaskRecord& task) {
    const auto found = std::find_if(task.steps.begin(), task.steps.end(), [](const StepRecord& step) { return !chain_of(step).summary.empty(); });
    return found == task.steps.end() ? nullptr : &*found;
}

std::string found_words(const json& found) {
    return !found.is_object() ? "" : fmt::format("{}, by {}, score {:.2f}", text_of(found, "what", "the target"), human(text_of(found, "rung", "no rung")), number_of(found, "score"));
}

} // namespace

std::string anchor(const TaskRecord& task, const StepRecord& step) { return step.index > 0 ? fmt::format("t{}s{}", task.index, step.index) : fmt::format("t{}f{}", task.index, step.number); }

std::string note(std::string_view kind, const std::string& text) { return text.empty() ? "" : fmt::format(R"(<p class="note {}">{}</p>)", kind, escape(text)); }

std::string figure(const json& observation, const Pictures& pictures, std::string_view place, const std::string& caption, const std::string& overlay) {
    const json& frame = field_of(observation, "frame");
    std::string picture;
    if (!frame.is_object()) {
        picture = fmt::format(R"(<div class="withheld">Picture withheld: {}</div>)", escape(text_of(observation, "withheld", "no reason recorded")));
    } else if (pictures.is_blank(text_of(frame, "sha256"))) {
        picture = R"(<div class="withheld">The screen was empty</div>)";
    } else if (const std::string attribute = pictures.attribute_of(text_of(frame, "sha256")); attribute.empty()) {
        picture = R"(<div class="withheld">Picture left out</div>)";
    } else {
        const PictureSize size = picture_size(observation);
        picture = fmt::format(R"(<label class="shot"><input type="checkbox" aria-label="Enlarge"><svg {} viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg></label>)",
                              attribute, size.width, size.height, escape(caption), overlay);
    }
    const double masks = number_of(observation, "masks");
    const std::string words = caption + (masks > 0 ? fmt::format(" ({} painted over)", counted(masks, "secret field")) : "");
    return fmt::format(R"(<figure class="{}">{}<figcaption>{}</figcaption></figure>)", place, picture, escape(words));
}

std::string before_figure(const StepRecord& step, const Pictures& pictures, Chooser chooser) {
    if (!step.before.is_object()) {
        return "";
    }
    const PictureSize size = picture_size(step.before);
    const std::string overlay = action_overlay(step, size.width, size.height);
    const bool was_asked = chooser == Chooser::Model && !step.prompts.empty();
    const bool was_done = step.executed.is_object() || !step.failure.is_object();
    const std::string words = was_asked ? "What the model saw" : was_done ? "The screen before" : "The screen when it was given up";
    return figure(step.before, pictures, "before", overlay.empty() ? words : words + (chooser == Chooser::Person ? ", and where the person acted" : ", and where it acted"), overlay);
}

StepPage::Article StepPage::article(const TaskRecord& task, const StepRecord& step) const {
    const std::string result = shown_result(step);
    const double ms = sum_of(timings_of(step));
    Article article;
    std::string& out = article.html;
    out = fmt::format(R"(<article class="step"><header><span class="no">{}</span><h3>{}</h3>{}{}<span class="time">{}</span></header>)", number_words(step),
                                  escape(step_title(step, options_.chooser)), file_place(step), badge(result_kind(result), result_words(step, options_.chooser)), ms > 0 ? format_ms(ms) : "");
    if (const std::string thought = text_of(proposal_of(step), "thought"); !thought.empty()) {
        out += fmt::format(R"(<p class="thought">{}</p>)", escape(shorten(thought, 1200)));
    }
    out += notes_html(step) + pictures_html(step);
    out += (ms > 0 ? stage_bar(timings_of(step), ms, "stages") : "") + times_html(step);
    // A person points at once at what is there: there is no way to draw.
    if (const Chain chain = options_.chooser == Chooser::Model ? chain_of(step) : Chain(); options_.is_long && !chain.summary.empty()) {
        out += fmt::format("<details data-from=\"c-{}\"><summary>{}</summary></details>", anchor(task, step), escape(chain.summary));
        article.folded = chain.drawing;
    } else if (!chain.summary.empty()) {
        const bool is_first = &step == first_with_chain(task);
        out += fmt::format("<details{}><summary>{}</summary>{}</details>", is_first ? " open" : "", escape(chain.summary), chain.drawing);
    }
    out += effect_html(step);
    for (const json& prompt : step.prompts) {
        out += prompt_html(attempt_title("Prompt", step.prompts.size(), prompt), task, step, field_of(prompt, "text"));
    }
    for (const json& proposed : step.proposals) {
        out += details(attempt_title("Thinking", step.proposals.size(), proposed), field_of(proposed, "thinking"));
    }
    for (const json& answer : step.answers) {
        out += details(attempt_title("Answer as the model wrote it", step.answers.size(), answer) + usage_words(answer), field_of(answer, "text"));
    }
    out += "</article>";
    return article;
}

std::string StepPage::pictures_html(const StepRecord& step) const {
    if (!step.before.is_object()) {
        return "";
    }
    std::string out = R"(<div class="pictures">)" + before_figure(step, pictures_, options_.chooser);
    if (step.after.is_object()) {
        const bool has_changed = field_of(step.verified, "changed").is_object();
        const char* const words = step.is_after_late ? "Afterwards, when its window had come" : has_changed ? "Afterwards, with what changed" : "Afterwards: nothing changed";
        out += figure(step.after, pictures_, "after", words, change_overlay(step, picture_size(step.before).width));
    }
    return out + "</div>" + (step.is_after_late ? "" : slider_html(step));
}

// Both pictures in one place; a page whose script does not run leaves it out.
std::string StepPage::slider_html(const StepRecord& step) const {
    const std::string before = text_of(field_of(step.before, "frame"), "sha256");
    const std::string after = text_of(field_of(step.after, "frame"), "sha256");
    const std::string under = pictures_.attribute_of(before);
    const std::string over = pictures_.attribute_of(after);
    if (under.empty() || over.empty() || before == after) {
        return "";
    }
    const PictureSize size = picture_size(step.before);
    const auto layer = [&](std::string_view css, const std::string& attribute) {
        return fmt::format(R"(<div class="shot {}"><svg {} viewBox="0 0 {:.0f} {:.0f}"></svg></div>)", css, attribute, size.width, size.height);
    };
    return fmt::format(R"(<details class="compare"><summary>Slide from before to after</summary><div class="slide">{}{}<span class="edge"></span><span class="tag left">before</span><span class="tag right">after</span>)"
                       R"(<input type="range" min="0" max="1000" value="500" aria-label="How much of the picture before is shown, in thousandths"></div></details>)",
                       layer("under", under), layer("over", over));
}

std::string StepPage::effect_html(const StepRecord& step) const {
    const json& proposal = proposal_of(step);
    std::string rows;
    const auto row = [&rows](std::string_view name, const std::string& value) {
        rows += value.empty() ? "" : fmt::format("<tr><th>{}</th><td>{}</td></tr>", name, escape(shorten(value, 1000)));
    };
    row("call", is_by_file(step) ? "" : text_of(proposal, "call"));
    row("found", found_words(field_of(proposal, "found")));
    const json& points = field_of(step.executed, "points");
    const std::string element = element_words(step);
    row("on it", options_.chooser == Chooser::Model || !points.is_array() || points.empty() ? element : element + (element.empty() ? "at " : ", at ") + place_words(points.front()));
    row("policy", text_of(step.gated, "rule"));
    row("sent", step.executed.is_object() && options_.chooser == Chooser::Model ? sent_words(step) : "");
    row("effect", options_.chooser == Chooser::Model && !step.is_after_late ? text_of(step.verified, "reason") : "");
    row("told to the model", is_by_file(step) ? "" : text_of(step.finished, "observation"));
    return rows.empty() ? "" : "<details><summary>How it was done</summary><table class=\"facts-table\">" + rows + "</table></details>";
}

Result<std::string> StepPage::text_at(const json& blob_name) const {
    const std::vector<std::uint8_t> bytes = TRY(recording_.blob(text_of(blob_name, "sha256")));
    return std::string(bytes.begin(), bytes.end());
}

// What the prompt says that the task's first did not: the rest is the same at every step.
std::string StepPage::prompt_html(const std::string& title, const TaskRecord& task, const StepRecord& step, const json& blob_name) const {
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

std::string StepPage::cut(std::string_view text) const {
    if (text.size() <= options_.text_bytes_max) {
        return escape(text);
    }
    return escape(text.substr(0, options_.text_bytes_max)) + fmt::format("…\n(the first {} of {} bytes; the recording holds all)", format_count(static_cast<double>(options_.text_bytes_max)), format_count(static_cast<double>(text.size())));
}

std::string StepPage::details(const std::string& title, const json& blob_name) const {
    if (!blob_name.is_object()) {
        return "";
    }
    const Result<std::string> text = text_at(blob_name);
    if (!text) {
        return note("bad", title + ": " + text.error().message);
    }
    return fmt::format("<details><summary>{}</summary><pre>{}</pre></details>", escape(title), cut(*text));
}

} // namespace handeye::report
