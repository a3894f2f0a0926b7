// SPDX-License-Identifier: Apache-2.0
// How kernels read and write rows: four floats at a time, 16 bytes where they lie so, one by one at a row's end or where rows are not aligned; and rows
// that a block keeps in registers. Loads are plain ones: a kernel may write where it has read.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/ops.h"

namespace handeye::HANDEYE_DEVICE {

struct alignas(16) RowQuad {
    float x, y, z, w;
};

__device__ inline float* row_of(const device::Rows& rows, int i) { return rows.data + i * rows.stride; }

__device__ inline bool lies_whole(const float* row, int col, int cols) {
    return col + 4 <= cols && reinterpret_cast<std::uintptr_t>(row + col) % 16 == 0;
}

/// Columns col..col+3 of `cols`; zeros beyond.
__device__ inline void load4(const float* row, int col, int cols, float (&v)[4]) {
    if (lies_whole(row, col, cols)) {
        const RowQuad all = *reinterpret_cast<const RowQuad*>(row + col);
        v[0] = all.x;
        v[1] = all.y;
        v[2] = all.z;
        v[3] = all.w;
        return;
    }
    HANDEYE_UNROLL
    for (int e = 0; e < 4; ++e) {
        v[e] = col + e < cols ? row[col + e] : 0.0F;
    }
}

/// What lies beyond `cols` is not written.
__device__ inline void store4(float* row, int col, int cols, const float (&v)[4]) {
    if (lies_whole(row, col, cols)) {
        *reinterpret_cast<RowQuad*>(row + col) = {v[0], v[1], v[2], v[3]};
        return;
    }
    HANDEYE_UNROLL
    for (int e = 0; e < 4; ++e) {
        if (col + e < cols) {
            row[col + e] = v[e];
        }
    }
}

inline constexpr int kRowThreads = 256;
inline constexpr int kRowThreadsMost = 1024;
inline constexpr int kRowsOfBlock = kRowThreads / kWarp; // most rows that one block norms
inline constexpr int kHeld = 2;                          // units that a thread of a norm keeps: rows up to 16,384 columns are read once
inline constexpr int kUnitsOfChunk = 8;

// Eight inputs that stand side by side in SplitRows: with t = unit / 2 % 4 and h = unit % 2, those of j = 2h and j = 2h + 1. Threads side by side have
// units side by side, so they write 16 bytes each next to the other, and read four whole sectors of memory together.
struct Unit {
    float v[2][4];
};

__host__ __device__ inline int units_of(int cols) { return (cols + device::kChunk - 1) / device::kChunk * kUnitsOfChunk; }

// The column of v[half][0].
__device__ inline int column(int unit, int half) {
    return unit / kUnitsOfChunk * device::kChunk + unit % 2 * 32 + unit / 2 % 4 * 4 + half * device::kSumGroup;
}

__device__ inline Unit load_unit(const float* row, int unit, int cols) {
    Unit out;
    load4(row, column(unit, 0), cols, out.v[0]);
    load4(row, column(unit, 1), cols, out.v[1]);
    return out;
}

// The same of a row whose column i is column inputs[i] of `row`.
__device__ inline Unit gather_unit(const float* row, const std::int32_t* inputs, int unit, int cols) {
    Unit out;
    HANDEYE_UNROLL
    for (int half = 0; half < 2; ++half) {
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            const int col = column(unit, half) + e;
            out.v[half][e] = col < cols ? row[inputs[col]] : 0.0F;
        }
    }
    return out;
}

__device__ inline void store_unit(float* row, int unit, int cols, const Unit& from) {
    store4(row, column(unit, 0), cols, from.v[0]);
    store4(row, column(unit, 1), cols, from.v[1]);
}

// A row's share of one thread.
struct HeldRow {
    const float* row;
    int cols;
    Unit held[kHeld];

