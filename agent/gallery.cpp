// SPDX-License-Identifier: Apache-2.0
#include "agent/gallery.h"

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

constexpr std::size_t kStepsMax = 100;          // of a row
constexpr std::size_t kSaidMax = 220;           // characters of what a model says at a step
constexpr std::size_t kRowBytesMin = 48U << 10U; // a row gets room for a few pictures, however many rows there are
constexpr const char* kSheet = R"css(
.row{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:.8rem 1rem;margin-bottom:1rem}
.row header{display:flex;flex-wrap:wrap;gap:.3rem .7rem;align-items:baseline}.row h3{font-size:1rem;font-weight:600}
.row .goal{margin-top:.2rem}.row .why{color:var(--soft);font-size:.88rem}
.strip{display:flex;gap:.8rem;overflow-x:auto;margin-top:.7rem;padding-bottom:.4rem;align-items:flex-start}
.strip>div{flex:0 0 252px;min-width:0;font-size:.82rem}.strip .said{color:var(--soft);margin-top:.15rem}.strip .note{margin-top:.3rem;padding:.3rem .5rem;font-size:.8rem}
.strip label{display:block;cursor:zoom-in}.strip input{position:absolute;opacity:0;pointer-events:none}.strip>div:has(input:checked){flex-basis:640px}.strip label:has(input:focus-visible){outline:2px solid var(--accent)}
.strip .did{font-weight:600;margin-top:.2rem}.strip figcaption{display:none}.section{margin:1.6rem 0 .6rem;font-size:1.1rem}.file{color:var(--soft);font-size:.75rem}
)css";

std::string text_in(const Recording& recording, const json& blob) {
    const Result<std::vector<std::uint8_t>> bytes = recording.blob(text_of(blob, "sha256"));
    return bytes ? std::string(bytes->begin(), bytes->end()) : "";
}

/// What the model wrote beside its action: before it, or while it thought; all of its answer where there was no action.
std::string said_at(const Recording& recording, const StepRecord& step) {
    const json& proposal = proposal_of(step);
    if (!proposal.is_object() || !text_of(proposal, "error").empty()) {
        return step.answers.empty() ? "" : text_in(recording, field_of(step.answers.back(), "text"));
    }
    const std::string thought = text_of(proposal, "thought");
    return thought.empty() ? text_in(recording, field_of(proposal, "thinking")) : thought;
}

/// What the step did, said, and what came of it.
std::string step_html(const Recording& recording, const StepRecord& step, const Pictures& pictures) {
    std::string out = "<div>" + before_figure(step, pictures, Chooser::Model);
    out += fmt::format(R"(<p class="did">{}. {}</p>)", step.index, escape(shorten(step_title(step, Chooser::Model), kSaidMax)));
    if (const std::string said = said_at(recording, step); !said.empty()) {
        out += fmt::format(R"(<p class="said">{}</p>)", escape(shorten(said, kSaidMax)));
    }
    const std::string result = shown_result(step);
    if (const std::string_view kind = result_kind(result); kind == "warn" || kind == "bad") {
        out += note(result_kind(result), shorten(fmt::format("{}{}{}", result_words(step, Chooser::Model), text_of(step.verified, "reason").empty() ? "" : ": ", text_of(step.verified, "reason")), kSaidMax));
    }
    return out + "</div>";
}

/// The screen that it was left with.
std::string last_html(const TaskRecord& task, const Pictures& pictures) {
    if (task.steps.empty() || !task.steps.back().after.is_object()) {
        return "";
    }
    return "<div>" + figure(task.steps.back().after, pictures, "after", "afterwards", "") + R"(<p class="did">Afterwards</p></div>)";
}

std::string head_html(const GalleryRow& row, const std::string& goal) {
    return fmt::format(R"(<header><h3>{}</h3>{}<span class="why">{}</span></header><p class="goal">{}</p>)", escape(row.title), badge(row.is_good ? "ok" : "bad", row.ending), escape(shorten(row.words, 400)),
                       escape(shorten(goal, 600)));
}

struct RowHtml {
    std::string body;
    std::string sheet;
};

RowHtml row_html(const GalleryRow& row, std::size_t number, std::size_t bytes_max, int pictures_max) {
    const Result<Recording> recording = Recording::open(row.recording);
    if (!recording) {
        return {fmt::format(R"(<div class="row">{}{}</div>)", head_html(row, ""), note("bad", recording.error().message)), ""};
    }
    const SessionRecord session = collect(*recording);
    const Pictures pictures(*recording, session, PictureStore::StyleSheet, {bytes_max, pictures_max, fmt::format("r{}-", number)});
    const TaskRecord none;
    const TaskRecord& task = session.tasks.empty() ? none : session.tasks.back();
    std::string strip;
    for (const StepRecord& step : task.steps) {
        strip += static_cast<std::size_t>(step.index) <= kStepsMax ? step_html(*recording, step, pictures) : "";
    }
    return {fmt::format(R"(<div class="row">{}<div class="strip">{}{}</div><p class="file">{}</p></div>)", head_html(row, text_of(task.started, "goal")), strip, last_html(task, pictures),
                        escape(row.recording.filename().string())),
            pictures.text()};
}

} // namespace

std::string render_gallery_html(const Gallery& gallery, const ReportOptions& options) {
    PageParts parts{.title = gallery.title, .sheet = kSheet, .body = {}, .stores = {}};
    parts.body = fmt::format(R"(<header class="head"><div class="wrap"><p class="brand"><b>handeye</b> evaluation</p><h1>{}</h1><div class="verdict"><p>{}</p></div></div></header><main class="wrap">)",
                             escape(gallery.title), escape(gallery.words));
    std::string section;
    std::size_t left_out = 0;
    for (std::size_t i = 0; i < gallery.rows.size(); ++i) {
        const GalleryRow& row = gallery.rows[i];
        const std::size_t taken = parts.body.size() + parts.sheet.size();
        const std::size_t room = options.bytes_max > taken ? options.bytes_max - taken : 0;
        if (room < 2 * kRowBytesMin) {
            left_out = gallery.rows.size() - i;
            break;
        }
        const RowHtml html = row_html(row, i, std::max(kRowBytesMin, room / (gallery.rows.size() - i)), options.pictures_max);
        parts.body += row.section == section ? "" : fmt::format(R"(<h2 class="section">{}</h2>)", escape(row.section));
        section = row.section;
        parts.body += html.body;
        parts.sheet += html.sheet;
    }
    parts.body += note("warn", left_out == 0 ? "" : fmt::format("Left out at the end: {}, since the page has no room for more.", counted(static_cast<double>(left_out), "row")));
    parts.body += gallery.rows.empty() ? R"(<p class="empty">There is nothing to show.</p>)" : "";
    parts.body += "</main>";
    return page_html(parts);
}

} // namespace handeye
