// SPDX-License-Identifier: Apache-2.0
// CUDA's threads on the host, for tests: every thread of a block is a fiber, barriers and exchanges between lanes mean what they mean on a
// device, blocks run one after the other. A barrier that some threads of a block never reach, or that lanes of a warp reach at
// different times for ever, ends the program and says so. Threads can be run in another order: what then gives other numbers lacks a barrier.
#pragma once

#include <math.h> // expf and its like without std, as device code has them
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local // one block at a time on a thread of the host
#define __align__(n) alignas(n)

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {} // NOLINT(google-explicit-constructor)
};

namespace handeye::on_host::host {

struct Stream {};

enum class Order { Forward, Backward, Shuffled };
/// Of the threads of each block, from now on.
void set_order(Order order);

inline thread_local dim3 thread_index, block_index, block_size, grid_size;

void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& kernel);
std::byte* dynamic_shared_bytes();
void block_barrier();
void warp_barrier(unsigned mask);
constexpr int kSlotBytes = 64; ///< that a lane can lay down for the others
/// What lane `from` of the caller's warp gave, all lanes of `mask` together; `bytes` at most kSlotBytes.
void exchange(unsigned mask, const void* mine, int from, void* theirs, std::size_t bytes);
/// Where lane `lane` of the caller's warp lays something for the others, kSlotBytes after the lane before: valid from a warp barrier to leave_slots().
std::byte* lane_slot(int lane);
/// Of the lanes that have met at the barrier. What they lay down next lies elsewhere where all of a warp have met: those that still read need not be waited for.
void leave_slots(unsigned mask);
int this_lane();

/// Ends the program when a device could not read there so.
inline const void* aligned(const void* at, std::size_t to) {
    if (reinterpret_cast<std::uintptr_t>(at) % to != 0) {
        std::abort();
    }
    return at;
}

template <class T>
T from_lane(unsigned mask, T mine, int lane) {
    T theirs;
    exchange(mask, &mine, lane, &theirs, sizeof(T));
    return theirs;
}

/// c += a b, 16x8x16, fragments as mma_bf16() lays them out; `first` and `second` make floats of a word's halves.
template <class First, class Second>
void mma(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], const First& first, const Second& second) {
    struct Numbers {
        float a[4][2], b[2][2];
    };
    Numbers mine;
    for (int i = 0; i < 4; ++i) {
        mine.a[i][0] = first(a[i]);
        mine.a[i][1] = second(a[i]);
    }
    for (int i = 0; i < 2; ++i) {
        mine.b[i][0] = first(b[i]);
        mine.b[i][1] = second(b[i]);
    }
    const int lane = this_lane();
    const auto of = [slots = lane_slot(0)](int other) { return reinterpret_cast<Numbers*>(slots + other * kSlotBytes); };
    *of(lane) = mine;
    warp_barrier(0xFFFFFFFFU);
    const int g = lane / 4, t = lane % 4;
    for (int step = 0; step < 4; ++step) { // columns of a 2*step, +1, +8, +9
        const Numbers& left = *of(g * 4 + step);
        for (int col = 0; col < 2; ++col) {
            const Numbers& right = *of((2 * t + col) * 4 + step);
            for (int half = 0; half < 2; ++half) {
                c[col] += left.a[2 * half][0] * right.b[half][0] + left.a[2 * half][1] * right.b[half][1];
                c[2 + col] += left.a[2 * half + 1][0] * right.b[half][0] + left.a[2 * half + 1][1] * right.b[half][1];
            }
        }
    }
    leave_slots(0xFFFFFFFFU);
}

/// Of each of four 8x8 matrices the numbers that are this lane's, as load_matrices() says.
template <bool kTransposed>
void load_matrices(std::uint32_t (&out)[4], const void* row) {
    const int g = this_lane() / 4, t = this_lane() % 4;
    std::memcpy(lane_slot(this_lane()), row, 16);
    warp_barrier(0xFFFFFFFFU);
    for (int i = 0; i < 4; ++i) {
        std::uint16_t pair[2];
        for (int e = 0; e < 2; ++e) {
            const int from_row = kTransposed ? 2 * t + e : g;
            const int from_column = kTransposed ? g : 2 * t + e;
            std::memcpy(&pair[e], lane_slot(8 * i + from_row) + 2 * from_column, sizeof pair[e]);
        }
        std::memcpy(&out[i], pair, sizeof pair);
    }
    leave_slots(0xFFFFFFFFU);
}

} // namespace handeye::on_host::host

#define threadIdx (handeye::on_host::host::thread_index)
#define blockIdx (handeye::on_host::host::block_index)
#define blockDim (handeye::on_host::host::block_size)
#define gridDim (handeye::on_host::host::grid_size)

inline void __syncthreads() { handeye::on_host::host::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU) { handeye::on_host::host::warp_barrier(mask); }
inline void __threadfence() {}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
    return handeye::on_host::host::from_lane(mask, value, lane & 31);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width) { // lane of the caller's `width` neighbours
    return handeye::on_host::host::from_lane(mask, value, (handeye::on_host::host::this_lane() & ~(width - 1)) + (lane & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with) {
    return handeye::on_host::host::from_lane(mask, value, handeye::on_host::host::this_lane() ^ with);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by) {
    const int from = handeye::on_host::host::this_lane() + static_cast<int>(by);
    return handeye::on_host::host::from_lane(mask, value, from < 32 ? from : handeye::on_host::host::this_lane());
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by) {
    const int from = handeye::on_host::host::this_lane() - static_cast<int>(by);
    return handeye::on_host::host::from_lane(mask, value, from >= 0 ? from : handeye::on_host::host::this_lane());
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    unsigned all = 0;
    for (int lane = 0; lane < 32; ++lane) {
        all |= (mask >> static_cast<unsigned>(lane) & 1U) != 0 && handeye::on_host::host::from_lane(mask, predicate, lane) != 0 ? 1U << static_cast<unsigned>(lane) : 0U;
    }
    return all;
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value) {
    using namespace handeye::on_host;
    std::memcpy(host::lane_slot(host::this_lane()), &value, sizeof value);
    host::warp_barrier(mask);
    unsigned sum = 0;
    for (int lane = 0; lane < 32; ++lane) {
        unsigned theirs = 0;
        if ((mask >> static_cast<unsigned>(lane) & 1U) != 0) {
            std::memcpy(&theirs, host::lane_slot(lane), sizeof theirs);
        }
        sum += theirs;
    }
    host::leave_slots(mask);
    return sum;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
template <class T>
T atomicAdd(T* at, T value) { // fibers of one thread of the host
    const T before = *at;
    *at = before + value;
    return before;
}
inline unsigned long long atomicMax(unsigned long long* at, unsigned long long value) {
    const unsigned long long before = *at;
    *at = before > value ? before : value;
    return before;
}
template <class T>
T __ldg(const T* at) { return *at; }
/// Byte i of the result is byte (bits 4i..4i+2 of `which`) of x (0..3) and y (4..7).
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned which) {
    const unsigned long long bytes = static_cast<unsigned long long>(y) << 32U | x;
    unsigned out = 0;
    for (unsigned i = 0; i < 4; ++i) {
        out |= static_cast<unsigned>(bytes >> 8U * (which >> 4U * i & 7U) & 0xFFU) << 8U * i;
    }
    return out;
}
inline float __expf(float x) { return expf(x); }
