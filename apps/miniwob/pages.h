// SPDX-License-Identifier: Apache-2.0
// Where the pages of MiniWoB++ lie. They are data of the package `miniwob` on PyPI (MIT licence) and no part of this program.
#pragma once

#include "apps/miniwob/tasks.h"
#include "base/result.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace handeye::miniwob {

/// Of the package whose pages are fetched and that docs/evaluation.md speaks of.
inline constexpr const char* kPagesVersion = "1.1.0";
/// Their PlacedPages::sum.
inline constexpr const char* kPagesSum = "d8fedd41011d5030f4741dc525b61ed95af6f9581dd1fad410f3de3365129f9b";

struct PlacedPages {
    std::filesystem::path folder; ///< with core/ and miniwob/ in it, absolute
    std::string sum;              ///< SHA-256 over the names and bytes of what the tasks are made of

    /// For people: which pages, and whether somebody changed them.
    [[nodiscard]] std::string title() const;
};

/// Where fetched pages go: below the user's data folder.
std::filesystem::path fetched_pages_dir();
/// The places that are looked at, in this order: `given` alone where it is not empty, else $HANDEYE_MINIWOB alone where it is set, else
/// fetched_pages_dir() and build/miniwob of the source tree that the program was built from.
std::vector<std::filesystem::path> pages_places(const std::string& given);
/// The first of those places that holds pages, which may also lie in an html/ in it. NotFound says how to get them, and names a task whose page is missing;
/// LimitExceeded for a folder that is no such package.
Result<PlacedPages> find_pages(const std::string& given, std::span<const Task* const> tasks);

} // namespace handeye::miniwob
