// SPDX-License-Identifier: Apache-2.0
// What every file of the tree promises; one function per promise.
#pragma once

#include "tests/tidy/tree.h"

#include <string>
#include <vector>

namespace handeye::tidy {

/// "path:line: what is wrong"
using Findings = std::vector<std::string>;

/// Arrows between folders, as docs/architecture.md draws them; includes are written from the root.
Findings check_include_arrows(const Tree& tree);
/// Boost, OpenCV, X11, CUDA and nlohmann's full header: none in a front header, each only in the
/// files named for it.
Findings check_heavy_includes(const Tree& tree);
/// Every source file begins with its licence, then says what it is.
Findings check_licence_lines(const Tree& tree);
/// No source file past 600 lines.
Findings check_sizes(const Tree& tree);
/// LF, no blanks at the end of a line, a newline at the end of the file.
Findings check_whitespace(const Tree& tree);
/// No path of one machine, no note to oneself.
Findings check_words(const Tree& tree);
/// docs/verification.md has every row, and the tests and scripts that it names exist.
Findings check_verification_page(const Tree& tree);
/// Links between the pages lead somewhere.
Findings check_links(const Tree& tree);
/// The commands that README.md shows exist.
Findings check_readme_commands(const Tree& tree);
/// Each area of goldens says where it comes from.
Findings check_golden_provenance(const Tree& tree);

} // namespace handeye::tidy
