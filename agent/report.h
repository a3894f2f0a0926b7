// SPDX-License-Identifier: Apache-2.0
// A recording as one HTML file that needs nothing else: timeline, pictures with the click drawn, prompts, answers, timings.
#pragma once

#include "agent/recorder.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace handeye {

struct ReportOptions {
    std::size_t bytes_max = 48'000'000; ///< of the page: with many pictures they become smaller, then the last are left out; the report says so
    int pictures_max = 20'000;
    std::string name = {}, other_name = {}; ///< of two compared recordings: what people call their files; empty: "this run", "the other run"
};
/// Everything from the recording is escaped; the page runs nothing from it and loads nothing from the network. It has one script, ours,
/// so that a browser holds only those steps of a long one that are in sight.
Result<std::string> render_report_html(const Recording& recording, const ReportOptions& options = {});

/// A run held against another one of the same task.
struct ComparedRuns {
    std::size_t differences = 0;
    std::string differences_json; ///< docs/reports.md
    std::string html;             ///< both side by side
};
/// What is said is said of `recording`, against `other`.
Result<ComparedRuns> compare_recordings(const Recording& recording, const Recording& other, const ReportOptions& options = {});

/// Whether a file that begins so is a page of ours, and not something else that a person would miss.
bool is_report_page(std::string_view bytes);

} // namespace handeye
