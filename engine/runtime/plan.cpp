// SPDX-License-Identifier: Apache-2.0
// What loading and one full prompt take: reckoned, and measured.
#include "engine/checkpoints.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/memory.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

std::int64_t image_tokens(const Model& model, VisionGrid grid) {
    return model.vision ? std::int64_t{grid.t} * grid.h * grid.w / (std::int64_t{model.vision->config.merge_size} * model.vision->config.merge_size) : 0;
}

// One byte of each page that the graph may read, so that it counts as this process's.
void touch_weights(const Model& model) {
    constexpr std::size_t kPage = 4096;
    std::set<std::string, std::less<>> skipped(model.unused_tensors.begin(), model.unused_tensors.end());
    for (const ModuleRecord& module : model.modules) {
        if (module.is_packed_here) {
            skipped.insert(module.name + ".weight");
        }
    }
    unsigned sum = 0;
    for (const auto& [name, view] : model.weights.tensors()) {
        if (skipped.contains(name)) {
            continue;
        }
        for (std::size_t at = 0; at < view.size_bytes(); at += kPage) {
            sum += std::to_integer<unsigned>(view.data[at]);
        }
    }
    volatile unsigned keep = sum; // the reads must happen
    static_cast<void>(keep);
}

Result<Image> striped_image(Size size, int shift) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.width_px) * static_cast<std::size_t>(size.height_px) * 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<std::uint8_t>(i / 7 + static_cast<std::size_t>(shift) * 31);
    }
    return Image::from_pixels(size, PixelFormat::Rgb, std::move(pixels));
}

Result<void> fill_context(EngineCore& core, const PlanOptions& options) {
    ChatRequest request;
    Message message{.role = Role::User, .parts = {}};
    for (int i = 0; core.model().vision && i < options.images; ++i) {
        message.parts.emplace_back(ImagePart{TRY(striped_image(options.image, i))});
    }
    message.parts.emplace_back(TextPart{"a"});
    request.messages.push_back(std::move(message));
    Prompt prompt = TRY(build_prompt(core.prompt_context(), request, TypedControlTokens::StayText));
    while (static_cast<std::int64_t>(prompt.ids.size()) + 1 < core.timeline().capacity()) {
        const auto at = static_cast<std::int32_t>(prompt.ids.size()) + prompt.position_offset;
        prompt.ids.push_back(prompt.ids.back());
        prompt.sources.push_back({});
        prompt.positions.push_back({at, at, at});
    }
    GenerationTimings timings;
    const auto filled = TRY(core.prefill(prompt, timings));
    const auto best = static_cast<TokenId>(std::max_element(filled.logits.begin(), filled.logits.end()) - filled.logits.begin());
    TRY(core.feed(std::array{best}, prompt.position_offset));
    return {};
}

} // namespace

Result<PlanReport> plan_model(const PlanOptions& options) {
    const Prospect prospect = TRY(look_ahead(options.engine));
    const VisionGrid grid = TRY(picture_grid(prospect.model, prospect.image_config, options.image));
    PlanReport report{.context_tokens = prospect.context_tokens, .prompt_image_tokens = options.images * image_tokens(prospect.model, grid)};
    if (report.prompt_image_tokens >= report.context_tokens) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} pictures of {}x{} are {} tokens, the context has {}", options.images, options.image.width_px,
                                                             options.image.height_px, report.prompt_image_tokens, report.context_tokens)};
    }
    MemoryUse use{.context_tokens = report.context_tokens, .images = options.images, .image = options.image, .threads = prospect.threads, .kv_format = prospect.kv_format};
    const EngineOptions& engine = options.engine;
    if (const auto device = engine.opened_device != nullptr ? engine.opened_device : TRY(open_device(engine.device)); device != nullptr) {
        const device::DevicePlan plan = TRY(plan_on_device(*device, prospect, engine));
        use.elsewhere = plan.placement;
        report.on_device = OnDevice{.text = plan.describe(device->info()), .layers = plan.layers - plan.placement.first_layer, .has_vision = plan.placement.has_vision,
                                    .weights_bytes = plan.weights_bytes, .cache_bytes = plan.cache_bytes, .work_bytes = plan.space_bytes, .limit_bytes = plan.limit_bytes};
    }
    report.parts = memory_parts(prospect.model, prospect.there, use, grid);
    report.total_bytes = total_bytes(report.parts);
    report.fits = fit_memory(report.parts, TRY(read_machine_memory()), use.threads);
    return report;
}

Result<PlanReport> measure_model(const PlanOptions& options) {
    PlanReport report = TRY(plan_model(options));
    EngineOptions engine = options.engine;
    engine.context_tokens = static_cast<int>(report.context_tokens);
    const TimePoint begin = engine_now();
    const std::unique_ptr<EngineCore> core = TRY(EngineCore::open(engine));
    const TimePoint loaded = engine_now();
    TRY(fill_context(*core, options));
    report.load_seconds = std::chrono::duration<double>(loaded - begin).count();
    report.prompt_seconds = std::chrono::duration<double>(engine_now() - loaded).count();
    touch_weights(core->model());
    report.measured_bytes = TRY(read_machine_memory()).peak_resident_bytes;
    return report;
}

} // namespace handeye
