// SPDX-License-Identifier: Apache-2.0
#include "engine/device/model_on_device.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace handeye::device {
namespace {

constexpr int kRowsOfPass[] = {2048, 512}; // the larger where it costs little
constexpr std::int64_t kLargeSpaceShare = 8;

std::string gigabytes(std::int64_t bytes) { return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9); }

std::int64_t pages_for(std::int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

DeviceDecoder::Limits limits_of(const DevicePlan& plan) {
    return {.rows = plan.rows, .sequences = plan.options.sequences, .context = plan.options.context_tokens};
}

} // namespace

std::string DevicePlan::describe(const DeviceInfo& info) const {
    const int on_device = layers - placement.first_layer;
    return fmt::format("{}: {} of {} layers, head{}; weights {}, cache {}, work {} of {}", info.name, on_device == layers ? "all" : std::to_string(on_device), layers,
                       placement.has_vision ? " and vision tower" : "", gigabytes(weights_bytes), gigabytes(cache_bytes), gigabytes(space_bytes), gigabytes(limit_bytes));
}

Result<DevicePlan> plan_device(const Device& device, const Model& model, const PlanOptions& options) {
    const DecoderConfig& c = model.decoder.config;
    if (c.vocabulary > kVocabularyMost) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a vocabulary of {} tokens: a device takes up to {}", c.vocabulary, kVocabularyMost)};
    }
    const std::int64_t usable = device.info().free_bytes / 10 * 9; // the driver wants some for itself: kernels as they are first used, recordings
    DevicePlan plan{.placement = {}, .limit_bytes = options.memory_bytes > 0 ? std::min(options.memory_bytes, usable) : usable,
                    .layers = c.layers, .options = options};
    const bool has_tower = model.vision && options.picture.h > 0;
    const WeightBytes bytes = weight_bytes(model);
    const Precision precision{options.exact};
    const auto decoder_space = [&](int rows) {
        plan.rows = static_cast<int>(std::min<std::int64_t>(rows + kFewRows, std::max<std::int64_t>(options.context_tokens, kFewRows)));
        return DeviceDecoder::space_bytes(device, model, limits_of(plan), precision);
    };
    plan.space_bytes = decoder_space(kRowsOfPass[0]);
    if (plan.space_bytes > plan.limit_bytes / kLargeSpaceShare) {
        plan.space_bytes = decoder_space(kRowsOfPass[1]);
    }
    plan.pages = pages_for(options.context_tokens) + 2 * std::int64_t{options.sequences}; // a sequence's last page is not full
    // Both or none: a tower whose pictures do not fit beside it helps nobody.
    const std::int64_t vision = has_tower ? bytes.vision + DeviceVision::space_bytes(device, *model.vision, options.picture, precision) : 0;
    const std::int64_t layer_cache = plan.pages * kv_pages(c, 1, options.kv_format).page_bytes;
    std::int64_t left = plan.limit_bytes - plan.space_bytes - bytes.head;
    if (left < 0) {
        return Error{ErrorCode::OutOfMemory, fmt::format("{} bytes on {} do not hold even the model's head: it needs {}", plan.limit_bytes, device.info().name, plan.space_bytes + bytes.head)};
    }
    plan.placement.has_vision = has_tower && vision <= left;
    left -= plan.placement.has_vision ? vision : 0;
    int first = c.layers;
    std::int64_t weights = bytes.head + (plan.placement.has_vision ? bytes.vision : 0);
    while (first > 0 && left >= bytes.layers[static_cast<std::size_t>(first - 1)] + layer_cache) {
        --first;
        left -= bytes.layers[static_cast<std::size_t>(first)] + layer_cache;
        weights += bytes.layers[static_cast<std::size_t>(first)];
    }
    plan.placement.first_layer = first;
    plan.weights_bytes = weights;
    plan.cache_bytes = (c.layers - first) * layer_cache;
    plan.space_bytes += plan.placement.has_vision ? vision - bytes.vision : 0;
    return plan;
}

Result<std::unique_ptr<ModelOnDevice>> ModelOnDevice::load(std::shared_ptr<Device> device, const Model& model, ThreadPool& pool, const DevicePlan& plan,
                                                           const std::function<void(std::string_view, double)>& on_progress) {
    std::unique_ptr<ModelOnDevice> out(new ModelOnDevice(std::move(device), model, plan));
    Device& d = *out->device_;
    const Precision precision{plan.options.exact};
    out->weights_ = TRY(load_weights(d, pool, model, plan.placement, on_progress));
    const DecoderConfig& c = model.decoder.config;
    const KvPages shape = kv_pages(c, c.layers - plan.placement.first_layer, plan.options.kv_format);
    out->pages_ = std::make_unique<PagePool>(TRY(PagePool::create(d, shape, plan.pages)));
    out->decoder_ = std::make_unique<DeviceDecoder>(TRY(DeviceDecoder::create(d, model, out->weights_, out->pages_->kv(), limits_of(plan), precision)));
    if (out->has_vision()) {
        out->vision_ = std::make_unique<DeviceVision>(d, *model.vision, out->weights_.vision, precision);
    }
    return out;
}

Result<void> ModelOnDevice::hold_pages(const DevicePass& pass) {
    for (const SequenceRows& sequence : pass.sequences) {
        TRY(sequence.kv.pages->hold(sequence.past + sequence.rows));
    }
    return {};
}

Result<void> ModelOnDevice::run(const DevicePass& pass, ConstMatrix hidden, Matrix logits, const Tap& tap) {
    TRY(hold_pages(pass));
    return decoder_->run(pass, hidden, logits, tap);
}

Result<std::vector<RowCandidates>> ModelOnDevice::run_best(const DevicePass& pass, ConstMatrix hidden, std::span<const float> scales) {
    TRY(hold_pages(pass));
    return decoder_->run_best(pass, hidden, scales);
}

} // namespace handeye::device
