// SPDX-License-Identifier: Apache-2.0
// The answers that are not right as one HTML page: the pictures, the question, what was said, what was thought, what is right.
#pragma once

#include "apps/batch/outcome.h"
#include "apps/batch/question.h"

#include <cstddef>
#include <stop_token>
#include <string>

namespace handeye::batch {

inline constexpr std::size_t kPageFailuresMax = 300;                      ///< the page says how many more there are
inline constexpr std::size_t kPagePictureBytesMax = std::size_t{48} << 20U; ///< of all pictures, encoded; behind that the page names them only

/// A whole page that loads nothing from anywhere and runs nothing, whatever the file and the model wrote. Pictures are read again; one that cannot
/// be is told in its place. Cancelled.
Result<std::string> failures_page(const Outcome& outcome, ItemMedia& media, const std::stop_token& stop);

} // namespace handeye::batch
