// SPDX-License-Identifier: Apache-2.0
#include "engine/device/host_threads.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include <boost/context/detail/fcontext.hpp>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace handeye::on_host::host {
namespace {

namespace context = boost::context::detail;

constexpr std::size_t kStackBytes = 256U << 10U;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "kernel on the host: %s (block %u,%u,%u, thread %u,%u,%u)\n", what, block_index.x, block_index.y, block_index.z,
                 thread_index.x, thread_index.y, thread_index.z);
    std::abort();
}

enum class State { Ready, AtBlock, AtWarp, Done };

struct Fiber {
    context::fcontext_t at = nullptr;
    State state = State::Ready;
    unsigned mask = 0; // of the warp barrier that it waits at
    int slots = 0;     // which of the two of each lane of its warp it uses
    dim3 index;
    void* fake_stack = nullptr; // the address sanitizer's
};

class Stacks {
public:
    std::byte* at(std::size_t i) {
        while (stacks_.size() <= i) {
            void* const memory = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (memory == MAP_FAILED) {
                fail("no memory for a thread's stack");
            }
            stacks_.push_back(static_cast<std::byte*>(memory));
        }
        return stacks_[i];
    }
    ~Stacks() {
        for (std::byte* const stack : stacks_) {
#if defined(__SANITIZE_ADDRESS__)
            __asan_unpoison_memory_region(stack, kStackBytes); // a file may be mapped there next; the last frame never returned
#endif
            ::munmap(stack, kStackBytes);
        }
    }

private:
    std::vector<std::byte*> stacks_;
};

Order wanted_order = Order::Forward;
thread_local Stacks stacks;
thread_local std::vector<Fiber> fibers;
thread_local std::vector<std::byte> slots;
thread_local std::vector<std::uint64_t> dynamic;
thread_local std::size_t current = 0;
thread_local context::fcontext_t scheduler = nullptr;
thread_local const std::function<void()>* kernel_of_block = nullptr;
#if defined(__SANITIZE_ADDRESS__)
thread_local const void* scheduler_stack = nullptr;
thread_local std::size_t scheduler_bytes = 0;
#endif

void leave([[maybe_unused]] bool for_ever) {
    [[maybe_unused]] Fiber& self = fibers[current];
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(for_ever ? nullptr : &self.fake_stack, scheduler_stack, scheduler_bytes);
#endif
    const context::transfer_t back = context::jump_fcontext(scheduler, nullptr);
    scheduler = back.fctx;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self.fake_stack, &scheduler_stack, &scheduler_bytes);
#endif
}

void fiber_main(context::transfer_t from) {
    scheduler = from.fctx;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_bytes);
#endif
    (*kernel_of_block)();
    fibers[current].state = State::Done;
    leave(true);
}

void resume(std::size_t i) {
    current = i;
    thread_index = fibers[i].index;
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, stacks.at(i), kStackBytes);
#endif
    fibers[i].at = context::jump_fcontext(fibers[i].at, nullptr).fctx;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

// Whether all lanes that one of the warp waits for have come; then they go on.
bool release_warp(std::size_t first, std::size_t end) {
    bool released = false;
    for (std::size_t i = first; i < end; ++i) {
        if (fibers[i].state != State::AtWarp) {
            continue;
        }
        const unsigned mask = fibers[i].mask;
        bool all = true;
        for (std::size_t lane = 0; lane < end - first; ++lane) {
            if ((mask >> lane & 1U) != 0) {
                all = all && fibers[first + lane].state == State::AtWarp && fibers[first + lane].mask == mask;
            }
        }
        if (all) {
            for (std::size_t lane = 0; lane < end - first; ++lane) {
                if ((mask >> lane & 1U) != 0) {
                    fibers[first + lane].state = State::Ready;
                }
            }
            released = true;
        }
    }
    return released;
}

// Until all lanes of the warp are at a barrier of the block or done.
void run_warp(std::size_t first, std::size_t end, const std::vector<std::size_t>& order) {
    do {
        for (const std::size_t lane : order) {
            if (first + lane < end && fibers[first + lane].state == State::Ready) {
                resume(first + lane);
            }
        }
    } while (release_warp(first, end));
    for (std::size_t i = first; i < end; ++i) {
        if (fibers[i].state == State::AtWarp) {
            thread_index = fibers[i].index;
            fail("lanes of a warp wait for others that never come");
        }
    }
}

