// SPDX-License-Identifier: Apache-2.0
// Models in their published sizes without weights: shapes and formats alone, for plans and for measuring with random numbers.
#pragma once

#include "base/result.h"
#include "engine/models/model.h"

#include <string_view>
#include <vector>

namespace handeye::device {

/// One of synthetic_shapes() ("GLM-4.1V-9B", "GLM-4.5V", and two tiny ones of no published model), with the layers' weights in one of synthetic_formats(): "bf16", "fp8",
/// "int8", "int4" (groups of 128), "q8_0" or "q4_k_m". The head is in bf16 (in q6_k and q8_0 with GGUF), the tower in bf16. Its weights must not be read.
/// InvalidArgument lists what there is.
Result<Model> synthetic_model(std::string_view name, std::string_view format);
std::vector<std::string_view> synthetic_shapes();
std::vector<std::string_view> synthetic_formats();

} // namespace handeye::device
