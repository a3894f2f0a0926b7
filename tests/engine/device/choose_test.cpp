// SPDX-License-Identifier: Apache-2.0
// What a device leaves of rows of logits, run on the host, against sorting and sums in double.
#include "engine/device/kernels.h"
#include "orders.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using device::RowCandidates;
using on_host::run;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
    int rows = 1;
    int vocabulary = 0;
    int count = device::kCandidatesMost;
    std::vector<float> logits; // (rows, stride_of(vocabulary))
    std::vector<std::uint32_t> masks;
    int mask_words = 0;
    std::vector<std::int32_t> mask_of;
    std::vector<float> scales;

    Case(int rows_, int vocabulary_, int count_) : rows(rows_), vocabulary(vocabulary_), count(count_), logits(random_floats(static_cast<std::size_t>(rows_ * stride_of(vocabulary_)), 1)) {
        std::ranges::transform(logits, logits.begin(), [](float v) { return 6 * v; });
    }
    float& logit(int row, int id) { return logits[static_cast<std::size_t>(row * stride_of(vocabulary) + id)]; }
    [[nodiscard]] bool allows(int row, int id) const {
        const int mask = masks.empty() ? -1 : mask_of.empty() ? row : mask_of[static_cast<std::size_t>(row)];
        return mask < 0 || (id / 32 < mask_words && (masks[static_cast<std::size_t>(mask * mask_words + id / 32)] >> static_cast<unsigned>(id % 32) & 1U) != 0);
    }
};

std::vector<RowCandidates> candidates(Case& c) {
    return in_every_order([&] {
        std::vector<device::LogitPiece> pieces(static_cast<std::size_t>(c.rows * device::logit_pieces(c.vocabulary)));
        std::vector<RowCandidates> to(static_cast<std::size_t>(c.rows));
        run({}, device::Candidates{.logits = rows_in(c.logits, c.rows, c.vocabulary, stride_of(c.vocabulary)), .masks = c.masks.empty() ? nullptr : c.masks.data(), .mask_words = c.mask_words,
                                   .mask_of = c.mask_of.empty() ? nullptr : c.mask_of.data(), .scales = c.scales.empty() ? nullptr : c.scales.data(), .count = c.count, .pieces = pieces.data(), .to = to.data()});
        return to;
    });
}

double log_sum(const std::vector<float>& values, double scale) {
    double most = -kInfinity, sum = 0;
    for (const float v : values) {
        most = std::max(most, v * scale);
    }
    for (const float v : values) {
        sum += std::exp(v * scale - most);
    }
    return values.empty() ? -kInfinity : most + std::log(sum);
}

void expect_close(float got, double wanted) {
    if (std::isinf(wanted)) {
        EXPECT_EQ(got, wanted);
    } else {
        EXPECT_NEAR(got, wanted, 1e-5 * std::max(1.0, std::abs(wanted)));
    }
}

void check(Case& c) {
    SCOPED_TRACE(std::to_string(c.rows) + " rows of " + std::to_string(c.vocabulary) + ", " + std::to_string(c.count) + " best");
    const std::vector<RowCandidates> got = candidates(c);
    for (int row = 0; row < c.rows; ++row) {
        SCOPED_TRACE("row " + std::to_string(row));
        std::vector<float> all, allowed;
        std::vector<std::pair<float, int>> order; // (-logit, id)
        for (int id = 0; id < c.vocabulary; ++id) {
            const float v = c.logit(row, id);
            if (std::isfinite(v)) {
                all.push_back(v);
                if (c.allows(row, id)) {
                    allowed.push_back(v);
                    order.emplace_back(-v, id);
                }
            }
        }
        std::ranges::sort(order);
        const RowCandidates& r = got[static_cast<std::size_t>(row)];
        ASSERT_EQ(r.found, std::min(c.count, static_cast<int>(order.size())));
        for (int i = 0; i < device::kCandidatesMost; ++i) {
            const auto at = static_cast<std::size_t>(i);
            ASSERT_EQ(r.best[i].id, i < r.found ? order[at].second : -1) << i;
            ASSERT_EQ(r.best[i].logit, i < r.found ? -order[at].first : -kInfinity) << i;
        }
        expect_close(r.log_sum, log_sum(all, 1));
        expect_close(r.log_sum_allowed, log_sum(allowed, 1));
        expect_close(r.log_sum_scaled, log_sum(allowed, c.scales.empty() ? 1.0 : static_cast<double>(c.scales[static_cast<std::size_t>(row)])));
    }
}