    __device__ __forceinline__ HeldRow(const float* from, int cols_) : row(from), cols(cols_) {
        HANDEYE_UNROLL
        for (int i = 0; i < kHeld; ++i) {
            held[i] = load_unit(row, static_cast<int>(threadIdx.x + i * blockDim.x), cols);
        }
    }
    // use(unit, numbers) for each unit of the thread up to `units`; the lanes of a warp stay together.
    template <class Use>
    __device__ __forceinline__ void each(int units, const Use& use) const {
        int unit = static_cast<int>(threadIdx.x);
        HANDEYE_UNROLL
        for (int i = 0; i < kHeld; ++i, unit += static_cast<int>(blockDim.x)) {
            if (unit / kWarp * kWarp < units) {
                use(unit, held[i]);
            }
        }
        for (; unit / kWarp * kWarp < units; unit += static_cast<int>(blockDim.x)) {
            use(unit, load_unit(row, unit, cols));
        }
    }
    // The row, which is also `to`, += numbers(unit) from here on.
    template <class Numbers>
    __device__ __forceinline__ void add(float* to, const Numbers& numbers) {
        int unit = static_cast<int>(threadIdx.x);
        HANDEYE_UNROLL
        for (int i = 0; i < kHeld; ++i, unit += static_cast<int>(blockDim.x)) {
            held[i] = sum(held[i], numbers(unit));
            store_unit(to, unit, cols, held[i]);
        }
        for (; unit < units_of(cols); unit += static_cast<int>(blockDim.x)) {
            store_unit(to, unit, cols, sum(load_unit(row, unit, cols), numbers(unit)));
        }
    }

private:
    __device__ static Unit sum(Unit a, const Unit& b) {
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HANDEYE_UNROLL
            for (int e = 0; e < 4; ++e) {
                a.v[half][e] += b.v[half][e];
            }
        }
        return a;
    }
};

// The same share, read when it is asked for.
struct StreamedRow {
    const float* row;
    int cols;

    template <class Use>
    __device__ __forceinline__ void each(int units, const Use& use) const {
        for (int unit = static_cast<int>(threadIdx.x); unit / kWarp * kWarp < units; unit += static_cast<int>(blockDim.x)) {
            use(unit, load_unit(row, unit, cols));
        }
    }
};

// (1 / rms) as the CPU's kernel has it.
template <class Row>
__device__ __forceinline__ float rms_factor(const Row& x, float eps, float* scratch) {
    float squares = 0;
    x.each(units_of(x.cols), [&](int, const Unit& u) {
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HANDEYE_UNROLL
            for (int e = 0; e < 4; ++e) {
                squares += u.v[half][e] * u.v[half][e];
            }
        }
    });
    return 1.0F / sqrtf(block_sum(squares, scratch) / static_cast<float>(x.cols) + eps);
}

// u * factor * weight; columns beyond stay zeros.
__device__ inline Unit scaled(Unit u, float factor, const Unit& weight, int unit, int cols) {
    HANDEYE_UNROLL
    for (int half = 0; half < 2; ++half) {
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            u.v[half][e] = column(unit, half) + e < cols ? u.v[half][e] * factor * weight.v[half][e] : 0.0F;
        }
    }
    return u;
}

inline unsigned pieces(int count, int of) { return static_cast<unsigned>((count + of - 1) / of); }

// Threads of a row, and rows of a block: a warp takes a narrow row alone.
inline dim3 norm_block(int rows, int units) {
    const int wanted = (units + kWarp - 1) / kWarp * kWarp;
    const int threads = wanted < kRowThreadsMost ? wanted : kRowThreadsMost;
    const int fitting = kRowThreads / threads > 1 ? kRowThreads / threads : 1;
    return {static_cast<unsigned>(threads), static_cast<unsigned>(fitting < rows ? fitting : rows)};
}

// A block has one row and its share of `count` pieces of work.
inline dim3 row_grid(int rows, int count) { return {static_cast<unsigned>(rows), pieces(count, kRowThreads)}; }

} // namespace handeye::HANDEYE_DEVICE
