// SPDX-License-Identifier: Apache-2.0
#include "engine/weights/weight_loader.h"

#include "engine/quant/pack.h"
#include "engine/weights/mapped_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

// What published files hold beside the model's weights.
constexpr std::array<std::string_view, 5> kMeaningless = {"rotary_emb.inv_freq", "rotary_pos_emb.inv_freq", ".position_ids",
                                                          ".attn.masked_bias", ".input_scale"};

} // namespace

bool WeightLoader::has_module(const std::string& module) const {
    return std::any_of(weight_formats().begin(), weight_formats().end(), [&](const WeightFormat* format) {
        return has(module + std::string(format->suffixes.front()));
    });
}

Result<TensorView> WeightLoader::tensor(std::string_view name, const Shape& shape) {
    TensorView view = TRY(checkpoint_.weight(name, shape));
    take_tensor(name, view);
    return view;
}

void WeightLoader::take_tensor(std::string_view name, const TensorView& view) {
    used_.emplace(name);
    parameters_ += view.count();
    std::string format(view.type_name());
    std::transform(format.begin(), format.end(), format.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    taken_.push_back({.name = std::string(name), .format = std::move(format), .is_matrix = false, .rows = 0, .cols = 0,
                      .parameters = view.count(), .bytes = static_cast<std::int64_t>(view.size_bytes())});
}

Result<std::vector<float>> WeightLoader::floats(std::string_view name, const Shape& shape) {
    const TensorView view = TRY(checkpoint_.weight(name, shape));
    take_tensor(name, view);
    if (options_.contents == Contents::HeadersOnly) {
        return std::vector<float>(static_cast<std::size_t>(view.count()));
    }
    return checkpoint_.floats(name, shape);
}

Result<std::vector<float>> WeightLoader::floats_if_any(std::string_view name, const Shape& shape) {
    return has(name) ? floats(name, shape) : Result<std::vector<float>>(std::vector<float>());
}

Result<WeightMatrix> WeightLoader::matrix(const std::string& module, const ModuleShape& shape) {
    const ModuleTensors tensors(module, hints_, [this](std::string_view name) { return checkpoint_.find(name); });
    WeightMatrix w = TRY(open_module(tensors, shape));
    for (const std::string_view suffix : w.format->suffixes) {
        if (tensors.has(suffix)) {
            used_.insert(module + std::string(suffix));
        }
    }
    const std::string format = format_name(w);
    weights_by_format_[format] += w.count();
    taken_.push_back({.name = module, .format = format, .is_matrix = true, .rows = w.rows, .cols = w.cols, .parameters = w.count(), .bytes = w.stored_bytes});
    parameters_ += w.count();
    return w;
}

Result<WeightMatrix> WeightLoader::linear(const std::string& module, const ModuleShape& shape) {
    WeightMatrix plain = TRY(matrix(module, shape));
    ModuleRecord& record = taken_.back();
    record.is_linear = true;
    const int bits = options_.pack_bits;
    if (bits == 0 || plain.format != &kPlainFormat || pack_group(bits, plain.cols) == 0) {
        return plain;
    }
    WeightMatrix packed = packed_shape(plain, bits);
    weights_by_format_[record.format] -= plain.count();
    record.format = format_name(packed);
    record.bytes = packed.stored_bytes;
    record.is_packed_here = true;
    weights_by_format_[record.format] += plain.count();
    if (options_.contents == Contents::HeadersOnly) {
        return packed;
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(packed.stored_bytes));
    options_.pack(plain, packed, bytes);
    drop_pages({plain.codes, static_cast<std::size_t>(plain.stored_bytes)});
    return with_bytes(std::move(packed), std::move(bytes));
}

std::vector<std::string> WeightLoader::unused() const {
    std::vector<std::string> names;
    for (const auto& [name, view] : checkpoint_.tensors()) {
        const bool is_meaningless =
            std::any_of(kMeaningless.begin(), kMeaningless.end(), [&n = name](auto end) { return n.ends_with(end); }) ||
            std::any_of(ignored_.begin(), ignored_.end(), [&n = name](const auto& begin) { return n.starts_with(begin); });
        if (!is_meaningless && !used_.contains(name)) {
            names.push_back(name);
        }
    }
    return names;
}

std::string WeightLoader::main_format() const {
    const auto most = std::max_element(weights_by_format_.begin(), weights_by_format_.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == weights_by_format_.end() ? "none" : most->first;
}

} // namespace handeye
