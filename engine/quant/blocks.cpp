// SPDX-License-Identifier: Apache-2.0
// The list of block types, and matrices whose rows consist of such blocks.
#include "engine/quant/blocks.h"
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

// Types that only activations have (Q8_1, Q8_K) and those that ggml has removed are not here.
constexpr std::array kBlockFormats = {
    BlockFormat{"Q4_0", 2, 32, 18, blocks::q4_0},         BlockFormat{"Q4_1", 3, 32, 20, blocks::q4_1},
    BlockFormat{"Q5_0", 6, 32, 22, blocks::q5_0},         BlockFormat{"Q5_1", 7, 32, 24, blocks::q5_1},
    BlockFormat{"Q8_0", 8, 32, 34, blocks::q8_0},         BlockFormat{"Q2_K", 10, 256, 84, blocks::q2_k},
    BlockFormat{"Q3_K", 11, 256, 110, blocks::q3_k},      BlockFormat{"Q4_K", 12, 256, 144, blocks::q4_k},
    BlockFormat{"Q5_K", 13, 256, 176, blocks::q5_k},      BlockFormat{"Q6_K", 14, 256, 210, blocks::q6_k},
    BlockFormat{"IQ2_XXS", 16, 256, 66, blocks::iq2_xxs}, BlockFormat{"IQ2_XS", 17, 256, 74, blocks::iq2_xs},
    BlockFormat{"IQ3_XXS", 18, 256, 98, blocks::iq3_xxs}, BlockFormat{"IQ1_S", 19, 256, 50, blocks::iq1_s},
    BlockFormat{"IQ4_NL", 20, 32, 18, blocks::iq4_nl},    BlockFormat{"IQ3_S", 21, 256, 110, blocks::iq3_s},
    BlockFormat{"IQ2_S", 22, 256, 82, blocks::iq2_s},     BlockFormat{"IQ4_XS", 23, 256, 136, blocks::iq4_xs},
    BlockFormat{"IQ1_M", 29, 256, 56, blocks::iq1_m},
};

bool is_in_blocks(const ModuleTensors& tensors, const ModuleShape&) {
    const TensorView* weight = tensors.find(".weight");
    return weight != nullptr && weight->blocks != nullptr;
}

Result<WeightMatrix> open_blocks(const ModuleTensors& tensors, const ModuleShape& shape) {
    const TensorView& weight = *tensors.find(".weight");
    const Shape expected = shape.stacked > 0 ? Shape{shape.stacked, shape.rows, shape.cols} : Shape{shape.rows, shape.cols};
    if (weight.shape != expected) {
        return tensors.bad(fmt::format("weight has the shape {}, the config asks for {}", shape_text(weight.shape),
                                       shape_text(expected)));
    }
    if (shape.cols % weight.blocks->elements != 0) {
        return tensors.bad(fmt::format("rows of {} weights are not made of {} blocks", shape.cols, weight.blocks->name));
    }
    return matrix_of(weight, shape.cols);
}

void decode_blocks(const WeightMatrix& w, const Tile& tile, float* out) {
    const BlockFormat& format = *w.blocks;
    const std::int64_t row_bytes = w.cols / format.elements * format.bytes;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        const std::byte* block = w.codes + (w.first_row + tile.row + r) * row_bytes + tile.col / format.elements * format.bytes;
        float* to = out + r * tile.stride;
        for (std::int64_t c = 0; c < tile.cols; c += format.elements, block += format.bytes) {
            format.decode(block, to + c);
        }
    }
}

constexpr std::array<std::string_view, 1> kSuffixes = {".weight"};

} // namespace

std::span<const BlockFormat> block_formats() { return kBlockFormats; }

const BlockFormat* find_block_format(std::uint32_t gguf_type) {
    const auto* found = std::find_if(kBlockFormats.begin(), kBlockFormats.end(),
                                     [&](const BlockFormat& format) { return format.gguf_type == gguf_type; });
    return found == kBlockFormats.end() ? nullptr : found;
}

extern const WeightFormat kBlocksFormat{"blocks", kSuffixes, is_in_blocks, open_blocks, decode_blocks};

} // namespace handeye
