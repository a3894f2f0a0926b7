// SPDX-License-Identifier: Apache-2.0
// A private folder for as long as its owner lives: what a killed one left behind is removed by the next.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <filesystem>
#include <string_view>

namespace handeye {

struct OwnedFolder {
    std::filesystem::path path;
    FileDescriptor lock; ///< held by the owner; the kernel lets go of it when that dies
};
/// Makes PARENT/PREFIXxxxxxx for this user alone, after removing those of that prefix whose lock nobody holds. The caller removes it.
Result<OwnedFolder> make_owned_folder(const std::filesystem::path& parent, std::string_view prefix);

} // namespace handeye
