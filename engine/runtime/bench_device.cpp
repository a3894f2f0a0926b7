// SPDX-License-Identifier: Apache-2.0
#include "engine/bench_device.h"

#include "engine/device/device_decoder.h"
#include "engine/device/device_vision.h"
#include "engine/device/synthetic_model.h"
#include "engine/runtime/bench_ceilings.h"
#include "engine/runtime/bench_kernels.h"
#include "engine/runtime/model_parts.h"
#include "engine/runtime/timeline.h"
#include "engine/runtime/work.h"
#include "engine/vision/preprocess.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace device {
namespace {

constexpr std::int64_t kRowsLeast = kFewRows + 1; // of a pass that is a prompt's

int tokens_of(const VisionConfig& c, VisionGrid grid) { return grid.t * grid.h * grid.w / (c.merge_size * c.merge_size); }

std::int64_t pages_for(std::int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

Result<VisionGrid> grid_of(const VisionConfig& c, Size screen) {
    const PatchPlan plan = TRY(plan_patches(c.temporal_patch_size, screen, {.patch_size = c.patch_size, .temporal_patch_size = c.temporal_patch_size, .merge_size = c.merge_size}));
    return VisionGrid{plan.grid.t, plan.grid.h, plan.grid.w};
}

/// What is asked for, without what is longer than the model's context.
Result<DeviceBench> fitted(DeviceBench bench, const Model& model) {
    const std::int64_t most = model.decoder.config.context_max;
    if (bench.sequences < 2 || bench.sequences > DeviceBench::kSequencesMost || bench.pass_rows < kRowsLeast || most <= kRowsLeast || bench.rounds < 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} sequences (2 to {}), {} rows of a pass (at least {}), {} rounds, {} tokens of context cannot be measured", bench.sequences,
                                                             DeviceBench::kSequencesMost, bench.pass_rows, kRowsLeast, bench.rounds, most)};
    }
    std::erase_if(bench.contexts, [&](std::int64_t past) { return past >= most; });
    bench.shared_context = std::min(bench.shared_context, most - 1);
    bench.prompt = std::min(bench.prompt, most);
    if (!model.vision) {
        bench.screens.clear();
    }
    return bench;
}

/// A model on a device, its caches filled with random numbers.
class Bench {
public:
    Bench(Device& device, const Model& model, DeviceWeights weights, const DeviceBench& bench, const Ceilings& ceilings, const Tell& tell)
        : device_(device), model_(model), weights_(std::move(weights)), bench_(bench), ceilings_(ceilings), tell_(tell) {}

    Result<void> create(KvFormat format, Precision precision) {
        const DecoderConfig& c = model_.decoder.config;
        precision_ = precision;
        context_ = std::max(bench_.prompt, bench_.shared_context + 1);
        for (const std::int64_t past : bench_.contexts) {
            context_ = std::max(context_, past + 1);
        }
        for (std::size_t i = 0; i < bench_.screens.size(); ++i) {
            grids_.push_back(TRY(grid_of(model_.vision->config, bench_.screens[i])));
            const std::int64_t tokens = tokens_of(model_.vision->config, grids_.back()) + bench_.screen_text;
            context_ = std::max(context_, std::min<std::int64_t>(tokens, c.context_max));
        }
        pages_.emplace(TRY(PagePool::create(device_, kv_pages(c, c.layers, format), std::max(pages_for(context_), bench_.sequences * pages_for(bench_.shared_context + 1)))));
        const KvPages& kv = pages_->kv();
        device_.run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(kv.pool), .words = kv.page_bytes * pages_->free_pages() / 4, .kept = 0x83FF83FFU, .set = 0x30003000U});
        for (int i = 0; i < bench_.sequences; ++i) {
            caches_.push_back(std::make_unique<PagedCache>(TRY(PagedCache::create(*pages_, context_))));
        }
        return device_.finish();
    }

    Result<void> kernels() {
        const BenchedModel benched{.model = model_, .weights = weights_, .kv = pages_->kv(), .caches = caches_, .context = context_, .grids = grids_, .precision = precision_};
        return bench_kernels(device_, benched, bench_, ceilings_, tell_);
    }

    // After kernels(): what these work in and what those do are not there at the same time.
    Result<void> whole() {
        decoder_.emplace(TRY(DeviceDecoder::create(device_, model_, weights_, pages_->kv(), {.rows = bench_.pass_rows + kFewRows, .sequences = kFewRows, .context = context_}, precision_)));
        for (const std::int64_t past : bench_.contexts) {
            tell_(token_line(fmt::format("decode at {}", past), 1, TRY(decode(1, past)), bytes_of_pass(1, past), ceilings_));
        }
        TRY(together());
        const std::int64_t prompt = bench_.prompt;
        tell_(time_line(fmt::format("prefill of {}", prompt), TRY(repeated([&] { return prefill(prompt); })), prefill_work(prompt), Bound::Flop, ceilings_));
        if (model_.vision) {
            vision_.emplace(device_, *model_.vision, weights_.vision, precision_);
        }
        for (std::size_t i = 0; i < grids_.size(); ++i) {
            TRY(screen(grids_[i], fmt::format("{}x{}", bench_.screens[i].width_px, bench_.screens[i].height_px)));
        }
        return {};
    }

