// SPDX-License-Identifier: Apache-2.0
// verify_model() of what is open already, computed as it was opened to compute.
#pragma once

#include "engine/engine.h"
#include "engine/runtime/engine_core.h"

#include <filesystem>
#include <span>
#include <string_view>

namespace handeye {

/// Cases that are not named are left out; none named: all are run.
Result<VerifyReport> verify_core(EngineCore& core, const std::filesystem::path& cases_dir, std::span<const std::string_view> names = {});

} // namespace handeye
