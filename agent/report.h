// SPDX-License-Identifier: Apache-2.0
// A recording as one HTML file that needs nothing else: timeline, pictures with the click drawn, prompts, answers, timings.
#pragma once

#include "agent/recorder.h"
#include "base/result.h"

#include <string>

namespace handeye {

struct ReportOptions {
    std::size_t bytes_max = 48'000'000; ///< of the page: with many pictures they become smaller, then the last are left out; the report says so
    int pictures_max = 20'000;
};
/// Everything from the recording is escaped; the page runs nothing from it and loads nothing from the network. A long one has a
/// script of ours, so that a browser holds only the steps in sight.
Result<std::string> render_report_html(const Recording& recording, const ReportOptions& options = {});

} // namespace handeye
