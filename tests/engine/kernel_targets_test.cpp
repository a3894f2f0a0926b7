// SPDX-License-Identifier: Apache-2.0
// Each instruction set that this machine has, one after the other, against plain loops: run-time dispatch picks only one.
#include "engine/kernels/ops.h"
#include "kept_rows.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace handeye {
namespace {

// The baseline that every build contains has no bit of its own among the supported ones.
std::vector<std::int64_t> targets() {
    std::vector<std::int64_t> list;
    for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
        list.push_back(rest & -rest);
    }
    return list;
}

class InstructionSet : public testing::TestWithParam<std::int64_t> {
protected:
    void SetUp() override { choose(GetParam()); }
    void TearDown() override { choose(0); } // the machine's own
    static void choose(std::int64_t target) {
        hwy::SetSupportedTargetsForTest(target);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
    std::vector<float> floats(std::int64_t count) {
        std::vector<float> values(static_cast<std::size_t>(count));
        for (float& v : values) {
            v = std::uniform_real_distribution<float>(-1.0F, 1.0F)(bits_);
        }
        return values;
    }
    static void expect_close(const std::vector<float>& got, const std::vector<float>& want, float limit) {
        for (std::size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], want[i], limit) << "at " << i;
        }
    }
    std::mt19937 bits_{7};
    ThreadPool pool_{1};
};

Matrix view(std::vector<float>& values, std::int64_t rows, std::int64_t cols) { return {values.data(), rows, cols, cols}; }

TEST_P(InstructionSet, MultipliesAsPlainLoops) {
    for (const std::int64_t rows : {1, 5, 29}) {
        constexpr std::int64_t kDepth = 131;
        constexpr std::int64_t kCols = 77;
        std::vector<std::uint16_t> brain(kDepth * kCols);
        for (std::uint16_t& b : brain) {
            b = static_cast<std::uint16_t>((bits_() & 0x807FU) | 0x3F00U); // 0.5 to 1, either sign
        }
        const WeightMatrix w = matrix_of({reinterpret_cast<const std::byte*>(brain.data()), DType::BF16, {kCols, kDepth}}, kDepth);
        std::vector<float> x = floats(rows * kDepth);
        std::vector<float> got(static_cast<std::size_t>(rows * kCols));
        std::vector<float> want = got;
        kernels::matmul(pool_, view(x, rows, kDepth), w, {}, view(got, rows, kCols));
        kernels::reference::matmul(view(x, rows, kDepth), w, {}, view(want, rows, kCols));
        expect_close(got, want, 4 * 0x1p-24F * (kDepth + 4));
    }
}

TEST_P(InstructionSet, AttendsAsPlainLoops) {
    std::vector<float> q = floats(21 * 6 * 20);
    const std::vector<float> k = floats(2 * 150 * 20);
    const std::vector<float> v = floats(2 * 150 * 20);
    std::vector<float> got(q.size());
    std::vector<float> want(q.size());
    for (const KvFormat format : {KvFormat::F32, KvFormat::F16, KvFormat::Q8}) {
        const std::int64_t row_bytes = kernels::kv_row_bytes(format, 20);
        const std::vector<std::byte> keys = kept(format, k, 20);
        const std::vector<std::byte> values = kept(format, v, 20);
        const kernels::AttentionInput in{.q = view(q, 21, 120), .k = keys.data(), .v = values.data(), .kv_format = format, .kv_row_stride = row_bytes,
                                         .kv_head_stride = 150 * row_bytes, .n_keys = 150, .n_heads = 6, .n_kv_heads = 2,
                                         .head_dim = 20, .scale = 0.7F, .causal = true};
        kernels::attention(pool_, {&in, 1}, view(got, 21, 120));
        kernels::reference::attention(in, view(want, 21, 120));
        expect_close(got, want, 4 * 0x1p-24F * (150 + 4));
    }
}

TEST_P(InstructionSet, NormalisesAndActivatesAsPlainLoops) {
    std::vector<float> x = floats(3 * 45);
    std::vector<float> up = floats(3 * 45);
    const std::vector<float> weight = floats(45);
    std::vector<float> got(x.size());
    std::vector<float> want(x.size());
    kernels::rms_norm(pool_, view(x, 3, 45), weight, 1e-5F, view(got, 3, 45));
    kernels::reference::rms_norm(view(x, 3, 45), weight, 1e-5F, view(want, 3, 45));
    expect_close(got, want, 1e-5F);
    kernels::silu_mul(pool_, view(x, 3, 45), view(up, 3, 45), view(got, 3, 45));
    kernels::reference::silu_mul(view(x, 3, 45), view(up, 3, 45), view(want, 3, 45));
    expect_close(got, want, 1e-6F);
}

INSTANTIATE_TEST_SUITE_P(Machine, InstructionSet, testing::ValuesIn(targets()),
                         [](const auto& each) { return std::string(hwy::TargetName(each.param)); });

} // namespace
} // namespace handeye
