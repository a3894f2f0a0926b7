// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/failures_page.h"

#include "agent/report_html.h"
#include "base/hash.h"
#include "base/image_codec.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace handeye::batch {
namespace {

using report::escape;

constexpr int kPictureWidthMax = 900;
constexpr int kWebpQuality = 80;
constexpr std::size_t kPicturesOfItemMax = 8;
constexpr std::size_t kTextCharactersMax = 20'000;
constexpr std::size_t kReferencesShownMax = 20;

constexpr std::string_view kSheet = R"css(
.cards{margin:1.5rem auto 3rem}
.card{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,6fr);gap:1.4rem}
.card>header{grid-column:1/3}
.card.text{grid-template-columns:minmax(0,1fr)}.card.text>header{grid-column:1}
.card figure{margin-bottom:.8rem}
.card .frame{position:relative;border:1px solid var(--line);border-radius:8px;overflow:hidden;background:var(--code)}
.card .frame img{display:block;width:100%;height:auto}
.card .frame svg{position:absolute;inset:0;width:100%;height:100%}
.card dt{font-size:.72rem;color:var(--soft);text-transform:uppercase;letter-spacing:.05em;margin-top:.8rem}
.card dt:first-child{margin-top:0}
.card dd{margin:.15rem 0 0;white-space:pre-wrap}
.card dd.said{padding:.5rem .7rem;border-left:3px solid var(--bad);background:var(--code);border-radius:0 6px 6px 0}
.card dd.key{padding:.5rem .7rem;border-left:3px solid var(--ok);background:var(--code);border-radius:0 6px 6px 0}
.card details{margin-top:.8rem;color:var(--soft)}
.card details div{margin-top:.4rem;white-space:pre-wrap}
.card summary{cursor:pointer}
@media (max-width:700px){.card{grid-template-columns:minmax(0,1fr)}.card>header{grid-column:1}}
)css";

std::string text(const std::string& words) { return escape(report::shorten(words, kTextCharactersMax)); }

/// The click of an answer and the box that is right, over a picture.
std::string overlay(const Scored& one, const Outcome& outcome, Size size) {
    const auto place = outcome.rule == rule_name(Rule::Click) ? click_and_box(*one.item, one.reading) : std::nullopt;
    if (!place) {
        return "";
    }
    const double x = size.width_px / 1000.0, y = size.height_px / 1000.0;
    const double line = std::max(1.0, size.width_px / 320.0);
    std::string out = fmt::format(R"(<svg viewBox="0 0 {} {}" fill="none">)", size.width_px, size.height_px);
    const auto& box = place->box;
    out += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" stroke="#12a05a" stroke-width="{:.1f}"/>)", box[0] * x, box[1] * y, (box[2] - box[0]) * x, (box[3] - box[1]) * y, line);
    if (place->has_click) {
        for (const auto& [colour, width] : {std::pair("#ffffff", 3 * line), std::pair("#d3261e", 1.4 * line)}) { // a light edge, so that it is seen on any ground
            out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" stroke="{}" stroke-width="{:.1f}"/>)", place->x * x, place->y * y, 6 * line, colour, width);
        }
        out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" fill="#d3261e"/>)", place->x * x, place->y * y, 1.2 * line);
    }
    return out + "</svg>";
}

class Page {
public:
    Page(const Outcome& outcome, ItemMedia& media, const std::stop_token& stop) : outcome_(outcome), media_(media), stop_(stop) {}

