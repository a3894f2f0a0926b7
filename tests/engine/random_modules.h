// SPDX-License-Identifier: Apache-2.0
// Modules of random weights in every packed format, for tests that run over all of them.
#pragma once

#include "module_builder.h"

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace handeye {

class RandomModules {
public:
    explicit RandomModules(std::uint32_t seed) : bits_(seed) {}

    std::vector<std::uint32_t> words(std::int64_t count) {
        std::vector<std::uint32_t> values(static_cast<std::size_t>(count));
        for (std::uint32_t& v : values) {
            v = bits_();
        }
        return values;
    }
    std::vector<float> scales(std::int64_t count) {
        std::vector<float> values(static_cast<std::size_t>(count));
        for (float& v : values) {
            v = std::uniform_real_distribution<float>(-0.1F, 0.1F)(bits_);
        }
        return values;
    }

    ModuleBuilder gptq(std::int64_t rows, std::int64_t cols, std::int64_t bits, std::int64_t group) {
        ModuleBuilder m;
        m.add(".qweight", DType::I32, {cols * bits / 32, rows}, words(cols * bits / 32 * rows));
        m.add(".qzeros", DType::I32, {cols / group, rows * bits / 32}, words(cols / group * rows * bits / 32));
        m.add(".scales", DType::F32, {cols / group, rows}, scales(cols / group * rows));
        std::vector<std::int32_t> groups; // in no order
        for (std::int64_t i = 0; i < cols; ++i) {
            groups.push_back(static_cast<std::int32_t>(bits_() % static_cast<std::uint32_t>(cols / group)));
        }
        m.add(".g_idx", DType::I32, {cols}, groups);
        return m;
    }
    ModuleBuilder awq(std::int64_t rows, std::int64_t cols, std::int64_t group) {
        ModuleBuilder m;
        m.add(".qweight", DType::I32, {cols, rows / 8}, words(cols * rows / 8));
        m.add(".qzeros", DType::I32, {cols / group, rows / 8}, words(cols / group * rows / 8));
        m.add(".scales", DType::F32, {cols / group, rows}, scales(cols / group * rows));
        return m;
    }
    ModuleBuilder compressed(std::int64_t rows, std::int64_t cols, std::int64_t bits, std::int64_t group) {
        ModuleBuilder m;
        m.add(".weight_packed", DType::I32, {rows, cols * bits / 32}, words(rows * cols * bits / 32));
        m.add(".weight_scale", DType::F32, {rows, cols / group}, scales(rows * cols / group));
        m.add(".weight_zero_point", DType::I32, {(rows * bits + 31) / 32, cols / group}, words((rows * bits + 31) / 32 * cols / group));
        m.add(".weight_shape", DType::I64, {2}, std::vector<std::int64_t>{rows, cols});
        return m;
    }
    ModuleBuilder fp8(std::int64_t rows, std::int64_t cols) {
        ModuleBuilder m;
        std::vector<std::uint8_t> bytes;
        for (std::int64_t i = 0; i < rows * cols; ++i) {
            bytes.push_back(static_cast<std::uint8_t>((bits_() & 0x80U) | bits_() % 0x7FU)); // any but the two that are no number
        }
        m.add(".weight", DType::F8E4M3, {rows, cols}, bytes);
        m.add(".weight_scale", DType::F32, {rows, 1}, scales(rows));
        return m;
    }
    ModuleBuilder mlx(std::int64_t rows, std::int64_t cols, std::int64_t bits, std::int64_t group) {
        ModuleBuilder m;
        m.add(".weight", DType::U32, {rows, cols * bits / 32}, words(rows * cols * bits / 32));
        m.add(".scales", DType::F32, {rows, cols / group}, scales(rows * cols / group));
        m.add(".biases", DType::F32, {rows, cols / group}, scales(rows * cols / group));
        return m;
    }

private:
    std::mt19937 bits_;
};

struct NamedModule {
    std::string name;
    std::function<ModuleBuilder(RandomModules&, std::int64_t rows, std::int64_t cols)> make;
};

/// Every packed format with scales in tensors of their own; rows a multiple of 16, cols of 256.
inline std::vector<NamedModule> packed_modules() {
    std::vector<NamedModule> all = {
        {"Awq", [](RandomModules& r, std::int64_t rows, std::int64_t cols) { return r.awq(rows, cols, 64); }},
        {"Fp8", [](RandomModules& r, std::int64_t rows, std::int64_t cols) { return r.fp8(rows, cols); }},
    };
    for (const std::int64_t bits : {2, 4, 8}) {
        all.push_back({"Gptq" + std::to_string(bits),
                       [bits](RandomModules& r, std::int64_t rows, std::int64_t cols) { return r.gptq(rows, cols, bits, 64); }});
    }
    for (const std::int64_t bits : {4, 8}) {
        all.push_back({"CompressedTensors" + std::to_string(bits), [bits](RandomModules& r, std::int64_t rows, std::int64_t cols) {
                           return r.compressed(rows, cols, bits, 32);
                       }});
    }
    for (const std::int64_t bits : {2, 3, 4, 5, 6, 8}) {
        all.push_back({"Mlx" + std::to_string(bits),
                       [bits](RandomModules& r, std::int64_t rows, std::int64_t cols) { return r.mlx(rows, cols, bits, 64); }});
    }
    return all;
}

} // namespace handeye
