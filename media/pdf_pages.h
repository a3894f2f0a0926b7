// SPDX-License-Identifier: Apache-2.0
// Pages of a PDF as pictures, drawn by poppler's pdfinfo and pdftoppm in their cage.
#pragma once

#include "base/image.h"
#include "base/result.h"
#include "media/page_choice.h"

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

inline constexpr double kPageDpi = 180;    // as the model's own demonstrations draw them
inline constexpr int kPageSidePxMax = 4096; // a larger page is drawn smaller

struct PdfWish {
    NamedFile name;             ///< what errors call it, and its pages
    std::filesystem::path file; ///< where it lies: in `folder`, where the programs may look
    std::filesystem::path folder;
    double dpi = kPageDpi;
    std::size_t pages_max = 300;
    std::int64_t bytes_max = 0; ///< of all pixels, 3 bytes each
    std::function<void(double share)> on_progress;
};
struct PdfPages {
    std::vector<Image> images;
    std::vector<int> numbers;
    int pages = 0; ///< of the whole document
};

/// Unavailable where poppler-utils is not installed, with the line that installs it; ParseFailed with what is wrong with the file;
/// OutOfBounds and LimitExceeded as choose_pages(); DeadlineExceeded after a minute; Cancelled.
Result<PdfPages> draw_pdf(const PdfWish& wish, const std::stop_token& stop);

} // namespace handeye
