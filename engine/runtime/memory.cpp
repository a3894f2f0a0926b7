// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/memory.h"

#include "base/log.h"
#include "engine/runtime/model_parts.h"
#include "engine/runtime/timeline.h"

#include <algorithm>
#include <numeric>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kHugePage = 2 << 20;           // what LargeVector rounds to
constexpr std::int64_t kThreadBytes = 2 << 20;        // a kernel thread's panels, scores and touched stack
constexpr std::int64_t kReservedPerThread = 72 << 20; // address space: 8 MiB of stack and an arena of the allocator

// What the decoder's scratch grows to for `rows` rows at once, and the logits of one.
std::int64_t prefill_bytes(const DecoderConfig& c, std::int64_t rows) {
    const std::int64_t q = std::int64_t{c.heads} * c.head_dim;
    const std::int64_t kv = std::int64_t{c.kv_heads} * c.head_dim;
    const std::int64_t ffn = std::max({c.ffn, c.experts.shared, c.experts.ffn});
    // The residual stream, normed, projected; q and attended; k and v; gate and up; cos and sin.
    std::int64_t floats = rows * (3 * std::int64_t{c.hidden} + 2 * q + 2 * kv + 2 * ffn + c.rotary_dims);
    floats += rows * std::max({ffn, q, std::int64_t{c.hidden}}) * 5 / 8; // one product's input as whole numbers, with their sums and scales
    if (c.experts.count > 0) {
        floats += rows * (c.experts.count + 2 * std::int64_t{c.hidden}); // scores, gathered rows, an expert's output
    }
    return kFloat * (floats + 4 * std::int64_t{c.vocabulary}); // logits, those of the prompt, and a sampler's candidates
}

// One pass of the vision tower: its input rows, its scratch, its result.
std::int64_t vision_bytes(const VisionConfig& c, VisionGrid grid) {
    const std::int64_t patches = std::int64_t{grid.t} * grid.h * grid.w;
    const std::int64_t merged = patches / (std::int64_t{c.merge_size} * c.merge_size);
    const std::int64_t x = std::max(patches * c.hidden, merged * c.out_hidden);
    const std::int64_t inner = std::max(patches * c.mlp, merged * c.merger_mlp);
    const std::int64_t floats = x + patches * c.hidden + 3 * patches * c.hidden + x + 2 * inner + patches * c.head_dim + merged * c.out_hidden;
    const std::int64_t input = (patches * c.patch_floats() * kFloat + kHugePage - 1) / kHugePage * kHugePage;
    return input + kFloat * floats;
}

// Pixels as they came (4 bytes) and as they are resized (3), and the embeddings of those that are kept.
std::int64_t picture_bytes(const VisionConfig& c, const MemoryUse& use, VisionGrid grid) {
    const std::int64_t merged = std::int64_t{grid.t} * grid.h * grid.w / (std::int64_t{c.merge_size} * c.merge_size);
    const std::int64_t resized = std::int64_t{grid.h} * grid.w * c.patch_size * c.patch_size * 3;
    const std::int64_t kept = std::min(use.images * merged * c.out_hidden * kFloat, std::max(kImageCacheBytes, merged * c.out_hidden * kFloat));
    return use.images * std::int64_t{use.image.width_px} * use.image.height_px * 4 + resized + kept;
}

enum class Where { InFile, Packed };

// Packed while loading: memory of its own instead of the file's.
std::int64_t weight_bytes(const Model& model, Where where) {
    std::int64_t bytes = where == Where::InFile ? model.weights.file_bytes() - model.weights.size_bytes() : 0; // headers
    for (const ModuleRecord& module : model.modules) {
        bytes += module.is_packed_here == (where == Where::Packed) ? module.bytes : 0;
    }
    return bytes;
}