private:
    [[nodiscard]] double bytes_of_pass(int sequences, std::int64_t past) const {
        return decode_bytes(model_.decoder, static_cast<double>(past * sequences), pages_->kv().format);
    }
    [[nodiscard]] Work prefill_work(std::int64_t tokens) const { return {.flop = decoder_flop(model_.decoder.config, static_cast<double>(tokens), 0)}; }

    // Several sequences, and how much longer that takes than one.
    Result<void> together() {
        const std::int64_t past = bench_.shared_context;
        const int count = bench_.sequences;
        const Timed one = TRY(decode(1, past)), all = TRY(decode(count, past));
        tell_(token_line(fmt::format("decode of {} at {}", count, past), count, all, bytes_of_pass(count, past), ceilings_));
        const double least = bytes_of_pass(count, past) / bytes_of_pass(1, past), ratio = all.median / one.median;
        tell_({.name = fmt::format("time of {} over that of 1", count), .value = ratio, .unit = "times", .ceiling = least, .ceiling_name = "bytes", .share = least / ratio});
        return {};
    }

    // The tower, and a screenshot to the first token.
    Result<void> screen(VisionGrid grid, const std::string& name) {
        const Work tower{.flop = vision_flop(model_.vision->config, grid)};
        tell_(time_line("vision at " + name, TRY(repeated([&] { return see(grid); })), tower, Bound::Flop, ceilings_));
        const std::int64_t tokens = tokens_of(model_.vision->config, grid) + bench_.screen_text;
        if (tokens > context_) {
            return {};
        }
        const auto both = [&]() -> Result<void> {
            TRY(see(grid));
            return prefill(tokens);
        };
        tell_(time_line("first token at " + name, TRY(repeated(both)), {.flop = tower.flop + prefill_work(tokens).flop}, Bound::Flop, ceilings_));
        return {};
    }

    template <class Once>
    Result<Timed> repeated(const Once& once) {
        const Result<Timed> took = timed(repeats_of(bench_), once);
        for (const auto& cache : caches_) {
            cache->release();
        }
        return took;
    }
    Result<Timed> decode(int sequences, std::int64_t past) {
        return repeated([&] { return pass(sequences, 1, past, sequences); });
    }

    /// One pass of `rows` rows of each of the first `sequences` sequences; the best logits of the last row of the first `wanted`.
    Result<void> pass(int sequences, std::int64_t rows, std::int64_t past, int wanted) {
        const DecoderConfig& c = model_.decoder.config;
        const auto at = static_cast<std::int32_t>(past);
        std::vector<SequenceRows> spans;
        positions_.assign(static_cast<std::size_t>(sequences * rows), {at, at, at});
        for (int i = 0; i < sequences; ++i) {
            PagedCache& cache = *caches_[static_cast<std::size_t>(i)];
            TRY(cache.hold(past + rows));
            spans.push_back({.kv = {.k = nullptr, .v = nullptr, .capacity = context_, .format = pages_->kv().format, .pages = &cache}, .past = past, .rows = rows});
        }
        numbers_.resize(std::max(numbers_.size(), static_cast<std::size_t>(sequences * rows * c.hidden)), 0.5F);
        std::vector<std::int64_t> want;
        for (int i = 0; i < wanted; ++i) {
            want.push_back((i + 1) * rows - 1);
        }
        const std::vector<float> scales(want.size(), 1.0F);
        (void)TRY(decoder_->run_best({.positions = positions_, .sequences = spans, .wanted = want}, {numbers_.data(), sequences * rows, c.hidden, c.hidden}, scales));
        return {};
    }
    Result<void> prefill(std::int64_t tokens) {
        for (std::int64_t first = 0; first < tokens; first += bench_.pass_rows) {
            const std::int64_t rows = std::min<std::int64_t>(bench_.pass_rows, tokens - first);
            TRY(pass(1, rows, first, first + rows == tokens ? 1 : 0));
        }
        return {};
    }
    Result<void> see(VisionGrid grid) {
        const std::int64_t patches = std::int64_t{grid.t} * grid.h * grid.w, cols = model_.vision->config.patch_floats();
        numbers_.resize(std::max(numbers_.size(), static_cast<std::size_t>(patches * cols)), 0.5F);
        (void)TRY(vision_->run({numbers_.data(), patches, cols, cols}, grid, {}));
        return {};
    }

    Device& device_;
    const Model& model_;
    const DeviceWeights weights_;
    const DeviceBench& bench_;
    const Ceilings& ceilings_;
    const Tell& tell_;
    Precision precision_;
    std::int64_t context_ = 0; // the longest that is measured
    std::vector<VisionGrid> grids_;
    std::optional<PagePool> pages_;
    std::vector<std::unique_ptr<PagedCache>> caches_;
    std::optional<DeviceDecoder> decoder_;
    std::optional<DeviceVision> vision_;
    std::vector<Position3> positions_;
    std::vector<float> numbers_; // what goes in
};

