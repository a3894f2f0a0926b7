// SPDX-License-Identifier: Apache-2.0
// Owned memory: scratch floats that grow and are reused, and large zeroed memory that is only committed where touched.
#pragma once

#include "base/result.h"
#include "engine/tensor/tensor.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace handeye {

/// Scratch floats, 64-byte aligned, uninitialised. Move-only; one thread at a time.
class Scratch {
public:
    /// A matrix of its own memory; what an earlier call returned is overwritten or gone.
    Matrix matrix(std::int64_t rows, std::int64_t cols);

private:
    struct Free {
        void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
    };
    std::unique_ptr<float[], Free> data_;
    std::size_t capacity_ = 0;
};

/// Zeroed pages from the operating system, committed on first touch. Move-only.
class LazyPages {
public:
    static Result<LazyPages> reserve(std::size_t size_bytes);
    LazyPages() = default;
    LazyPages(LazyPages&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
    LazyPages& operator=(LazyPages&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_bytes_, other.size_bytes_);
        return *this;
    }
    LazyPages(const LazyPages&) = delete;
    LazyPages& operator=(const LazyPages&) = delete;
    ~LazyPages();
    [[nodiscard]] std::byte* bytes() const { return static_cast<std::byte*>(data_); }
    /// Zeroed again, and given back to the operating system until touched.
    void release();

private:
    void* data_ = nullptr;
    std::size_t size_bytes_ = 0;
};

} // namespace handeye
