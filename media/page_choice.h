// SPDX-License-Identifier: Apache-2.0
// "report.pdf#3-7,9": a file, and which of its pages.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct PageRange {
    int first = 1;
    int last = 1; ///< included
};

struct NamedFile {
    std::string path;
    std::vector<PageRange> pages; ///< empty: all
};

/// A file that is there under the whole name wins; otherwise what follows the last '#' names pages from 1 on. InvalidArgument for
/// pages that are none.
Result<NamedFile> parse_named_file(const std::string& name);

/// The page numbers, in the order asked for; all of them where none is named. OutOfBounds for one that the document has not,
/// LimitExceeded where they are more than `pages_max`: the message says how to ask for fewer.
Result<std::vector<int>> choose_pages(const NamedFile& file, int pages, std::size_t pages_max);

/// "3 to 7 and 9", "2".
std::string pages_text(const std::vector<int>& pages);

} // namespace handeye