double seconds_since(std::chrono::steady_clock::time_point begin) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); }

} // namespace
} // namespace device

std::vector<std::string_view> bench_shapes() { return device::synthetic_shapes(); }
std::vector<std::string_view> bench_formats() { return device::synthetic_formats(); }

Result<void> bench_device(const EngineOptions& engine, const DeviceBench& wanted, const std::function<void(const BenchLine&)>& on_line) {
    const bool is_random = !wanted.shape.empty();
    const auto begin = std::chrono::steady_clock::now();
    const Model model = TRY(is_random ? device::synthetic_model(wanted.shape, wanted.format) : load_model(engine, Contents::Read));
    const double opened = device::seconds_since(begin);
    const DeviceBench bench = TRY(device::fitted(wanted, model));
    const std::shared_ptr<device::Device> device = engine.opened_device != nullptr ? engine.opened_device : TRY(open_device(engine.device));
    if (device == nullptr) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no card", engine.device)};
    }
    const Ceilings ceilings = TRY(device::measure_ceilings(*device, bench, on_line));
    device::DeviceWeights weights;
    if (is_random) {
        weights = TRY(device::random_weights(*device, model, {}));
    } else {
        ThreadPool pool(engine.threads);
        const auto load = std::chrono::steady_clock::now();
        weights = TRY(device::load_weights(*device, pool, model, {}, engine.on_progress));
        const double seconds = opened + device::seconds_since(load);
        const Work work{.bytes = static_cast<double>(weights.memory.size_bytes())};
        on_line(time_line("load", {.median = seconds, .p99 = seconds, .rounds = 1}, work, Bound::Bytes, {.bytes = ceilings.uploaded_bytes}));
    }
    device::Bench benched(*device, model, std::move(weights), bench, ceilings, on_line);
    TRY(benched.create(engine.kv_format, {.exact = engine.exact}));
    TRY(benched.kernels());
    return benched.whole();
}

} // namespace handeye
