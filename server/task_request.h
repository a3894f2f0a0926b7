// SPDX-License-Identifier: Apache-2.0
// What task.run and task.run_file have in common.
#pragma once

#include "server/call.h"
#include "server/session_values.h"

#include <optional>
#include <string_view>

namespace handeye {

/// Whether a request may ask for more than was allowed before.
enum class Widen { No, Yes };
/// The request's `budget` over, or within, this one.
Budget budget_from(const nlohmann::json& params, Budget budget, Widen widen);
/// Policy, surface, secrets and key of a request; goal, budget and program are the method's. InvalidParams for a policy that is none.
RpcResult<TaskSpec> spec_from(const Call& call, std::string_view method);
/// Why no task that asks a model can start; nullopt: it can, or waits while the model loads.
std::optional<RpcError> missing_model(const Core& core);

} // namespace handeye
