// SPDX-License-Identifier: Apache-2.0
#include "engine/device/device_weights.h"

#include "engine/device/pack_matrix.h"
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>

namespace handeye::device {
namespace {

constexpr std::int64_t kStripsAtOnce = 8; // of one task

// Low-rank factors that are multiplied by their scale: plain floats of their own.
struct ScaledFloats {
    std::vector<float> values;
    WeightMatrix matrix;
};
ScaledFloats scaled_up(const LowRank& added) {
    ScaledFloats out{.values = std::vector<float>(static_cast<std::size_t>(added.up.count())), .matrix = {}};
    decode_tile(added.up, {.row = 0, .rows = added.up.rows, .col = 0, .cols = added.up.cols, .stride = added.up.cols}, out.values.data());
    for (float& value : out.values) {
        value *= added.scale;
    }
    out.matrix = matrix_of({.data = reinterpret_cast<const std::byte*>(out.values.data()), .dtype = DType::F32, .shape = {added.up.rows, added.up.cols}}, added.up.cols);
    return out;
}

/// Walks a model's weights in one order, either adding up their bytes or copying them: both see the same.
class Placer {
public:
    /// Only counts.
    Placer() = default;
    /// Fills with random numbers.
    Placer(Device& device, std::byte* memory) : device_(&device), carver_(memory) {}
    Placer(Device& device, ThreadPool& pool, std::byte* memory, std::int64_t total, const std::function<void(std::string_view, double)>& on_progress)
        : device_(&device), pool_(&pool), carver_(memory), total_(total), on_progress_(&on_progress) {}

    [[nodiscard]] std::int64_t used() const { return static_cast<std::int64_t>(carver_.used()); }

    const float* floats(const std::vector<float>& values) {
        if (values.empty()) {
            return nullptr;
        }
        auto* const to = carver_.take<float>(static_cast<std::int64_t>(values.size()));
        if (device_ != nullptr) {
            device_->upload(to, values.data(), values.size() * sizeof(float));
        }
        return to;
    }

    DeviceMatrix matrix(const WeightMatrix& w) {
        const MatrixPlan plan = plan_matrix(w);
        auto* const to = carver_.take<std::byte>(plan.bytes);
        if (device_ != nullptr && pool_ == nullptr) {
            fill(plan, to);
        } else if (device_ != nullptr) {
            packed_.resize(static_cast<std::size_t>(plan.bytes));
            std::memset(packed_.data(), 0, packed_.size());
            const std::int64_t strips = plan.shape.strips;
            pool_->run((strips + kStripsAtOnce - 1) / kStripsAtOnce, [&](std::int64_t i, int) {
                const std::int64_t first = i * kStripsAtOnce;
                pack_strips(w, plan, first, std::min(kStripsAtOnce, strips - first), packed_.data());
            });
            device_->upload(to, packed_.data(), packed_.size());
            (*on_progress_)("weights to the device", static_cast<double>(used()) / static_cast<double>(total_));
        }
        return at(plan, to);
    }

    Linear linear(const WeightMatrix& w, const std::vector<float>& bias = {}) {
        if (!w) {
            return {};
        }
        Linear out;
        out.w = matrix(w);
        out.bias = floats(bias);
        if (w.added != nullptr) {
            for (const LowRank& added : *w.added) {
                out.added.push_back({.down = matrix(added.down), .up = matrix(remember(scaled_up(added)))});
            }
        }
        return out;
    }

    // Experts of one layer as an array, when one kernel can read them all.
    const DeviceMatrix* table(const std::vector<MlpWeights>& experts, Linear MlpWeights::*which) {
        std::vector<DeviceMatrix> all;
        bool is_plain = true;
        for (const MlpWeights& expert : experts) {
            const Linear& linear = expert.*which;
            is_plain = is_plain && linear.added.empty() && linear.w.inputs == nullptr && same_layout(linear.w, (experts.front().*which).w);
            all.push_back(linear.w);
        }
        auto* const to = carver_.take<DeviceMatrix>(static_cast<std::int64_t>(all.size()));
        if (device_ != nullptr) {
            device_->upload(to, all.data(), all.size() * sizeof(DeviceMatrix));
        }
        return is_plain ? to : nullptr;
    }

