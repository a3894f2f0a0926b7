// SPDX-License-Identifier: Apache-2.0
// Escaping and small pieces of HTML and SVG for the report. Pure. Inside this folder and apps/batch only.
#pragma once

#include "agent/report_model.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace handeye::report {

/// Safe between tags and inside a quoted attribute. Bytes that are no UTF-8 and control characters become U+FFFD.
std::string escape(std::string_view text);
std::string base64(std::span<const std::uint8_t> bytes);
/// "840 ms", "2.31 s", "3 min 5 s".
std::string format_ms(double ms);
/// "1 234 567" with thin spaces.
std::string format_count(double count);
/// At most `characters_max` characters, "…" where something is missing.
std::string shorten(std::string_view text_utf8, std::size_t characters_max);

/// A badge whose colour and sign tell how it went: "ok", "warn", "bad" or "plain".
std::string badge(std::string_view kind, std::string_view text);
std::string_view outcome_kind(std::string_view outcome);
std::string_view result_kind(std::string_view result);

/// The stages in drawing order: the timing's key, the name for people, the CSS class.
struct StageStyle {
    const char* key;
    const char* name;
    const char* css;
};
std::span<const StageStyle> stage_styles();
double stage_ms(const json& timings_ms, std::string_view key);
/// A bar of the stages' times; `scale_ms` is its full width.
std::string stage_bar(const json& timings_ms, double scale_ms, std::string_view css);
double sum_of(const json& timings_ms);

/// Of a captured screen, in pixels; within bounds whatever the recording says.
struct PictureSize {
    double width = 1;
    double height = 1;
};
PictureSize picture_size(const json& observation);
/// What is drawn over the screen the model saw: where it pointed, its box, where the pointer landed.
std::string action_overlay(const StepRecord& step, double width, double height);
/// A frame around what changed.
std::string change_overlay(const StepRecord& step, double width);

/// A whole page.
struct PageParts {
    std::string title;
    std::string sheet;   ///< more of the style sheet
    std::string body;
    std::string stores;  ///< inert text from which the script takes pictures
};
/// Its content security policy names style sheet and script by their hashes: nothing that a recording holds can run, load or restyle.
std::string page_html(const PageParts& parts);
/// What each page begins with: by it a report is known as one.
constexpr std::string_view kPageStart = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"generator\" content=\"handeye report\">";

/// The page's style sheet, light and dark, screen and paper.
std::string_view style_sheet();
/// Slides pictures over one another, and puts the steps of a long report in place as they come into sight.
std::string_view page_script();

} // namespace handeye::report
