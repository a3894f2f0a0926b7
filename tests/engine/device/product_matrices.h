// SPDX-License-Identifier: Apache-2.0
// Matrices of every kind that a device multiplies, laid out for it, with the numbers that they stand for.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/pack_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace handeye {

/// A DeviceMatrix in memory of the host. Weights are in its order of inputs.
struct LaidOut {
    device::MatrixPlan plan;
    std::vector<on_host::Words4> memory;
    std::vector<double> weights;   ///< (rows, cols)
    std::vector<double> largest;   ///< of each, that of the terms it is the sum of
    [[nodiscard]] device::DeviceMatrix matrix() const { return device::at(plan, memory.data()); }
    [[nodiscard]] std::byte* bytes() { return reinterpret_cast<std::byte*>(memory.data()); }
    void allocate() { memory.assign(static_cast<std::size_t>(plan.bytes / 16 + 1), {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}); }
};

inline LaidOut laid_out(const WeightMatrix& w) {
    LaidOut out{.plan = device::plan_matrix(w), .memory = {}, .weights = {}, .largest = {}};
    out.allocate();
    const std::int64_t strips = out.plan.shape.strips;
    device::pack_strips(w, out.plan, strips / 2, strips - strips / 2, out.bytes()); // in two parts, the later one first
    device::pack_strips(w, out.plan, 0, strips / 2, out.bytes());
    if (strips / 2 == 0) {
        device::pack_strips(w, out.plan, 0, strips, out.bytes());
    }
    std::vector<float> decoded(static_cast<std::size_t>(w.count()));
    decode_tile(w, {.row = 0, .rows = w.rows, .col = 0, .cols = w.cols, .stride = w.cols}, decoded.data());
    for (std::int64_t row = 0; row < w.rows; ++row) {
        for (std::int64_t i = 0; i < w.cols; ++i) {
            const std::int64_t input = out.plan.inputs.empty() ? i : out.plan.inputs[static_cast<std::size_t>(i)];
            out.weights.push_back(decoded[static_cast<std::size_t>(row * w.cols + input)]);
            out.largest.push_back(std::abs(out.weights.back()));
        }
    }
    return out;
}

/// Random codes and scales.
class RandomCodes {
public:
    explicit RandomCodes(unsigned seed) : random_(seed) {}

    LaidOut matrix(int rows, int cols, const CodeLayout& layout) {
        LaidOut out{.plan = device::plan_codes(rows, cols, layout), .memory = {}, .weights = {}, .largest = {}};
        out.allocate();
        std::vector<RowCodes> strip;
        for (int row = 0; row < rows; ++row) {
            strip.push_back(codes(cols, layout));
            for (int i = 0; i < cols; ++i) {
                const auto [scaled, offset] = weight(layout, strip.back(), i);
                out.weights.push_back(scaled + offset);
                out.largest.push_back(std::abs(scaled) + std::abs(offset));
            }
            if (strip.size() == device::kStrip || row == rows - 1) {
                device::pack_codes(out.plan, row / device::kStrip, strip, out.bytes());
                strip.clear();
            }
        }
        return out;
    }

private:
    unsigned bits(unsigned below) { return static_cast<unsigned>(random_() % below); }
    float number(DType type) {
        const float value = std::uniform_real_distribution<float>(-1, 1)(random_);
        if (type == DType::F16) {
            return half_as_float(float_as_half(value));
        }
        return type == DType::BF16 ? on_host::bf16_float(on_host::float_bf16(value)) : value;
    }

