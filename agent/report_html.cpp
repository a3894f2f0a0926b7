// SPDX-License-Identifier: Apache-2.0
#include "agent/report_html.h"

#include "base/hash.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr std::array<StageStyle, 8> kStages{{
    {"capture", "capture", "s-capture"},
    {"render", "prompt", "s-render"},
    {"generate", "model", "s-generate"},
    {"decide", "parse, gate, resolve", "s-decide"},
    {"execute", "input", "s-execute"},
    {"settle", "settling", "s-settle"},
    {"verify", "check", "s-verify"},
    {"record", "record", "s-record"},
}};

// Length of the UTF-8 character that starts here; 0 when none does.
std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0 && follows(1)) {
        return 2;
    }
    const bool is_long_form = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool is_beyond = (first == 0xED && byte(1) >= 0xA0) || (first == 0xF4 && byte(1) >= 0x90);
    if (is_long_form || is_beyond || !follows(1) || !follows(2)) {
        return 0;
    }
    if (first >= 0xE0 && first < 0xF0) {
        return 3;
    }
    return first >= 0xF0 && first < 0xF5 && follows(3) ? 4 : 0;
}

// What turns the direction of writing for all that follows, as something to see; null: it is none of them.
const char* direction_mark(std::string_view character) {
    constexpr std::array<std::pair<std::string_view, const char*>, 9> kMarks{{{"\xE2\x80\xAA", "‹U+202A›"}, {"\xE2\x80\xAB", "‹U+202B›"}, {"\xE2\x80\xAC", "‹U+202C›"},
                                                                            {"\xE2\x80\xAD", "‹U+202D›"}, {"\xE2\x80\xAE", "‹U+202E›"}, {"\xE2\x81\xA6", "‹U+2066›"},
                                                                            {"\xE2\x81\xA7", "‹U+2067›"}, {"\xE2\x81\xA8", "‹U+2068›"}, {"\xE2\x81\xA9", "‹U+2069›"}}};
    const auto* const found = std::find_if(kMarks.begin(), kMarks.end(), [&](const auto& mark) { return mark.first == character; });
    return found == kMarks.end() ? nullptr : found->second;
}

struct Place {
    double x = 0;
    double y = 0;
};

// Every shape twice: a white halo below the colour, so that it stands out on any picture.
std::string stroke(const std::string& shape, std::string_view css, double width) {
    return fmt::format(R"(<g stroke-width="{:.1f}" class="halo">{}</g><g stroke-width="{:.1f}" class="{}">{}</g>)", width * 2.2, shape, width, css, shape);
}

std::string ring(Place at, double radius, double line) {
    return stroke(fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>)", at.x, at.y, radius), "mark", line) +
           fmt::format(R"(<circle class="spot" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>)", at.x, at.y, radius * 0.22);
}

std::string arrow(Place from, Place to, double line) {
    const double angle = std::atan2(to.y - from.y, to.x - from.x);
    const double head = line * 5;
    const auto wing = [&](double turn) { return Place{to.x - head * std::cos(angle + turn), to.y - head * std::sin(angle + turn)}; };
    const Place left = wing(0.5);
    const Place right = wing(-0.5);
    return stroke(fmt::format(R"(<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}"/>)", from.x, from.y, to.x, to.y,
                              left.x, left.y, to.x, to.y, right.x, right.y),
                  "mark", line);
}

// A point of the chain in the picture's own pixels.
std::optional<Place> target_of(const json& point) {
    const json& target = field_of(point, "target");
    return target.is_object() ? std::optional(Place{number_of(target, "x"), number_of(target, "y")}) : std::nullopt;
}

std::string model_box(const json& point, double width, double height, double line) {
    const json& model = field_of(point, "model");
    const json& box = field_of(model, "box");
    if (!box.is_array() || box.size() != 4 || !std::all_of(box.begin(), box.end(), [](const json& n) { return n.is_number(); })) {
        return "";
    }
    const bool is_pixels = text_of(model, "units") == "pixels";
    const double sx = is_pixels ? 1 : width / 1000;
    const double sy = is_pixels ? 1 : height / 1000;
    const double x = box[0].get<double>() * sx;
    const double y = box[1].get<double>() * sy;
    return fmt::format(R"(<rect class="box" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" stroke-width="{:.1f}"/>)", x, y,
                       std::max(0.0, box[2].get<double>() * sx - x), std::max(0.0, box[3].get<double>() * sy - y), line);
}

} // namespace

std::string escape(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 16);
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const char c = text.front();
        if (length == 0 || (length == 1 && ((c >= 0 && c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 0x7F))) {
            out += "\xEF\xBF\xBD";
        } else if (const char* const mark = direction_mark(text.substr(0, length))) {
            out += mark;
        } else if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else if (c == '\'') {
            out += "&#39;";
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string base64(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = bytes.size() - i;
        const unsigned group = unsigned{bytes[i]} << 16U | (left > 1 ? unsigned{bytes[i + 1]} << 8U : 0U) | (left > 2 ? bytes[i + 2] : 0U);
        out += kDigits[group >> 18U];
        out += kDigits[group >> 12U & 63U];
        out += left > 1 ? kDigits[group >> 6U & 63U] : '=';
        out += left > 2 ? kDigits[group & 63U] : '=';
    }
    return out;
}

std::string format_ms(double ms) {
    if (ms < 10) {
        return fmt::format("{:.1f} ms", ms);
    }
    if (ms < 1000) {
        return fmt::format("{:.0f} ms", ms);
    }
    if (ms < 60'000) {
        return fmt::format("{:.2f} s", ms / 1000);
    }
    const double seconds = std::round(ms / 1000);
    return fmt::format("{:.0f} min {:.0f} s", std::floor(seconds / 60), std::fmod(seconds, 60));
}

std::string format_count(double count) {
    std::string out = fmt::format("{:.0f}", count);
    for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3) {
        out.insert(static_cast<std::size_t>(at), "\xE2\x80\x89");
    }
    return out;
}