// What the processor reads of a model whose last layers lie on a device: the embedding and the first layers.
std::int64_t bytes_here(const Model& model, const device::Placement& elsewhere) {
    double bytes = model.decoder.embed.size_bytes();
    const auto mlp = [&](const Mlp& w) { bytes += w.gate.size_bytes() + w.up.size_bytes() + w.down.size_bytes(); };
    for (std::size_t i = 0; i < static_cast<std::size_t>(elsewhere.first_layer); ++i) {
        const DecoderLayer& layer = model.decoder.layers[i];
        for (const WeightMatrix* w : {&layer.q, &layer.k, &layer.v, &layer.o}) {
            bytes += w->size_bytes();
        }
        mlp(layer.mlp);
        std::for_each(layer.experts.begin(), layer.experts.end(), mlp);
    }
    return static_cast<std::int64_t>(bytes);
}

std::int64_t adapter_bytes(const Model& model) {
    return std::accumulate(model.adapters.begin(), model.adapters.end(), std::int64_t{0}, [](std::int64_t sum, const AppliedAdapter& adapter) { return sum + adapter.bytes; });
}

} // namespace

std::vector<MemoryPart> memory_parts(const Model& model, const AlreadyThere& there, const MemoryUse& use, VisionGrid grid) {
    const DecoderConfig& c = model.decoder.config;
    const int layers = use.elsewhere ? use.elsewhere->first_layer : c.layers; // computed here
    std::vector<MemoryPart> parts = {
        {"program", there.program_bytes, true},
        {"tokenizer and tables", there.opened_bytes, true},
        {"weights", use.elsewhere ? bytes_here(model, *use.elsewhere) : weight_bytes(model, Where::InFile), true},
        {"cache", use.context_tokens * kv_bytes_per_token(c, use.kv_format) * layers / c.layers},
        {"prefill", prefill_bytes(c, std::min(kPrefillChunk + kernels::kFewRows, use.context_tokens)) + use.threads * kThreadBytes},
    };
    if (const std::int64_t packed = weight_bytes(model, Where::Packed); packed > 0) {
        parts.push_back({"weights, packed while loading", packed});
    }
    if (const std::int64_t adapters = adapter_bytes(model); adapters > 0) {
        parts.push_back({"adapters", adapters, true});
    }
    if (model.vision && use.images > 0) {
        if (!use.elsewhere || !use.elsewhere->has_vision) {
            parts.push_back({"vision tower", vision_bytes(model.vision->config, grid)});
        }
        parts.push_back({"pictures", picture_bytes(model.vision->config, use, grid)});
    }
    return parts;
}

std::int64_t total_bytes(const std::vector<MemoryPart>& parts) {
    return std::accumulate(parts.begin(), parts.end(), std::int64_t{0}, [](std::int64_t sum, const MemoryPart& part) { return sum + part.bytes; });
}

std::vector<MemoryFit> fit_memory(const std::vector<MemoryPart>& parts, const MachineMemory& machine, int threads) {
    const std::int64_t total = total_bytes(parts);
    std::vector<MemoryFit> fits;
    for (const MemoryLimit& limit : machine.limits) {
        // What the process has counts on both sides: `program` and what was opened are part of the total.
        MemoryFit fit{.limit = limit.name, .needed_bytes = total, .available_bytes = limit.available_bytes + machine.resident_bytes};
        if (limit.is_address_space) {
            const auto is_to_come = [](std::int64_t sum, const MemoryPart& part) { return sum + (part.is_mapped ? 0 : part.bytes); };
            fit.needed_bytes = machine.address_space_bytes + std::accumulate(parts.begin(), parts.end(), threads * kReservedPerThread, is_to_come);
            fit.available_bytes = limit.available_bytes + machine.address_space_bytes;
        }
        fit.shortfall_bytes = std::max<std::int64_t>(0, fit.needed_bytes - fit.available_bytes);
        fits.push_back(std::move(fit));
    }
    return fits;
}

const MemoryFit* worst_shortfall(const std::vector<MemoryFit>& fits) {
    const auto worst = std::max_element(fits.begin(), fits.end(), [](const auto& a, const auto& b) { return a.shortfall_bytes < b.shortfall_bytes; });
    return worst == fits.end() || worst->shortfall_bytes == 0 ? nullptr : &*worst;
}