    RowCodes codes(int cols, const CodeLayout& layout) {
        RowCodes out;
        for (int i = 0; i < cols; ++i) {
            out.codes.push_back(static_cast<std::uint8_t>(bits(layout.levels.empty() ? 1U << static_cast<unsigned>(layout.bits) : static_cast<unsigned>(layout.levels.size()))));
        }
        for (std::int64_t i = 0; i < (cols + layout.group - 1) / layout.group; ++i) {
            out.scale.push_back(number(layout.numbers));
            out.offset.push_back(number(layout.numbers));
            out.zero.push_back(static_cast<std::uint8_t>(bits(256)));
            out.fine.push_back(static_cast<std::uint8_t>(bits(256)));
            out.fine_min.push_back(static_cast<std::uint8_t>(bits(256)));
        }
        for (int i = 0; i < (cols + 255) / 256; ++i) {
            out.super.push_back(float_as_half(number(DType::F16) / 64));
            out.super_min.push_back(float_as_half(number(DType::F16)));
        }
        return out;
    }

    static std::pair<double, double> weight(const CodeLayout& layout, const RowCodes& row, int i) {
        const auto g = static_cast<std::size_t>(i / layout.group);
        const auto s = static_cast<std::size_t>(i / 256);
        const int code = row.codes[static_cast<std::size_t>(i)];
        const double value = layout.levels.empty() ? code - layout.zero : layout.levels[static_cast<std::size_t>(code)];
        const double super = half_as_float(row.super[s]) * static_cast<double>(layout.factor);
        switch (layout.scales) {
            case ScaleKind::Number: return {row.scale[g] * value, 0};
            case ScaleKind::NumberAndOffset: return {row.scale[g] * value, row.offset[g]};
            case ScaleKind::NumberAndZero: return {row.scale[g] * value, -static_cast<double>(row.scale[g]) * row.zero[g]};
            case ScaleKind::Super: return {super * static_cast<std::int8_t>(row.fine[g]) * value, 0};
            case ScaleKind::SuperAndMin: return {super * row.fine[g] * value, -static_cast<double>(half_as_float(row.super_min[s])) * row.fine_min[g]};
        }
        return {};
    }

    std::mt19937 random_;
};

inline constexpr std::array<std::int8_t, 16> kLevels = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}; // those of IQ4_NL

/// Every width of codes and every kind of scale, with groups and numbers in turns.
inline std::vector<std::pair<std::string, CodeLayout>> code_layouts() {
    struct Width {
        std::string name;
        int bits, zero;
        std::size_t levels;
    };
    const std::vector<Width> widths = {{"Whole2", 2, 2, 0},   {"Whole3", 3, 4, 0},     {"Whole4", 4, 8, 0},     {"Whole5", 5, 0, 0},     {"Whole6", 6, 32, 0},
                                       {"Whole8", 8, 128, 0}, {"Whole8From0", 8, 0, 0}, {"Levels2", 2, 0, 3}, {"Levels3", 3, 0, 8}, {"Levels4", 4, 0, 16}};
    const std::vector<std::pair<std::string, ScaleKind>> scales = {{"Number", ScaleKind::Number},
                                                                   {"Offset", ScaleKind::NumberAndOffset},
                                                                   {"Zero", ScaleKind::NumberAndZero},
                                                                   {"Super", ScaleKind::Super},
                                                                   {"SuperAndMin", ScaleKind::SuperAndMin}};
    constexpr std::array<std::int64_t, 7> kGroups = {16, 32, 128, 48, 64, 2048, 256}; // 2048: all inputs
    constexpr std::array<DType, 3> kNumbers = {DType::F16, DType::BF16, DType::F32};
    std::vector<std::pair<std::string, CodeLayout>> all;
    for (const Width& width : widths) {
        for (const auto& [name, kind] : scales) {
            const std::size_t turn = all.size();
            all.push_back({width.name + name, {.bits = width.bits,
                                               .zero = width.zero,
                                               .levels = std::span(kLevels).first(width.levels),
                                               .scales = kind,
                                               .numbers = kNumbers[turn % kNumbers.size()],
                                               .group = kGroups[turn % kGroups.size()],
                                               .factor = kind == ScaleKind::Super ? 0.25F : 1.0F}});
        }
    }
    return all;
}

} // namespace handeye