void run_block(std::size_t threads, const std::vector<std::size_t>& lanes, const std::vector<std::size_t>& warps) {
    for (std::size_t i = 0; i < threads; ++i) {
        Fiber& fiber = fibers[i];
        fiber.at = context::make_fcontext(stacks.at(i) + kStackBytes, kStackBytes, fiber_main);
        fiber.state = State::Ready;
        fiber.slots = 0;
        fiber.fake_stack = nullptr;
        const auto n = static_cast<unsigned>(i);
        fiber.index = dim3(n % block_size.x, n / block_size.x % block_size.y, n / block_size.x / block_size.y);
    }
    for (;;) {
        for (const std::size_t warp : warps) {
            run_warp(warp * 32, std::min(threads, warp * 32 + 32), lanes);
        }
        const auto at_barrier = static_cast<std::size_t>(std::count_if(fibers.begin(), fibers.begin() + static_cast<std::ptrdiff_t>(threads), [](const Fiber& f) { return f.state == State::AtBlock; }));
        if (at_barrier == 0) {
            return;
        }
        if (at_barrier != threads) {
            fail("some threads of a block wait at a barrier, others have ended");
        }
        for (std::size_t i = 0; i < threads; ++i) {
            fibers[i].state = State::Ready;
        }
    }
}

std::vector<std::size_t> ordered(std::size_t count, std::mt19937& random) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (wanted_order == Order::Backward) {
        std::reverse(order.begin(), order.end());
    } else if (wanted_order == Order::Shuffled) {
        std::shuffle(order.begin(), order.end(), random);
    }
    return order;
}

} // namespace

void set_order(Order order) { wanted_order = order; }

void run_grid(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& kernel) {
    const std::size_t threads = std::size_t{block.x} * block.y * block.z;
    if (threads == 0 || threads > 1024 || grid.y > 65535 || grid.z > 65535 || grid.x == 0 || grid.y == 0 || grid.z == 0) {
        fail("a launch that no device takes");
    }
    if (shared_bytes > 227U << 10U) {
        fail("more shared memory than a block can have");
    }
    fibers.resize(std::max(fibers.size(), threads));
    slots.resize(std::max(slots.size(), (threads + 31) / 32 * 32 * kSlotBytes * 2));
    dynamic.assign(shared_bytes / 8 + 17, 0xFFF7A5A5FFF7A5A5U); // numbers that are none, until written
    kernel_of_block = &kernel;
    block_size = block;
    grid_size = grid;
    std::mt19937 random(20261123);
    for (unsigned z = 0; z < grid.z; ++z) {
        for (unsigned y = 0; y < grid.y; ++y) {
            for (unsigned x = 0; x < grid.x; ++x) {
                block_index = dim3(x, y, z);
                run_block(threads, ordered(32, random), ordered((threads + 31) / 32, random));
            }
        }
    }
}

std::byte* dynamic_shared_bytes() {
    const auto at = reinterpret_cast<std::uintptr_t>(dynamic.data());
    return reinterpret_cast<std::byte*>((at + 127) / 128 * 128);
}

void block_barrier() {
    fibers[current].state = State::AtBlock;
    leave(false);
}

void warp_barrier(unsigned mask) {
    const std::size_t lanes = std::min<std::size_t>(32, std::size_t{block_size.x} * block_size.y * block_size.z - current / 32 * 32);
    if (lanes < 32) {
        mask &= (1U << lanes) - 1U;
    }
    fibers[current].mask = mask;
    fibers[current].state = State::AtWarp;
    leave(false);
}

int this_lane() { return static_cast<int>(current % 32); }

std::byte* lane_slot(int lane) { return slots.data() + (current / 32 * 64 + static_cast<std::size_t>(fibers[current].slots * 32 + lane)) * kSlotBytes; }

void leave_slots(unsigned mask) {
    if (mask == 0xFFFFFFFFU) {
        fibers[current].slots ^= 1;
    } else {
        warp_barrier(mask);
    }
}

void exchange(unsigned mask, const void* mine, int from, void* theirs, std::size_t bytes) {
    if (bytes > kSlotBytes || (mask >> static_cast<unsigned>(from) & 1U) == 0) {
        fail("lanes exchange what they do not have");
    }
    std::memcpy(lane_slot(this_lane()), mine, bytes);
    warp_barrier(mask);
    std::memcpy(theirs, lane_slot(from), bytes);
    leave_slots(mask);
}

} // namespace handeye::on_host::host
