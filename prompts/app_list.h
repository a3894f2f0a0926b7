// SPDX-License-Identifier: Apache-2.0
// The apps of a device as one line of a prompt. Their names are other people's words: whoever publishes an app chooses them.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace handeye {

inline constexpr std::size_t kAppsToldMax = 200;
inline constexpr std::size_t kAppNameCharactersMax = 60; ///< the beginning of a longer one
inline constexpr std::size_t kAppListBytesMax = 8192;

/// "Clock, Files, "Cash: in, out" and 12 more": always one line. A name that could be taken for more than a name stands in quotes; control
/// characters and changes of the direction of writing are told by their numbers. Empty where there is none.
std::string app_list(std::span<const std::string> names);

} // namespace handeye
