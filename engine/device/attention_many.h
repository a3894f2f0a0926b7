// SPDX-License-Identifier: Apache-2.0
// The kinds of attention among which run() chooses. Of a pass's spans attend_few() takes those of up to kFewAttentionRows rows, the others the rest.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/ops.h"

namespace handeye::HANDEYE_DEVICE {

void attend_few(Stream stream, const device::Attention& op);
void attend_exact(Stream stream, const device::Attention& op);
void attend_exact(Stream stream, const device::FullAttention& op);

/// In half precision on tensor cores: head_dim 64 or 128.
void attend_half(Stream stream, const device::Attention& op);
void attend_half(Stream stream, const device::FullAttention& op); ///< k and v become halves, in their places

} // namespace handeye::HANDEYE_DEVICE