Error does_not_fit(const MemoryFit& fit) {
    return {ErrorCode::OutOfMemory, fmt::format("the model needs {} bytes of memory, {} leaves {}: {} bytes too little (`handeye models plan` shows the parts)",
                                                fit.needed_bytes, fit.limit, fit.available_bytes, fit.shortfall_bytes)};
}

Result<VisionGrid> picture_grid(const Model& model, const PreprocessConfig& rules, Size image) {
    if (!model.vision) {
        return VisionGrid{};
    }
    const Size resized = TRY(smart_resize(rules.temporal_patch_size, image, rules));
    return VisionGrid{.t = 1, .h = resized.height_px / rules.patch_size, .w = resized.width_px / rules.patch_size};
}

Result<Prospect> look_ahead(const EngineOptions& options) {
    std::error_code ignored;
    const std::filesystem::path dir = std::filesystem::is_directory(options.model_dir, ignored) ? options.model_dir : options.model_dir.parent_path();
    const MachineMemory before = TRY(read_machine_memory());
    Model model = TRY(load_model(options, Contents::HeadersOnly));
    Tokenizer tokenizer = TRY(read_tokenizer(dir, model));
    PreprocessConfig image;
    if (model.vision) {
        image = TRY(read_preprocess(dir / "preprocessor_config.json", image, model.vision->config));
    }
    const std::int64_t limit = model.decoder.config.context_max;
    if (options.context_tokens > limit) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a context of {} tokens was asked for, the model has {}", options.context_tokens, limit)};
    }
    const MachineMemory after = TRY(read_machine_memory());
    const AlreadyThere there{.program_bytes = before.resident_bytes, .opened_bytes = std::max<std::int64_t>(0, after.resident_bytes - before.resident_bytes)};
    const std::int64_t context = options.context_tokens > 0 ? options.context_tokens : std::min(limit, kContextDefault);
    const int threads = options.threads > 0 ? options.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    return Prospect{.model = std::move(model), .tokenizer = std::move(tokenizer), .image_config = image, .there = there, .context_tokens = context, .threads = threads, .kv_format = options.kv_format};
}

Result<device::DevicePlan> plan_on_device(const device::Device& device, const Prospect& prospect, const EngineOptions& options) {
    return device::plan_device(device, prospect.model,
                               {.memory_bytes = options.gpu_memory_bytes, .context_tokens = prospect.context_tokens,
                                .sequences = std::clamp(options.sequences_max, 1, static_cast<int>(kernels::kFewRows)), .kv_format = options.kv_format,
                                .picture = TRY(picture_grid(prospect.model, prospect.image_config, kPlannedImage)), .exact = options.exact});
}

Result<std::int64_t> context_that_fits(const Prospect& prospect, const MemoryUse& wanted, Shrink shrink) {
    const Model& model = prospect.model;
    const VisionGrid grid = TRY(picture_grid(model, prospect.image_config, wanted.image));
    const MachineMemory machine = TRY(read_machine_memory());
    const auto fits = fit_memory(memory_parts(model, prospect.there, wanted, grid), machine, wanted.threads);
    const MemoryFit* worst = worst_shortfall(fits);
    if (worst == nullptr) {
        return wanted.context_tokens;
    }
    const std::int64_t per_token = kv_bytes_per_token(model.decoder.config, wanted.kv_format);
    const std::int64_t less = wanted.context_tokens - (worst->shortfall_bytes + per_token - 1) / per_token;
    if (shrink == Shrink::Never || less < std::min(kContextLeast, wanted.context_tokens)) {
        return does_not_fit(*worst);
    }
    log::warn("engine", fmt::format("the context is {} tokens, not {}: {} leaves {} bytes, and {} would be needed", less, wanted.context_tokens,
                                    worst->limit, worst->available_bytes, worst->needed_bytes));
    return less;
}

} // namespace handeye