    MlpWeights mlp(const Mlp& w) { return {.gate = linear(w.gate), .up = linear(w.up), .down = linear(w.down)}; }

    LayerWeights layer(const DecoderLayer& w) {
        LayerWeights out;
        out.input_norm = floats(w.input_norm);
        out.post_attention_norm = floats(w.post_attention_norm);
        out.pre_mlp_norm = floats(w.pre_mlp_norm);
        out.post_mlp_norm = floats(w.post_mlp_norm);
        out.q = linear(w.q, w.q_bias);
        out.k = linear(w.k, w.k_bias);
        out.v = linear(w.v, w.v_bias);
        out.o = linear(w.o);
        out.mlp = mlp(w.mlp);
        out.router = linear(w.router);
        out.router_bias = floats(w.router_bias);
        for (const Mlp& expert : w.experts) {
            out.experts.push_back(mlp(expert));
        }
        if (!out.experts.empty()) {
            out.expert_tables = {.gate = table(out.experts, &MlpWeights::gate), .up = table(out.experts, &MlpWeights::up), .down = table(out.experts, &MlpWeights::down)};
        }
        return out;
    }

    VisionWeights vision(const VisionTower& w) {
        VisionWeights out;
        out.patch_embed = linear(w.patch_embed, w.patch_bias);
        out.post_conv_norm = floats(w.post_conv_norm);
        out.position_table = floats(w.position_table);
        for (const VisionBlock& block : w.blocks) {
            out.blocks.push_back({.norm1 = floats(block.norm1), .norm2 = floats(block.norm2), .qkv = linear(block.qkv), .proj = linear(block.proj), .mlp = mlp(block.mlp)});
        }
        out.post_norm = floats(w.post_norm);
        out.downsample = linear(w.downsample, w.downsample_bias);
        out.merger_proj = linear(w.merger_proj);
        out.merger_norm = floats(w.merger_norm);
        out.merger_norm_bias = floats(w.merger_norm_bias);
        out.merger = mlp(w.merger);
        return out;
    }

