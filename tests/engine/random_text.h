// SPDX-License-Identifier: Apache-2.0
// The random strings of tests/oracle/tokenizer.py, again: 1,000 per chunk, the same bytes for the same chunk.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace handeye {

/// xorshift64*, upper 32 bits.
class RandomText {
public:
    explicit RandomText(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}

    std::string next() {
        const std::uint32_t kind = below(11);
        std::string text;
        for (std::uint32_t left = 1 + below(48); left > 0; --left) {
            const std::uint32_t alphabet = kind < 9 ? kind : below(9);
            if (kind == 10 && below(8) == 0) {
                text += marks()[below(static_cast<std::uint32_t>(marks().size()))];
                continue;
            }
            const auto& ranges = alphabets()[alphabet];
            const auto [low, high] = ranges[below(static_cast<std::uint32_t>(ranges.size()))];
            append_utf8(text, low + below(high - low + 1));
        }
        return text;
    }

private:
    using Range = std::pair<std::uint32_t, std::uint32_t>;

    std::uint32_t below(std::uint32_t count) {
        state_ ^= state_ >> 12U;
        state_ ^= state_ << 25U;
        state_ ^= state_ >> 27U;
        return static_cast<std::uint32_t>(state_ * 0x2545F4914F6CDD1DULL >> 32U) % count;
    }

    static const std::vector<std::string>& marks() {
        static const std::vector<std::string> all{"<|user|>", "<|image|>", "<think>", "</answer>", "[gMASK]", "<sop>",
                                                  "<|endoftext|>", "<|use", "<|", "|>"};
        return all;
    }
    static const std::vector<std::vector<Range>>& alphabets() {
        static const std::vector<std::vector<Range>> all{
            {{0x20, 0x7E}},
            {{0x61, 0x7A}, {0x61, 0x7A}, {0x41, 0x5A}, {0xE4, 0xE4}, {0xF6, 0xF6}, {0xFC, 0xFC}, {0xDF, 0xDF}, {0xC4, 0xC4}, {0x20, 0x20}},
            {{0x4E00, 0x9FA5}, {0x4E00, 0x9FA5}, {0x4E00, 0x9FA5}, {0x3001, 0x3002}, {0xFF01, 0xFF1F}},
            {{0x1F300, 0x1F5FF}, {0x1F600, 0x1F64F}, {0x200D, 0x200D}, {0xFE0F, 0xFE0F}},
            {{0x61, 0x7A}, {0x300, 0x36F}},
            {{0x00, 0x1F}, {0x7F, 0x9F}},
            {{0x20, 0x20}, {0x20, 0x20}, {0x0A, 0x0A}, {0x0D, 0x0D}, {0x09, 0x09}, {0xA0, 0xA0}, {0x3000, 0x3000}, {0x2028, 0x2029},
             {0x2000, 0x200A}, {0x0B, 0x0C}, {0x61, 0x61}, {0x180E, 0x180E}, {0x200B, 0x200B}},
            {{0x30, 0x39}, {0x30, 0x39}, {0x660, 0x669}, {0xBC, 0xBE}, {0x2160, 0x2180}, {0xB2, 0xB3}},
            {{0x27, 0x27}, {0x27, 0x27}, {0x73, 0x74}, {0x53, 0x54}, {0x6C, 0x6D}, {0x4C, 0x4D}, {0x64, 0x65}, {0x44, 0x45}, {0x72, 0x72},
             {0x76, 0x76}, {0x20, 0x20}},
        };
        return all;
    }
    static void append_utf8(std::string& out, std::uint32_t code) {
        const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
        if (code < 0x80) {
            byte(code);
        } else if (code < 0x800) {
            byte(0xC0U | code >> 6U), byte(0x80U | (code & 0x3FU));
        } else if (code < 0x10000) {
            byte(0xE0U | code >> 12U), byte(0x80U | (code >> 6U & 0x3FU)), byte(0x80U | (code & 0x3FU));
        } else {
            byte(0xF0U | code >> 18U), byte(0x80U | (code >> 12U & 0x3FU));
            byte(0x80U | (code >> 6U & 0x3FU)), byte(0x80U | (code & 0x3FU));
        }
    }

    std::uint64_t state_;
};

} // namespace handeye