void mask_some(Case& c, int masks, unsigned one_of) {
    std::mt19937 random(7);
    c.mask_words = (c.vocabulary + 63) / 64 * 2;
    c.masks.resize(static_cast<std::size_t>(masks * c.mask_words));
    for (int bit = 0; bit < masks * c.mask_words * 32; ++bit) {
        c.masks[static_cast<std::size_t>(bit / 32)] |= random() % one_of == 0 ? 1U << static_cast<unsigned>(bit % 32) : 0U;
    }
}

TEST(DeviceCandidates, AreTheBestOfEveryRow) {
    for (const auto& [rows, vocabulary, count] : {std::tuple{1, 1, 1}, {8, 7, 64}, {3, 7, 3}, {5, 100, 64}, {2, 4096, 64}, {3, 4097, 17}, {2, 10001, 1}}) {
        Case c(rows, vocabulary, count);
        check(c);
        c.scales = random_floats(static_cast<std::size_t>(rows), 3);
        std::ranges::transform(c.scales, c.scales.begin(), [](float v) { return std::abs(v) + 0.3F; });
        mask_some(c, rows, 3);
        check(c);
    }
}

TEST(DeviceCandidates, OfAWholeVocabulary) {
    Case one(1, 151552, 64);
    check(one);
    Case many(8, 151552, 64);
    mask_some(many, 2, 900);
    many.mask_of = {0, -1, 1, 1, -1, 0, 0, 1};
    many.scales = {1.0F, 0.7F, 2.0F, 1.0F, 1.25F, 1.0F, 1.0F, 10.0F};
    check(many);
    Case largest(1, device::kVocabularyMost, 50);
    check(largest);
}

TEST(DeviceCandidates, LowerIdsComeFirstAmongEquals) {
    Case c(4, 9000, 64);
    for (int id = 0; id < c.vocabulary; ++id) {
        c.logit(0, id) = 2.0F;                                  // all the same
        c.logit(1, id) = id % 300 == 7 ? 3.0F : -1.0F;          // the last place is shared
        c.logit(2, id) = id % 2 == 0 ? 0.0F : -0.0F;            // both are nothing
        c.logit(3, id) = std::round(c.logit(3, id));
    }
    check(c);
}

TEST(DeviceCandidates, LeavesOutWhatIsNotFinite) {
    Case c(5, 5000, 64);
    for (int id = 0; id < c.vocabulary; ++id) {
        const float odd = id % 3 == 0 ? kInfinity : id % 3 == 1 ? -kInfinity : std::numeric_limits<float>::quiet_NaN();
        c.logit(0, id) = odd;
        c.logit(1, id) = id == 4321 ? -3e38F : odd;
        c.logit(2, id) = id % 50 == 0 ? c.logit(2, id) : odd;
        c.logit(3, id) = id % 2 == 0 ? 3e38F : -3e38F;
    }
    check(c);
}

TEST(DeviceCandidates, NothingIsLeftOfWhatIsAllMasked) {
    Case c(3, 700, 64);
    c.mask_words = 4; // ids from 128 on may not come
    c.masks.assign(12, 0);
    c.masks[5] = 0x80000001U; // of row 1
    std::ranges::fill(c.logits, -90.0F);
    for (int row = 0; row < 3; ++row) {
        c.logit(row, 600) = 90.0F; // far above what is allowed
    }
    check(c);
    EXPECT_EQ(candidates(c)[0].found, 0);
    EXPECT_EQ(candidates(c)[1].found, 2);
}

} // namespace
} // namespace handeye
