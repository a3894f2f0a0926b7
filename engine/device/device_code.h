// SPDX-License-Identifier: Apache-2.0
// What kernels are written in: CUDA C++, of which this file adds a few instructions. Compiled by nvcc it is CUDA; compiled as C++ the same
// kernels run on the host (host_threads.h), where tests compare them with plain loops. Both live in a namespace of their own, HANDEYE_DEVICE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define HANDEYE_DEVICE cuda
#define HANDEYE_UNROLL _Pragma("unroll") // before loops whose counter indexes registers
#else
#include "engine/device/host_threads.h"
#define HANDEYE_DEVICE on_host
#define HANDEYE_UNROLL
#endif

namespace handeye::HANDEYE_DEVICE {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

// ---- numbers ----

__device__ inline float bits_float(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
#endif
}
__device__ inline std::uint32_t float_bits(float value) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(value);
#else
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

__device__ inline float bf16_float(std::uint16_t bits) { return bits_float(static_cast<std::uint32_t>(bits) << 16U); }
/// To nearest, ties to even; what is no number stays none.
__device__ inline std::uint16_t float_bf16(float value) {
    const std::uint32_t bits = float_bits(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
        return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
    }
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}
/// Two floats as a pair, the first in the lower half, each to nearest.
__device__ inline std::uint32_t bf16_pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    std::uint32_t out;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(second), "f"(first));
    return out;
#else
    return float_bf16(first) | static_cast<std::uint32_t>(float_bf16(second)) << 16U;
#endif
}
__device__ inline float pair_first(std::uint32_t pair) { return bits_float(pair << 16U); }
__device__ inline float pair_second(std::uint32_t pair) { return bits_float(pair & 0xFFFF0000U); }
/// a * b + c of pairs, rounded once.
__device__ inline std::uint32_t bf16_pair_fma(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    std::uint32_t out;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(c));
    return out;
#else
    return bf16_pair(pair_first(a) * pair_first(b) + pair_first(c), pair_second(a) * pair_second(b) + pair_second(c)); // exact before rounding for the numbers used here
#endif
}

/// x & mask | set, with both constants one instruction: the compiler makes two of it.
__device__ inline std::uint32_t and_or(std::uint32_t x, std::uint32_t mask, std::uint32_t set) {
#if defined(__CUDA_ARCH__)
    std::uint32_t out;
    asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(out) : "r"(x), "r"(mask), "r"(set));
    return out;
#else
    return (x & mask) | set;
#endif
}

/// IEEE half precision, every value.
__device__ inline float half_float(std::uint16_t bits) {
#if defined(__CUDA_ARCH__)
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#else
    const std::uint32_t sign = (bits & 0x8000U) << 16U;
    const std::uint32_t rest = bits & 0x7FFFU;
    if (rest >= 0x7C00U) {
        return bits_float(sign | 0x7F800000U | (rest & 0x3FFU) << 13U);
    }
    const float magnitude = bits_float(rest << 13U) * 0x1p112F; // subnormal ones too
    return bits_float(sign | float_bits(magnitude));
#endif
}
/// To nearest, ties to even; too large ones become the largest.
__device__ inline std::uint16_t float_half(float value) {
    const float capped = value > 65504.0F ? 65504.0F : value < -65504.0F ? -65504.0F : value;
#if defined(__CUDA_ARCH__)
    std::uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(capped));
    return bits;
#else
    const std::uint32_t sign = float_bits(capped) >> 16U & 0x8000U;
    const std::uint32_t magnitude = float_bits(capped) & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U) {
        return static_cast<std::uint16_t>(sign | 0x7E00U);
    }
    if (magnitude < 0x38800000U) { // below the least normal half: units of 2^-24
        const float scaled = bits_float(magnitude) * 0x1p24F;
        const auto whole = static_cast<std::uint32_t>(scaled);
        const float left = scaled - static_cast<float>(whole);
        return static_cast<std::uint16_t>(sign | (whole + (left > 0.5F || (left == 0.5F && (whole & 1U) != 0) ? 1U : 0U)));
    }
    const std::uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13U & 1U);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13U));
#endif
}

/// Two floats as float_half() makes them, the first in the lower half.
__device__ inline std::uint32_t half_pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    std::uint32_t out;
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(second), "f"(first));
    return out;
#else
    return float_half(first) | static_cast<std::uint32_t>(float_half(second)) << 16U;
#endif
}

/// 2^x, to about 22 bits; 0 of what is too small.
__device__ inline float fast_exp2(float x) {
#if defined(__CUDA_ARCH__)
    float out;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
    return out;
#else
    return exp2f(x);
#endif
}

// ---- memory ----

struct alignas(16) Words4 {
    std::uint32_t x, y, z, w;
};
struct alignas(8) Words2 {
    std::uint32_t x, y;
};

/// An address that a device reads `alignment` bytes from at once: on the host this is checked.
__device__ inline const void* checked(const void* at, [[maybe_unused]] std::size_t alignment) {
#if defined(__CUDACC__)
    return at;
#else
    return host::aligned(at, alignment);
#endif
}

/// 16 bytes that are read once: they do not stay in the first cache.
__device__ inline Words4 load_once(const void* from) {
#if defined(__CUDA_ARCH__)
    Words4 out;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(out.x), "=r"(out.y), "=r"(out.z), "=r"(out.w) : "l"(from));
    return out;
#else
    Words4 out;
    std::memcpy(&out, checked(from, 16), sizeof out);
    return out;
