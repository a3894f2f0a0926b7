// SPDX-License-Identifier: Apache-2.0
// Many short recordings on one page, a row each: what was seen at each step, where it acted, what it said.
#pragma once

#include "agent/report.h"
#include "base/result.h"

#include <filesystem>
#include <string>
#include <vector>

namespace handeye {

struct GalleryRow {
    std::string section; ///< rows of the same one stand together, under it; they follow one another
    std::string title;   ///< "seed 3"
    std::string ending;  ///< how it ended, in a word or two
    std::string words;   ///< and why: a sentence
    bool is_good = false;
    std::filesystem::path recording;
};

struct Gallery {
    std::string title;
    std::string words; ///< what the page shows
    std::vector<GalleryRow> rows;
};

/// As render_report_html(): everything is escaped, nothing runs and nothing is loaded. A recording that cannot be read is a row that says
/// so. Rows beyond the page's bytes are left out, and the page says how many.
std::string render_gallery_html(const Gallery& gallery, const ReportOptions& options = {});

} // namespace handeye
