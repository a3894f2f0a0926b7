// SPDX-License-Identifier: Apache-2.0
// Tensors of any names, types, shapes and bytes as one module: an error, or a matrix of which every row can be decoded.
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace handeye;

// Reads small numbers from the front.
struct Choices {
    std::span<const std::uint8_t> left;
    unsigned next() {
        if (left.empty()) {
            return 0;
        }
        const unsigned value = left.front();
        left = left.subspan(1);
        return value;
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array<const char*, 12> kSuffixes = {".weight", ".qweight", ".qzeros", ".scales", ".g_idx", ".biases", ".weight_packed",
                                                       ".weight_scale", ".weight_scale_inv", ".weight_zero_point", ".weight_shape",
                                                       ".weight_g_idx"};
    constexpr std::array kTypes = {DType::F32, DType::F16, DType::BF16, DType::I32, DType::U32, DType::I64, DType::F8E4M3, DType::U8};
    Choices choices{{data, size}};
    const auto dimension = [&] { return static_cast<std::int64_t>(choices.next() % 3 == 0 ? choices.next() % 9 : 8 * (choices.next() % 17)); };
    const ModuleShape shape{.rows = std::max<std::int64_t>(1, dimension()), .cols = std::max<std::int64_t>(1, dimension()), .stacked = static_cast<std::int64_t>(choices.next() % 3)};
    const QuantHints hints{.gptq_zeros_are_exact = choices.next() % 2 == 0, .is_symmetric = choices.next() % 2 == 0};
    std::map<std::string, std::vector<std::byte>, std::less<>> bytes;
    std::map<std::string, TensorView, std::less<>> views;
    const unsigned count = choices.next() % 6;
    for (unsigned i = 0; i < count; ++i) {
        const std::string name = std::string("m") + kSuffixes[choices.next() % kSuffixes.size()];
        TensorView view{nullptr, kTypes[choices.next() % kTypes.size()], {}};
        for (unsigned rank = choices.next() % 4; rank > 0; --rank) {
            view.shape.push_back(dimension());
        }
        std::vector<std::byte>& own = bytes[name];
        own.assign(view.size_bytes(), std::byte{});
        for (std::byte& b : own) {
            b = static_cast<std::byte>(choices.next());
        }
        view.data = own.data();
        views[name] = view;
    }
    const ModuleTensors tensors("m", hints, [&](std::string_view name) {
        const auto found = views.find(name);
        return found == views.end() ? nullptr : &found->second;
    });
    const auto w = open_module(tensors, shape);
    if (w) {
        std::vector<float> row(static_cast<std::size_t>(w->cols));
        for (std::int64_t r = 0; r < w->rows; ++r) {
            decode_tile(*w, {.row = r, .rows = 1, .col = 0, .cols = w->cols, .stride = w->cols}, row.data());
        }
    }
    return 0;
}
