// SPDX-License-Identifier: Apache-2.0
// Random numbers in a device's memory, and reading it: what benchmarks need.
#include "engine/device/kernels.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kBlocksMost = 4096;
constexpr int kReadsAhead = 4;

// The finaliser of MurmurHash3 (Austin Appleby, public domain): every bit of the result depends on every bit given.
__device__ std::uint32_t mixed(std::uint32_t bits) {
    bits = (bits ^ bits >> 16U) * 0x85EBCA6BU;
    bits = (bits ^ bits >> 13U) * 0xC2B2AE35U;
    return bits ^ bits >> 16U;
}

__global__ void fill_random(device::FillRandom op) {
    const std::int64_t every = static_cast<std::int64_t>(gridDim.x) * kThreads;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < op.words; i += every) {
        op.to[i] = (mixed(static_cast<std::uint32_t>(i) * 0x9E3779B9U + op.seed) & op.kept) | op.set;
    }
}

__global__ void read_all(device::ReadAll op) {
    const std::int64_t count = op.bytes / 16;
    const std::int64_t every = static_cast<std::int64_t>(gridDim.x) * kThreads;
    const auto* const from = static_cast<const Words4*>(op.from);
    std::uint32_t any = 0;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count; i += every * kReadsAhead) {
        Words4 words[kReadsAhead];
        HANDEYE_UNROLL
        for (int k = 0; k < kReadsAhead; ++k) {
            words[k] = i + k * every < count ? load_once(from + i + k * every) : Words4{0, 0, 0, 0};
        }
        HANDEYE_UNROLL
        for (int k = 0; k < kReadsAhead; ++k) {
            any |= words[k].x | words[k].y | words[k].z | words[k].w;
        }
    }
    if (any == 0 && blockIdx.x == 0 && threadIdx.x == 0) {
        *op.to = 1;
    }
}

dim3 blocks_for(std::int64_t items) {
    const std::int64_t blocks = (items + kThreads - 1) / kThreads;
    return dim3(blocks < kBlocksMost ? static_cast<unsigned>(blocks) : kBlocksMost);
}

} // namespace

void run(Stream stream, const device::FillRandom& op) {
    if (op.words > 0) {
        launch(stream, blocks_for(op.words), dim3(kThreads), 0, fill_random, op);
    }
}

void run(Stream stream, const device::ReadAll& op) {
    if (op.bytes > 0) {
        launch(stream, blocks_for(op.bytes / 16), dim3(kThreads), 0, read_all, op);
    }
}

} // namespace handeye::HANDEYE_DEVICE
