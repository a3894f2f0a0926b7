// SPDX-License-Identifier: Apache-2.0
// Memory for rows that are all written right after they are allocated.
#pragma once

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace handeye {

/// Like operator new; from 4 MiB on in huge pages where the system has them: the 50 MB of one screenshot's rows are then 25
/// page faults instead of 12,000, which took longer than computing what is written there. Throws std::bad_alloc.
void* allocate_large(std::size_t bytes);
void free_large(void* memory, std::size_t bytes) noexcept;

/// Leaves new elements as they are instead of setting them to zero.
template <class T>
struct LargeAllocator {
    using value_type = T;
    LargeAllocator() = default;
    template <class U>
    explicit LargeAllocator(const LargeAllocator<U>&) noexcept {}

    T* allocate(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / 2 / sizeof(T)) {
            throw std::bad_array_new_length();
        }
        return static_cast<T*>(allocate_large(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t count) noexcept { free_large(memory, count * sizeof(T)); }
    template <class U>
    void construct(U* at) noexcept {
        ::new (static_cast<void*>(at)) U;
    }
    template <class U, class... Args>
    void construct(U* at, Args&&... args) {
        ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
    }
    bool operator==(const LargeAllocator&) const = default;
};

template <class T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

} // namespace handeye
