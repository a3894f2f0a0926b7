// SPDX-License-Identifier: Apache-2.0
// The operations as launches on a stream: nvcc compiles them into kernels of a device, tests compile the same sources for the host. Errors of a launch are
// seen when the stream is next waited for.
#pragma once

#include "engine/device/choose.h"
#include "engine/device/device_code.h"
#include "engine/device/device_matrix.h"
#include "engine/device/ops.h"

#include <cstddef>

namespace handeye::HANDEYE_DEVICE {

void run(Stream stream, const device::Split& op);
void run(Stream stream, const device::SiluSplit& op);
void run(Stream stream, const device::RmsNorm& op);
void run(Stream stream, const device::LayerNormGelu& op);
void run(Stream stream, const device::Add& op);
void run(Stream stream, const device::Rope& op);
void run(Stream stream, const device::GatherBlocks& op);
void run(Stream stream, const device::AddWeightedRows& op);
void run(Stream stream, const device::ResizePixels& op);
void run(Stream stream, const device::CutPatches& op);
void run(Stream stream, const device::StoreKv& op);
void run(Stream stream, const device::Attention& op);
void run(Stream stream, const device::FullAttention& op);
void run(Stream stream, const device::Route& op);
void run(Stream stream, const device::GatherRows& op);
void run(Stream stream, const device::ScatterAdd& op);
void run(Stream stream, const device::CombineExperts& op);
void run(Stream stream, const device::FewProduct& op);
void run(Stream stream, const device::FewProducts& op);
void run(Stream stream, const device::GatedProduct& op);
void run(Stream stream, const device::ExpertProduct& op);
void run(Stream stream, const device::GatedExperts& op);
void run(Stream stream, const device::ManyProduct& op);
void run(Stream stream, const device::Unpack& op);
void run(Stream stream, const device::FillRandom& op);
void run(Stream stream, const device::ReadAll& op);
void run(Stream stream, const device::Candidates& op);

/// Floats of Attention::partial for `rows` rows.
std::size_t attention_partial_floats(int rows, int heads, int head_dim);

} // namespace handeye::HANDEYE_DEVICE
