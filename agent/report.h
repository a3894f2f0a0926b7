// SPDX-License-Identifier: Apache-2.0
// A recording as one HTML file that needs nothing else: timeline, pictures with the click drawn, prompts, answers, timings.
#pragma once

#include "agent/recorder.h"
#include "base/result.h"

#include <string>

namespace handeye {

struct ReportOptions {
    int pictures_max = 500; ///< later steps keep their text; the report says so
};
/// Everything from the recording is escaped; the page runs no script from it and loads nothing from the network.
Result<std::string> render_report_html(const Recording& recording, const ReportOptions& options = {});

} // namespace handeye
