// SPDX-License-Identifier: Apache-2.0
#include "engine/tensor/buffer.h"

#include <new>

#include <fmt/format.h>
#include <sys/mman.h>

namespace handeye {

Matrix Scratch::matrix(std::int64_t rows, std::int64_t cols) {
    const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    if (count > capacity_) {
        data_.reset();
        capacity_ = 0;
        data_.reset(static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t{64})));
        capacity_ = count;
    }
    return {data_.get(), rows, cols, cols};
}

Result<LazyPages> LazyPages::reserve(std::size_t size_bytes) {
    LazyPages pages;
    if (size_bytes == 0) {
        return pages;
    }
    void* data = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        return Error{ErrorCode::OutOfMemory, fmt::format("cannot reserve {} bytes of memory", size_bytes)};
    }
    pages.data_ = data;
    pages.size_bytes_ = size_bytes;
    return pages;
}

void LazyPages::release() {
    if (data_ != nullptr) {
        ::madvise(data_, size_bytes_, MADV_DONTNEED);
    }
}

LazyPages::~LazyPages() {
    if (data_ != nullptr) {
        ::munmap(data_, size_bytes_);
    }
}

} // namespace handeye
