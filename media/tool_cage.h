// SPDX-License-Identifier: Apache-2.0
// What confines a ConfinedTool, made before the fork: after it only system calls may be made.
#pragma once

#include "base/file.h"
#include "base/result.h"
#include "media/confined_tool.h"

#include <vector>

#include <linux/filter.h>

namespace handeye {

struct ToolCage {
    std::vector<sock_filter> filter;
    FileDescriptor landlock; ///< not open: this kernel has none
};

/// PermissionDenied when the filter cannot be made.
Result<ToolCage> build_cage(const ToolCall& call);
/// In the child, just before the program. False: the kernel refused.
bool enter_cage(const ToolCage& cage);

} // namespace handeye
