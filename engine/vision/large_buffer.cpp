// SPDX-License-Identifier: Apache-2.0
#include "engine/vision/large_buffer.h"

#include <cstdlib>

#include <sys/mman.h>

namespace handeye {
namespace {

constexpr std::size_t kHugePageBytes = 2U << 20U;
constexpr std::size_t kLargeBytes = 2 * kHugePageBytes;

} // namespace

void* allocate_large(std::size_t bytes) {
    if (bytes < kLargeBytes) {
        return ::operator new(bytes);
    }
    const std::size_t rounded = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    void* memory = std::aligned_alloc(kHugePageBytes, rounded);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    // Refused where the system has no huge pages; the memory is good all the same.
    static_cast<void>(::madvise(memory, rounded, MADV_HUGEPAGE));
    return memory;
}

void free_large(void* memory, std::size_t bytes) noexcept {
    if (bytes < kLargeBytes) {
        ::operator delete(memory);
    } else {
        std::free(memory);
    }
}

} // namespace handeye