    Result<std::string> html() {
        const std::vector<const Scored*> failures = failures_of(outcome_);
        std::string body = head(failures.size()) + "<main class=\"wrap cards\">";
        for (std::size_t i = 0; i < std::min(failures.size(), kPageFailuresMax); ++i) {
            body += card(*failures[i]);
            if (stop_.stop_requested()) {
                return Error{ErrorCode::Cancelled, "stopped while failures.html was written; the same command writes it"};
            }
        }
        if (failures.size() > kPageFailuresMax) {
            body += fmt::format("<p class=\"note plain\">{} more are in results.jsonl.</p>", failures.size() - kPageFailuresMax);
        }
        return page(body + "</main>");
    }

private:
    [[nodiscard]] std::string page(const std::string& body) const {
        const std::string sheet = std::string(report::style_sheet()) + std::string(kSheet);
        return fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"generator\" content=\"handeye eval jsonl\">"
                           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\"><title>{}</title><style>{}</style></head><body>{}</body></html>\n",
                           report::base64(sha256(sheet)), escape(report::shorten("Not right: " + outcome_.file, 80)), sheet, body);
    }

    [[nodiscard]] std::string head(std::size_t failures) const {
        const Totals totals = totals_of(outcome_);
        const auto fact = [](std::string_view name, const std::string& value) { return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value); };
        std::string out = fmt::format("<header class=\"head\"><div class=\"wrap\"><p class=\"brand\"><b>handeye</b> eval jsonl</p><h1>{} of {} answers are not right</h1><dl class=\"facts\">", failures, totals.scored);
        out += fact("file", text(outcome_.file)) + fact("model", text(outcome_.model)) + fact("scored by", text(outcome_.judge.empty() ? outcome_.rule : "the judge " + outcome_.judge));
        if (totals.scored > 0) {
            out += fact("right", fmt::format("{:.1f} % (95 %: {:.1f} to {:.1f})", 100.0 * static_cast<double>(totals.right) / static_cast<double>(totals.scored), 100 * totals.interval.low, 100 * totals.interval.high));
        }
        out += fact("thoughts closed by force", fmt::format("{}", totals.closed_thoughts)) + fact("answers cut off", fmt::format("{}", totals.cut_off));
        return out + "</dl></div></header>";
    }

    std::string card(const Scored& one) {
        const Item& item = *one.item;
        const std::string pictures = pictures_of(one);
        std::string out = fmt::format("<article class=\"step card{}\"><header><span class=\"no\">line {}</span><h3>{}</h3>", pictures.empty() ? " text" : "", item.line, escape(item.id));
        if (one.answer->is_thought_closed) {
            out += report::badge("warn", "thought closed by force");
        }
        if (one.answer->stop_reason == "max_tokens" || one.answer->stop_reason == "context_full") {
            out += report::badge("warn", "cut off: " + one.answer->stop_reason);
        }
        out += fmt::format("<span class=\"time\">{:.1f} s</span></header>", one.answer->seconds);
        out += pictures.empty() ? "" : "<div>" + pictures + "</div>";
        return out + "<div>" + words_of(one, outcome_) + "</div></article>";
    }

    static std::string words_of(const Scored& one, const Outcome& outcome) {
        const Item& item = *one.item;
        const std::vector<std::string> right = right_ones(item, outcome.rule);
        std::string key;
        for (std::size_t i = 0; i < std::min(right.size(), kReferencesShownMax); ++i) {
            key += (i == 0 ? "" : "\n") + text(right[i]);
        }
        key += right.size() > kReferencesShownMax ? fmt::format("\nor {} more", right.size() - kReferencesShownMax) : "";
        const bool has_answer = !one.reading.is_thought_open && !one.reading.answer.empty();
        std::string out = fmt::format("<dl><dt>question</dt><dd>{}</dd><dt>said</dt><dd class=\"said\">{}</dd>", text(full_prompt(item)), has_answer ? text(one.reading.answer) : "<i>no answer</i>");
        if (has_answer && !one.verdict->read.empty() && one.verdict->read != one.reading.answer) {
            out += fmt::format("<dt>compared</dt><dd>{}</dd>", text(one.verdict->read));
        }
        out += fmt::format("<dt>right</dt><dd class=\"key\">{}</dd></dl>", key);
        if (!one.reading.thought.empty()) {
            out += fmt::format("<details{}><summary>what it thought</summary><div>{}</div></details>", has_answer ? "" : " open", text(one.reading.thought));
        }
        return out;
    }

    std::string pictures_of(const Scored& one) {
        const Item& item = *one.item;
        if (item.images.empty() && item.video.empty()) {
            return "";
        }
        const Result<std::vector<Part>> parts = media_.load(item, stop_);
        if (!parts) {
            return fmt::format("<p class=\"note bad\">{}</p>", escape(parts.error().message));
        }
        std::string out;
        std::size_t shown = 0;
        for (const Part& part : *parts) {
            const VideoPart* const video = std::get_if<VideoPart>(&part);
            const Image* const image = video != nullptr ? &video->frames[video->frames.size() / 2] : std::holds_alternative<ImagePart>(part) ? &std::get<ImagePart>(part).image : nullptr;
            if (image != nullptr && shown < kPicturesOfItemMax) {
                const std::string caption = video != nullptr ? fmt::format("{}: the middle one of {} frames", item.video, video->frames.size()) : caption_of(item.images[shown]);
                out += figure(*image, caption, parts->size() == 1 && video == nullptr ? overlay(one, outcome_, image->size()) : "");
                ++shown;
            }
        }
        return out + (parts->size() > shown ? fmt::format("<p class=\"note plain\">and {} more pictures</p>", parts->size() - shown) : "");
    }

    static std::string caption_of(const std::string& name) { return name.starts_with("data:") ? "a picture of the file's own" : name; }

    std::string figure(const Image& image, const std::string& caption, const std::string& over) {
        const Size size = image.size();
        const bool is_wide = size.width_px > kPictureWidthMax;
        const Result<Image> small = is_wide ? scaled(image, {.width_px = kPictureWidthMax, .height_px = std::max(1, static_cast<int>(std::int64_t{size.height_px} * kPictureWidthMax / size.width_px))}) : Result<Image>(image);
        const Result<std::vector<std::uint8_t>> bytes = small ? encode_webp(*small, kWebpQuality) : Result<std::vector<std::uint8_t>>(small.error());
        const std::string words = escape(fmt::format("{} ({}x{})", report::shorten(caption, 200), size.width_px, size.height_px));
        if (!bytes || picture_bytes_ + bytes->size() > kPagePictureBytesMax) {
            return fmt::format("<p class=\"note plain\">{}: {}</p>", words, bytes ? "the page is full" : "not shown");
        }
        picture_bytes_ += bytes->size();
        return fmt::format("<figure><div class=\"frame\"><img alt=\"\" src=\"data:image/webp;base64,{}\">{}</div><figcaption>{}</figcaption></figure>", report::base64(*bytes), over, words);
    }

    const Outcome& outcome_;
    ItemMedia& media_;
    const std::stop_token& stop_;
    std::size_t picture_bytes_ = 0;
};

} // namespace

Result<std::string> failures_page(const Outcome& outcome, ItemMedia& media, const std::stop_token& stop) { return Page(outcome, media, stop).html(); }

} // namespace handeye::batch
