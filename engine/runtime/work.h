// SPDX-License-Identifier: Apache-2.0
// How much work a pass is at least: floating-point operations and bytes of weights, from the model's numbers. Pure.
#pragma once

#include "engine/kv_format.h"
#include "engine/models/model.h"
#include "engine/models/vision_tower.h"

namespace handeye {

/// Operations (a multiply-add is two) of `rows` new tokens after `past` cached ones, and one row of logits.
double decoder_flop(const DecoderConfig& config, double rows, double past);
/// Operations of one picture or video, merger included.
double vision_flop(const VisionConfig& config, VisionGrid grid);
/// Bytes that one decoded token must read: every layer's weights, the head, and the cache of `past` tokens.
double decode_bytes(const Decoder& decoder, double past, KvFormat kv_format);

} // namespace handeye
