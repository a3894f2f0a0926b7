// SPDX-License-Identifier: Apache-2.0
// A vector whose first element begins a cache line: what is read in registers' widths from there on never lies in two lines.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace handeye {

template <class T>
struct CacheLineAllocator {
    using value_type = T;
    CacheLineAllocator() = default;
    template <class U>
    CacheLineAllocator(const CacheLineAllocator<U>&) {} // NOLINT(google-explicit-constructor): allocators convert
    T* allocate(std::size_t count) { return static_cast<T*>(::operator new[](count * sizeof(T), std::align_val_t{64})); }
    void deallocate(T* p, std::size_t) { ::operator delete[](p, std::align_val_t{64}); }
    template <class U>
    bool operator==(const CacheLineAllocator<U>&) const { return true; }
};

template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

} // namespace handeye