std::string shorten(std::string_view text_utf8, std::size_t characters_max) {
    std::size_t at = 0;
    for (std::size_t count = 0; at < text_utf8.size(); ++count) {
        if (count == characters_max) {
            return std::string(text_utf8.substr(0, at)) + "…";
        }
        at += std::max<std::size_t>(character_length(text_utf8.substr(at)), 1);
    }
    return std::string(text_utf8);
}

std::string badge(std::string_view kind, std::string_view text) {
    const std::string_view sign = kind == "ok" ? "✓ " : kind == "bad" ? "✕ " : kind == "warn" ? "! " : "";
    return fmt::format(R"(<span class="badge {}">{}{}</span>)", kind, sign, escape(text));
}

std::string_view outcome_kind(std::string_view outcome) {
    if (outcome == "done") {
        return "ok";
    }
    return outcome == "infeasible" || outcome == "needs_person" || outcome == "stopped" ? "warn" : "bad";
}

std::string_view result_kind(std::string_view result) {
    if (result == "confirmed") {
        return "ok";
    }
    if (result == "suspected_noop" || result == "partial") {
        return "warn";
    }
    return result == "refused" || result == "denied" || result == "no_action" || result == "failed" ? "bad" : "plain";
}

double stage_ms(const json& timings, std::string_view key) {
    if (key == "decide") {
        return number_of(timings, "parse") + number_of(timings, "gate") + number_of(timings, "resolve");
    }
    return number_of(timings, std::string(key).c_str());
}

std::span<const StageStyle> stage_styles() { return kStages; }

double sum_of(const json& timings_ms) {
    double sum = 0;
    for (const StageStyle& stage : kStages) {
        sum += stage_ms(timings_ms, stage.key);
    }
    return sum;
}

std::string stage_bar(const json& timings_ms, double scale_ms, std::string_view css) {
    std::string out = fmt::format(R"(<svg class="{}" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">)", css);
    double x = 0;
    for (const StageStyle& stage : kStages) {
        const double width = scale_ms > 0 ? std::clamp(stage_ms(timings_ms, stage.key) / scale_ms, 0.0, 1.0) * 1000 : 0;
        if (width >= 0.5) {
            out += fmt::format(R"(<rect class="{}" x="{:.1f}" width="{:.1f}" height="10"/>)", stage.css, x, width);
        }
        x += width;
    }
    return out + "</svg>";
}

std::string page_html(const PageParts& parts) {
    const std::string style = std::string(style_sheet()) + parts.sheet;
    const std::string script(page_script());
    std::string out = fmt::format("{}<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">"
                                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\"><title>{}</title><style>",
                                  kPageStart, base64(sha256(script)), base64(sha256(style)), escape(shorten(parts.title, 80)));
    out += style + "</style></head><body>" + parts.body + parts.stores;
    return out + "<script>" + script + "</script></body></html>\n";
}

PictureSize picture_size(const json& observation) {
    const json& size = field_of(observation, "size");
    return {std::clamp(number_of(size, "width"), 1.0, 1e5), std::clamp(number_of(size, "height"), 1.0, 1e5)};
}

std::string action_overlay(const StepRecord& step, double width, double height) {
    const double line = std::max(1.0, width / 640);
    const double radius = std::max(7.0, width / 75);
    std::string out;
    std::vector<Place> places;
    for (const json& point : field_of(step.executed, "points")) {
        out += model_box(point, width, height, line);
        if (const std::optional<Place> place = target_of(point)) {
            places.push_back(*place);
        }
    }
    if (places.size() == 2) {
        out += arrow(places[0], places[1], line * 1.4);
        out += fmt::format(R"(<circle class="spot" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>)", places[0].x, places[0].y, radius * 0.3);
    } else {
        for (const Place& place : places) {
            out += ring(place, radius, line * 1.4);
        }
    }
    const json& landed = field_of(step.executed, "landed");
    const bool is_apart = landed.is_object() && !places.empty() &&
                          std::hypot(number_of(landed, "x") - places.back().x, number_of(landed, "y") - places.back().y) > 1.5;
    if (is_apart) { // only where it differs from the aim: elsewhere it would cover it
        const double x = number_of(landed, "x");
        const double y = number_of(landed, "y");
        const double arm = radius * 0.7;
        out += stroke(fmt::format(R"(<path d="M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}V{:.1f}"/>)", x - arm, y, x + arm, x, y - arm, y + arm), "landed", line * 1.4);
    }
    return out;
}

std::string change_overlay(const StepRecord& step, double width) {
    const json& changed = field_of(step.verified, "changed");
    if (!changed.is_object()) {
        return "";
    }
    return stroke(fmt::format(R"(<rect fill="none" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)", number_of(changed, "x"),
                              number_of(changed, "y"), number_of(changed, "width"), number_of(changed, "height")),
                  "change", std::max(1.0, width / 320));
}

} // namespace handeye::report