    DeviceWeights all(const Model& model, const Placement& placement) {
        DeviceWeights out;
        out.placement = placement;
        const auto& layers = model.decoder.layers;
        for (std::size_t i = static_cast<std::size_t>(placement.first_layer); i < layers.size(); ++i) {
            out.layers.push_back(layer(layers[i]));
        }
        if (placement.has_head) {
            out.norm = floats(model.decoder.norm);
            out.head = linear(model.decoder.head);
        }
        if (placement.has_vision && model.vision) {
            out.vision = vision(*model.vision);
        }
        return out;
    }

private:
    // Codes of any bits; numbers between 2^-7 and 2^-5 with either sign, scales about 2^-10: sums neither vanish nor overflow.
    void fill(const MatrixPlan& plan, std::byte* to) {
        const auto part = [&](std::int64_t at, std::int64_t end, std::uint32_t kept, std::uint32_t set) {
            if (at >= 0) {
                device_->run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(to + at), .words = (end - at) / 4, .kept = kept, .set = set, .seed = seed_++});
            }
        };
        const MatrixPlan::Offsets& o = plan.offsets;
        const auto end_of = [&](std::int64_t at) { // the next part's beginning
            std::int64_t end = plan.bytes;
            for (const std::int64_t other : {o.base, o.extra, o.scale, o.offset, o.fine, o.fine_min, o.inputs}) {
                end = other > at ? std::min(end, other) : end;
            }
            return end;
        };
        const bool is_super = plan.shape.scales == ScaleKind::Super || plan.shape.scales == ScaleKind::SuperAndMin;
        const NumberKind numbers = is_super ? NumberKind::F16 : plan.shape.numbers;
        const std::uint32_t scale_kept = numbers == NumberKind::F32 ? 0x007FFFFFU : numbers == NumberKind::F16 ? 0x03FF03FFU : 0x007F007FU;
        const std::uint32_t scale_set = numbers == NumberKind::F32 ? 0x3A800000U : numbers == NumberKind::F16 ? 0x14001400U : 0x3A803A80U;
        switch (plan.shape.kind) {
            case CodeKind::Bf16: part(o.base, end_of(o.base), 0x80FF80FFU, 0x3C003C00U); break;
            case CodeKind::F16: part(o.base, end_of(o.base), 0x87FF87FFU, 0x20002000U); break;
            case CodeKind::F32: part(o.base, end_of(o.base), 0x80FFFFFFU, 0x3C000000U); break;
            case CodeKind::Fp8: part(o.base, end_of(o.base), 0xB7B7B7B7U, 0); break; // none that is no number
            case CodeKind::Whole: part(o.base, end_of(o.base), 0xFFFFFFFFU, 0); break;
        }
        part(o.extra, end_of(o.extra), 0xFFFFFFFFU, 0);
        part(o.scale, end_of(o.scale), scale_kept, scale_set);
        part(o.offset, end_of(o.offset), scale_kept, scale_set);
        part(o.fine, end_of(o.fine), 0x0F0F0F0FU, 0);
        part(o.fine_min, end_of(o.fine_min), 0x0F0F0F0FU, 0);
    }

    const WeightMatrix& remember(ScaledFloats scaled) {
        scaled_ = std::move(scaled);
        return scaled_.matrix;
    }

    Device* device_ = nullptr;
    ThreadPool* pool_ = nullptr;
    Carver carver_;
    std::int64_t total_ = 0;
    const std::function<void(std::string_view, double)>* on_progress_ = nullptr;
    std::vector<std::byte> packed_;
    ScaledFloats scaled_;
    std::uint32_t seed_ = 1;
};

template <class Part>
std::int64_t bytes_of(const Part& part) {
    Placer placer;
    part(placer);
    return placer.used();
}

} // namespace

WeightBytes weight_bytes(const Model& model) {
    WeightBytes out;
    for (const DecoderLayer& layer : model.decoder.layers) {
        out.layers.push_back(bytes_of([&](Placer& p) { p.layer(layer); }));
    }
    out.head = bytes_of([&](Placer& p) { p.floats(model.decoder.norm), p.linear(model.decoder.head); });
    out.vision = model.vision ? bytes_of([&](Placer& p) { p.vision(*model.vision); }) : 0;
    return out;
}

Result<DeviceWeights> random_weights(Device& device, const Model& model, const Placement& placement) {
    Placer counting;
    counting.all(model, placement);
    DeviceMemory memory = TRY(DeviceMemory::allocate(device, static_cast<std::size_t>(counting.used())));
    Placer placer(device, memory.bytes());
    DeviceWeights weights = placer.all(model, placement);
    weights.memory = std::move(memory);
    TRY(device.finish());
    return weights;
}

Result<DeviceWeights> load_weights(Device& device, ThreadPool& pool, const Model& model, const Placement& placement,
                                   const std::function<void(std::string_view, double)>& on_progress) {
    Placer counting;
    counting.all(model, placement);
    DeviceMemory memory = TRY(DeviceMemory::allocate(device, static_cast<std::size_t>(std::max<std::int64_t>(1, counting.used()))));
    const std::function<void(std::string_view, double)> silent = [](std::string_view, double) {};
    Placer placer(device, pool, memory.bytes(), counting.used(), on_progress ? on_progress : silent);
    DeviceWeights weights = placer.all(model, placement);
    weights.memory = std::move(memory);
    TRY(device.finish());
    return weights;
}

} // namespace handeye::device