#endif
}
/// The same of 8 and of 4 bytes.
__device__ inline Words2 load_once8(const void* from) {
#if defined(__CUDA_ARCH__)
    Words2 out;
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(out.x), "=r"(out.y) : "l"(from));
    return out;
#else
    Words2 out;
    std::memcpy(&out, checked(from, 8), sizeof out);
    return out;
#endif
}
__device__ inline std::uint32_t load_once4(const void* from) {
#if defined(__CUDA_ARCH__)
    std::uint32_t out;
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(out) : "l"(from));
    return out;
#else
    std::uint32_t out;
    std::memcpy(&out, checked(from, 4), sizeof out);
    return out;
#endif
}
/// 16 bytes that others read as well, of memory that no kernel running at the same time writes.
__device__ inline Words4 load_shared16(const void* from) {
#if defined(__CUDA_ARCH__)
    const uint4 v = __ldg(static_cast<const uint4*>(from));
    return {v.x, v.y, v.z, v.w};
#else
    return load_once(from);
#endif
}

/// 16 bytes of any numbers at once.
__device__ inline void store16(void* to, const Words4& words) {
#if defined(__CUDA_ARCH__)
    *static_cast<Words4*>(to) = words;
#else
    std::memcpy(const_cast<void*>(checked(to, 16)), &words, sizeof words);
#endif
}

#if defined(__CUDACC__)
/// The block's memory whose size the launch gives.
template <class T>
__device__ inline T* dynamic_shared() {
    extern __shared__ __align__(128) unsigned char handeye_dynamic_shared[];
    return reinterpret_cast<T*>(handeye_dynamic_shared);
}
#endif

// ---- sums over a warp ----

__device__ inline float warp_sum(float value) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
        value += __shfl_xor_sync(kAllLanes, value, step);
    }
    return value;
}
__device__ inline float warp_max(float value) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
        value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
    }
    return value;
}

/// Of a block of up to 1024 threads, in one order always; every thread gets it. `scratch`: 32 floats of the block's own, free again after.
__device__ inline float block_sum(float value, float* scratch) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warps = (static_cast<int>(blockDim.x) + kWarp - 1) / kWarp;
    value = warp_sum(value);
    if (lane == 0) {
        scratch[warp] = value;
    }
    __syncthreads();
    float total = 0;
    for (int i = 0; i < warps; ++i) {
        total += scratch[i];
    }
    __syncthreads();
    return total;
}

// ---- tensor cores ----

/// c += a b of 16x8x16 numbers in bf16, sums in float, all lanes of a warp together. With g = lane / 4 and t = lane % 4:
/// a[0] is row g, columns 2t and 2t+1; a[1] row g+8; a[2] row g, columns 2t+8 and 2t+9; a[3] row g+8, the same.
/// b[0] is column g, rows 2t and 2t+1; b[1] rows 2t+8 and 2t+9. c[0], c[1] are row g, columns 2t and 2t+1; c[2], c[3] row g+8.
/// (PTX ISA, "mma.m16n8k16".)
__device__ inline void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
    host::mma(c, a, b, pair_first, pair_second);
#endif
}

/// The same with numbers in half precision.
__device__ inline void mma_half(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
    host::mma(c, a, b, [](std::uint32_t pair) { return half_float(static_cast<std::uint16_t>(pair)); },
              [](std::uint32_t pair) { return half_float(static_cast<std::uint16_t>(pair >> 16U)); });
#endif
}

/// Four 8x8 matrices of 16-bit numbers out of the block's memory, all lanes of a warp together: lanes 8 i .. 8 i + 7 give the rows of matrix i (8 numbers, at
/// a multiple of 16 bytes). out[i] is row g, columns 2t and 2t+1 of matrix i; or, kTransposed, column g, rows 2t and 2t+1. (PTX ISA, "ldmatrix".)
template <bool kTransposed>
__device__ inline void load_matrices(std::uint32_t (&out)[4], const void* row) {
#if defined(__CUDA_ARCH__)
    const auto from = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    if constexpr (kTransposed) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(from) : "memory");
    } else {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(from) : "memory");
    }
#elif !defined(__CUDACC__)
    host::load_matrices<kTransposed>(out, checked(row, 16));
#endif
}

// ---- copies into the block's memory that go on while it computes ----

/// 16 bytes; `valid` false: zeros.
__device__ inline void copy_async16(void* to_shared, const void* from, bool valid = true) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(to_shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0));
#else
    if (valid) {
        std::memcpy(to_shared, from, 16);
    } else {
        std::memset(to_shared, 0, 16);
    }
#endif
}
__device__ inline void copy_async_commit() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;");
#endif
}
/// Until at most `Left` of the groups committed last are under way. A barrier must follow before other threads' copies are read.
template <int Left>
__device__ inline void copy_async_wait() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(Left));
#endif
}

// ---- launches ----

#if defined(__CUDACC__)
using Stream = cudaStream_t;
/// What fails is told by the device's next look at errors.
template <class... Parameters, class... Arguments>
void launch(Stream stream, dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(Parameters...), Arguments... arguments) {
    if (shared_bytes > 48U << 10U) {
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    }
    kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
}
#else
using Stream = host::Stream;
template <class... Parameters, class... Arguments>
void launch(Stream /*stream*/, dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(Parameters...), Arguments... arguments) {
    host::run_grid(grid, block, shared_bytes, [&] { kernel(static_cast<Parameters>(arguments)...); });
}
template <class T>
inline T* dynamic_shared() {
    return reinterpret_cast<T*>(host::dynamic_shared_bytes());
}
#endif

} // namespace handeye::HANDEYE_DEVICE
