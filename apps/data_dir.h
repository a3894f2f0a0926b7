// SPDX-License-Identifier: Apache-2.0
// Where what is fetched for a user lies.
#pragma once

#include <filesystem>

namespace handeye {

/// $XDG_DATA_HOME/handeye, or its default; not created.
std::filesystem::path data_dir();

} // namespace handeye
