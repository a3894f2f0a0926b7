// SPDX-License-Identifier: Apache-2.0
// Products with few rows: how they are shared out over a launch, and those of plain and FP8 weights.
#include "engine/device/few_product.h"

#include <algorithm>
#include <climits>

namespace handeye::HANDEYE_DEVICE {

bool few_product_plain(Stream stream, const FewLaunch& op, int blocks) { return few_product_of<Code::Bf16, Code::F16, Code::F32, Code::Fp8>(stream, op, blocks); }
bool few_product_plain(Stream stream, const ExpertLaunch& op, dim3 grid) { return few_product_of<Code::Bf16, Code::F16, Code::F32, Code::Fp8>(stream, op, grid); }

namespace {

constexpr int kWarpsEnough = 4096; // on the device: then the strips are not shared among more
constexpr int kChunksLeast = 2;    // of a warp

/// Of one strip: a power of two, by the matrix's shape.
inline int warps_of_strip(const device::DeviceMatrix& w) {
    int warps = kFewWarps;
    while (warps > 1 && (warps * kChunksLeast > w.chunks || w.strips * (warps / 2) >= kWarpsEnough)) {
        warps /= 2;
    }
    return warps;
}

/// The same of a gate, which has half of a block.
int gated_warps(const device::DeviceMatrix& w) { return std::min(warps_of_strip(w), kFewWarps / 2); }

int pieces_of(int strips, int of_block) { return (strips + of_block - 1) / of_block; }
/// A gate's strips are those of its whole result, the zeros at its end among them.
int gated_blocks(const device::SplitRows& out, int warps) { return pieces_of(out.chunks * (kChunk / kStrip), kFewWarps / 2 / warps); }

void run_few(Stream stream, const FewLaunch& op, int blocks) {
    if (op.x.rows > 0 && blocks > 0) {
        few_product_plain(stream, op, blocks) || few_product_whole(stream, op, blocks) || few_product_levels(stream, op, blocks);
    }
}
void run_few(Stream stream, const ExpertLaunch& op, int blocks, int rows) {
    const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(rows));
    if (rows > 0 && blocks > 0) {
        few_product_plain(stream, op, grid) || few_product_whole(stream, op, grid) || few_product_levels(stream, op, grid);
    }
}

} // namespace

void run(Stream stream, const device::FewProducts& op) {
    FewLaunch few{.x = op.x, .of = {}, .first_block = {0, INT_MAX, INT_MAX}, .warps = {}, .into = op.into, .gated = {}};
    int blocks = 0;
    for (int i = 0; i < op.count; ++i) {
        few.of[i] = op.of[i];
        few.warps[i] = warps_of_strip(op.of[i].w);
        few.first_block[i] = blocks;
        blocks += pieces_of(op.of[i].w.strips, kFewWarps / few.warps[i]);
    }
    run_few(stream, few, blocks);
}

void run(Stream stream, const device::FewProduct& op) { run(stream, device::FewProducts{.x = op.x, .of = {{.w = op.w, .bias = op.bias, .y = op.y}}, .count = 1, .into = op.into}); }

void run(Stream stream, const device::GatedProduct& op) {
    const int warps = gated_warps(op.gate);
    run_few(stream,
            {.x = op.x, .of = {{.w = op.gate, .bias = op.gate_bias, .y = {}}, {.w = op.up, .bias = op.up_bias, .y = {}}}, .first_block = {}, .warps = {warps, warps}, .into = device::Into::Overwrite, .gated = op.out},
            gated_blocks(op.out, warps));
}

void run(Stream stream, const device::ExpertProduct& op) {
    const int warps = warps_of_strip(op.like);
    run_few(stream,
            {.x = op.x, .rows_share = op.rows_share, .experts = {op.experts, nullptr}, .chosen = op.chosen, .like = op.like, .warps = warps, .y = op.y, .gated = {}},
            pieces_of(op.like.strips, kFewWarps / warps), op.y.rows);
}

void run(Stream stream, const device::GatedExperts& op) {
    const int warps = gated_warps(op.like);
    run_few(stream,
            {.x = op.x, .rows_share = op.rows_share, .experts = {op.gate, op.up}, .chosen = op.chosen, .like = op.like, .warps = warps, .y = {}, .gated = op.out},
            gated_blocks(op.out, warps), op.out.rows);
}

} // namespace handeye::HANDEYE_DEVICE
