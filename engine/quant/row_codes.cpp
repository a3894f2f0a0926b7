// SPDX-License-Identifier: Apache-2.0
// Codes and scales of one row of a matrix: of blocks, and of the formats that keep scales in tensors of their own, whose layouts are those of
// gptq.cpp, awq.cpp, compressed_tensors.cpp and mlx.cpp.
#include "engine/quant/row_codes.h"

#include "engine/quant/packing.h"
#include "engine/quant/row_codes_blocks.h"
#include "engine/quant/spread_codes.h"
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace handeye {
namespace {

using packing::word;

constexpr std::int64_t kGroupStep = 16;
constexpr std::int64_t kSuper = 256;

constexpr std::int64_t parts_of(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

// ---- groups that are given as a list ----

std::int32_t listed_group(const WeightMatrix& w, std::int64_t input) { return static_cast<std::int32_t>(word(w.group_of, input)); }

bool has_equal_groups(const WeightMatrix& w) {
    if (w.group_of == nullptr) {
        return true;
    }
    if (w.group == 0) {
        return false; // their number does not even divide that of the inputs
    }
    std::vector<std::int64_t> left(static_cast<std::size_t>(w.cols / w.group), w.group);
    for (std::int64_t i = 0; i < w.cols; ++i) {
        --left[static_cast<std::size_t>(listed_group(w, i))];
    }
    return std::ranges::all_of(left, [](std::int64_t count) { return count == 0; });
}

/// Where each input stands when those of one group are neighbours; asked for all of them in their order.
class ListedPlaces {
public:
    explicit ListedPlaces(const WeightMatrix& w) : w_(w), next_(scratch()) {
        next_.resize(static_cast<std::size_t>(w.cols / w.group));
        for (std::size_t g = 0; g < next_.size(); ++g) {
            next_[g] = static_cast<std::int64_t>(g) * w.group;
        }
    }
    std::size_t operator()(std::int64_t input) { return static_cast<std::size_t>(next_[static_cast<std::size_t>(listed_group(w_, input))]++); }

private:
    /// Kept from row to row.
    static std::vector<std::int64_t>& scratch() {
        thread_local std::vector<std::int64_t> kept;
        return kept;
    }
    const WeightMatrix& w_;
    std::vector<std::int64_t>& next_; // of each group
};

// ---- formats with scales in tensors of their own ----

/// Codes of `Bits` bits in words of inputs that follow each other, lowest bits first.
template <unsigned Bits, class WordAt>
void unpack_words(const WeightMatrix& w, const WordAt& word_at, std::uint8_t* codes) {
    constexpr unsigned kPerWord = 32 / Bits;
    const std::int64_t words = w.cols / kPerWord;
    if (w.group_of == nullptr) {
        for (std::int64_t i = 0; i < words; ++i) {
            spread_word<Bits>(word_at(i), codes + i * kPerWord);
        }
        return;
    }
    ListedPlaces place(w);
    for (std::int64_t i = 0; i < words; ++i) {
        std::array<std::uint8_t, kPerWord> each{};
        spread_word<Bits>(word_at(i), each.data());
        for (unsigned k = 0; k < kPerWord; ++k) {
            codes[place(i * kPerWord + k)] = each[k];
        }
    }
}

template <unsigned Bits>
void gptq_bits(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    constexpr std::uint32_t kMask = (1U << Bits) - 1U;
    constexpr std::int64_t kPerWord = 32 / Bits;
    const unsigned shift = static_cast<unsigned>(row % kPerWord) * Bits;
    for (std::size_t g = 0; g < out.scale.size(); ++g) {
        const auto group = static_cast<std::int64_t>(g);
        const std::uint32_t stored = word(w.zeros, group * (w.stored_rows / kPerWord) + row / kPerWord) >> shift;
        out.scale[g] = w.scales.at(group * w.stored_rows + row);
        out.zero[g] = static_cast<std::uint8_t>((stored + static_cast<unsigned>(w.zero_shift)) & kMask);
    }
    unpack_words<Bits>(w, [from = w.codes + 4 * row, step = w.stored_rows](std::int64_t i) { return word(from, i * step); }, out.codes.data());
}

void gptq_codes(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    w.bits == 2 ? gptq_bits<2>(w, row, out) : w.bits == 4 ? gptq_bits<4>(w, row, out) : gptq_bits<8>(w, row, out);
}

void awq_codes(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    constexpr std::int64_t kPerWord = 8;
    constexpr std::array<unsigned, kPerWord> kShifts = {0, 16, 4, 20, 8, 24, 12, 28}; // of output 8c + t
    const unsigned shift = kShifts[static_cast<std::size_t>(row % kPerWord)];
    const std::int64_t words = w.stored_rows / kPerWord;
    const auto code_of = [words, shift, at = row / kPerWord](const std::byte* from, std::int64_t i) { // of an input, or the zero point of a group
        return static_cast<std::uint8_t>(word(from, i * words + at) >> shift & 15U);
    };
    for (std::size_t g = 0; g < out.scale.size(); ++g) {
        out.scale[g] = w.scales.at(static_cast<std::int64_t>(g) * w.stored_rows + row);
    }
    for (std::size_t g = 0; g < out.zero.size(); ++g) {
        out.zero[g] = code_of(w.zeros, static_cast<std::int64_t>(g));
    }
    const std::byte* const from = w.codes;
    std::uint8_t* const to = out.codes.data();
    for (std::int64_t i = 0, cols = w.cols; i < cols; ++i) {
        to[i] = code_of(from, i);
    }
}

template <unsigned Bits>
void compressed_bits(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    constexpr std::int64_t kPerWord = 32 / Bits;
    const std::int64_t groups = w.row_group;
    for (std::size_t g = 0; g < out.scale.size(); ++g) {
        out.scale[g] = w.scales.at(row * groups + static_cast<std::int64_t>(g));
    }
    const unsigned shift = static_cast<unsigned>(row % kPerWord) * Bits;
    for (std::size_t g = 0; g < out.zero.size(); ++g) {
        const std::uint32_t stored = word(w.zeros, row / kPerWord * groups + static_cast<std::int64_t>(g));
        out.zero[g] = static_cast<std::uint8_t>(stored >> shift & ((1U << Bits) - 1U));
    }
    unpack_words<Bits>(w, [from = w.codes + row * w.cols * Bits / 8](std::int64_t i) { return word(from, i); }, out.codes.data());
}

void compressed_codes(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    w.bits == 4 ? compressed_bits<4>(w, row, out) : compressed_bits<8>(w, row, out);
}

/// A stream of bits: eight codes are as many bytes as one has bits.
template <unsigned Bits>
void unpack_stream(const std::byte* from, std::int64_t count, std::uint8_t* codes) {
    for (std::int64_t i = 0; i < count; i += 8, from += Bits) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, from, Bits);
        eight = spread_eight<Bits>(eight);
        std::memcpy(codes + i, &eight, sizeof eight);
    }
}

void mlx_codes(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    constexpr std::array kUnpack = {unpack_stream<2>, unpack_stream<2>, unpack_stream<2>, unpack_stream<3>, unpack_stream<4>,
                                    unpack_stream<5>, unpack_stream<6>, unpack_stream<8>, unpack_stream<8>};
    const auto groups = static_cast<std::int64_t>(out.scale.size());
    for (std::size_t g = 0; g < out.scale.size(); ++g) {
        const std::int64_t at = row * groups + static_cast<std::int64_t>(g);
        out.scale[g] = w.scales.at(at);
        out.offset[g] = w.offsets.at(at);
    }
    kUnpack[static_cast<std::size_t>(w.bits)](w.codes + row * w.cols * w.bits / 8, w.cols, out.codes.data()); // 0, 1 and 7 are not opened
}

struct PackedCodes {
    const WeightFormat* format;
    void (*read)(const WeightMatrix& w, std::int64_t stored_row, RowCodes& out);
};
constexpr std::array kPackedCodes = {
    PackedCodes{&kGptqFormat, gptq_codes},
    PackedCodes{&kAwqFormat, awq_codes},
    PackedCodes{&kCompressedTensorsFormat, compressed_codes},
    PackedCodes{&kMlxFormat, mlx_codes},
};
const PackedCodes* find_packed_codes(const WeightFormat* format) {
    const auto* found = std::find_if(kPackedCodes.begin(), kPackedCodes.end(), [&](const PackedCodes& codes) { return codes.format == format; });
    return found == kPackedCodes.end() ? nullptr : found;
}

/// A single group may be longer than its inputs.
std::int64_t whole_group(const WeightMatrix& w) {
    return w.group == w.cols ? parts_of(w.cols, kGroupStep) * kGroupStep : w.group;
}

std::optional<CodeLayout> packed_layout(const WeightMatrix& w) {
    CodeLayout layout{.bits = w.bits, .numbers = w.scales.dtype, .group = whole_group(w)};
    if (layout.group == 0 || layout.group % kGroupStep != 0 || !has_equal_groups(w)) {
        return std::nullopt;
    }
    if (w.offsets.data != nullptr) {
        layout.scales = ScaleKind::NumberAndOffset;
        layout.numbers = w.scales.dtype == w.offsets.dtype ? w.scales.dtype : DType::F32;
    } else if (w.zeros != nullptr) {
        layout.scales = ScaleKind::NumberAndZero;
    } else {
        layout.zero = 1 << (w.bits - 1); // the middle of the codes
    }
    return layout;
}

// ---- blocks ----

/// The blocks of one row, each beside what the one before has filled.
void read_blocks(const WeightMatrix& w, const BlockCodes& codes, std::int64_t row, RowCodes& out) {
    const BlockFormat& format = *w.blocks;
    const std::int64_t blocks = w.cols / format.elements;
    const std::int64_t groups = format.elements / codes.layout.group; // of a block
    const std::byte* block = w.codes + row * blocks * format.bytes;
    const auto at = [](auto& values, std::int64_t first) { return values.empty() ? nullptr : values.data() + first; };
    for (std::int64_t b = 0; b < blocks; ++b, block += format.bytes) {
        codes.read(block, {.codes = at(out.codes, b * format.elements),
                           .scale = at(out.scale, b * groups),
                           .offset = at(out.offset, b * groups),
                           .super = at(out.super, b),
                           .super_min = at(out.super_min, b),
                           .fine = at(out.fine, b * groups),
                           .fine_min = at(out.fine_min, b * groups)});
    }
}

void resize(std::int64_t cols, const CodeLayout& layout, RowCodes& out) {
    const auto groups = static_cast<std::size_t>(parts_of(cols, layout.group));
    const auto supers = static_cast<std::size_t>(parts_of(cols, kSuper));
    const bool has_min = layout.scales == ScaleKind::SuperAndMin;
    const bool has_super = has_min || layout.scales == ScaleKind::Super;
    out.codes.resize(static_cast<std::size_t>(cols));
    out.scale.resize(has_super ? 0 : groups);
    out.offset.resize(layout.scales == ScaleKind::NumberAndOffset ? groups : 0);
    out.zero.resize(layout.scales == ScaleKind::NumberAndZero ? groups : 0);
    out.super.resize(has_super ? supers : 0);
    out.fine.resize(has_super ? groups : 0);
    out.super_min.resize(has_min ? supers : 0);
    out.fine_min.resize(has_min ? groups : 0);
}

} // namespace

std::optional<CodeLayout> code_layout(const WeightMatrix& w) {
    if (w.blocks != nullptr) {
        const BlockCodes* codes = find_block_codes(w.blocks->gguf_type);
        return codes == nullptr ? std::nullopt : std::optional(codes->layout);
    }
    return find_packed_codes(w.format) == nullptr ? std::nullopt : packed_layout(w);
}

void read_row_codes(const WeightMatrix& w, const CodeLayout& layout, std::int64_t row, RowCodes& out) {
    resize(w.cols, layout, out);
    const std::int64_t stored_row = w.first_row + row;
    if (w.blocks != nullptr) {
        read_blocks(w, *find_block_codes(w.blocks->gguf_type), stored_row, out);
    } else {
        find_packed_codes(w.format)->read(w, stored_row, out);
    }
}

std::vector<std::int32_t> input_order(const WeightMatrix& w) {
    std::vector<std::int32_t> order;
    if (w.group_of != nullptr && has_equal_groups(w)) {
        order.resize(static_cast<std::size_t>(w.cols));
        ListedPlaces place(w);
        for (std::int64_t i = 0; i < w.cols; ++i) {
            order[place(i)] = static_cast<std::int32_t>(i);
        }
    }
    return order;
}

} // namespace handeye
