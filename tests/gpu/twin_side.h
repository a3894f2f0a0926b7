// SPDX-License-Identifier: Apache-2.0
// One of two devices that a case runs on: memory with the same numbers on both.
#pragma once

#include "engine/device/device.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace handeye::gpu {

class Side {
public:
    explicit Side(device::Device& device) : device_(device) {}

    template <class T>
    T* put(const std::vector<T>& values) {
        T* const to = static_cast<T*>(hold(values.size() * sizeof(T)));
        device_.upload(to, values.data(), values.size() * sizeof(T));
        return to;
    }
    template <class T>
    T* zeros(std::size_t count) {
        return put(std::vector<T>(count));
    }
    device::Rows rows(int rows, int cols, unsigned seed) {
        return {.data = put(numbers(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols), seed)), .rows = rows, .cols = cols, .stride = cols};
    }
    device::Rows empty(int rows, int cols) { return {.data = zeros<float>(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols)), .rows = rows, .cols = cols, .stride = cols}; }
    device::SplitRows space(int rows, int cols, int planes) {
        const int chunks = (cols + device::kChunk - 1) / device::kChunk;
        const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(chunks) * device::kChunk;
        return {.parts = zeros<std::uint16_t>(count * static_cast<std::size_t>(planes)), .sums = zeros<float>(count / device::kSumGroup), .rows = rows, .rows_max = rows, .cols = cols, .chunks = chunks, .planes = planes};
    }
    device::SplitRows split(int rows_count, int cols, int planes, unsigned seed) {
        const device::SplitRows out = space(rows_count, cols, planes);
        run(device::Split{.x = rows(rows_count, cols, seed), .out = out});
        return out;
    }
    void run(const device::Operation& operation) { device_.run(operation); }
    device::Device& device() { return device_; }

    std::vector<float> floats(const float* from, std::size_t count) {
        std::vector<float> out(count);
        must(device_.download(out.data(), from, count * sizeof(float)));
        return out;
    }
    std::vector<float> floats(const device::Rows& rows) { return floats(rows.data, static_cast<std::size_t>(rows.rows) * static_cast<std::size_t>(rows.stride)); }
    template <class T>
    std::vector<float> as_floats(const T* from, std::size_t count) {
        std::vector<T> raw(count);
        must(device_.download(raw.data(), from, count * sizeof(T)));
        return {raw.begin(), raw.end()};
    }

    static std::vector<float> numbers(std::size_t count, unsigned seed) {
        std::mt19937 random(seed);
        std::vector<float> out(count);
        std::ranges::generate(out, [&] { return std::normal_distribution<float>(0, 1)(random); });
        return out;
    }
    static void must(const Result<void>& done) {
        if (!done) {
            std::fprintf(stderr, "%s\n", done.error().message.c_str());
            std::exit(1);
        }
    }

private:
    void* hold(std::size_t bytes) {
        auto memory = device::DeviceMemory::allocate(device_, bytes + 256);
        if (!memory) {
            must(memory.error());
        }
        held_.push_back(std::move(*memory));
        return held_.back().bytes();
    }
    device::Device& device_;
    std::vector<device::DeviceMemory> held_;
};

} // namespace handeye::gpu
