// SPDX-License-Identifier: Apache-2.0
// Times one prompt with a picture, part by part, beside what the machine would allow by its own measure.
#include "engine/engine.h"
#include "engine/kernels/machine_peak.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/work.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr int kRepeats = 5;                      // of which the median is told
constexpr int kNewTokens = 60;                   // about one action
constexpr std::size_t kMemoryBytes = 512U << 20U; // beyond any cache

struct Times {
    std::vector<double> first_token, preprocess, vision, prefill, token; // seconds
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

// A dialog-like picture: flat areas and edges. The cost does not depend on what it shows.
Result<Image> synthetic_image() {
    constexpr int kWidth = 336;
    constexpr int kHeight = 224;
    std::vector<std::uint8_t> pixels;
    pixels.reserve(std::size_t{kWidth} * kHeight * 3);
    for (int y = 0; y < kHeight; ++y) {
        for (int x = 0; x < kWidth; ++x) {
            const auto value = static_cast<std::uint8_t>((x / 24 + y / 16) % 2 != 0 ? 240 : 60 + x / 4);
            pixels.insert(pixels.end(), {value, value, static_cast<std::uint8_t>(255 - value)});
        }
    }
    return Image::from_pixels({kWidth, kHeight}, PixelFormat::Rgb, std::move(pixels));
}

ChatRequest bench_request(const Image& image) {
    Message message{.role = Role::User, .parts = {}};
    message.parts.emplace_back(
        TextPart{"# Task\nSet Name to Ada, Email to ada and City to Rome, tick Remember and click Save.\n# Steps done\n"
                 "1 left_click Name\n2 type Ada\n3 left_click Email\n4 type ada\n# Screen\n"});
    message.parts.emplace_back(ImagePart{image});
    return {.messages = {std::move(message)}};
}

Result<void> time_once(EngineCore& core, const ChatRequest& request, Times& times) {
    core.forget_all();
    GenerationTimings parts;
    const TimePoint begin = engine_now();
    const Prompt prompt = TRY(build_prompt(core.prompt_context(), request, TypedControlTokens::StayText));
    const auto prefill = TRY(core.prefill(prompt, parts));
    const TimePoint decoding = engine_now();
    times.first_token.push_back(seconds(decoding - begin));
    times.preprocess.push_back(seconds(parts.preprocess));
    times.vision.push_back(seconds(parts.vision));
    times.prefill.push_back(seconds(parts.prefill));
    std::span<const float> logits = prefill.logits;
    for (int i = 0; i < kNewTokens; ++i) {
        const TimePoint token = engine_now();
        const auto best = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
        logits = TRY(core.feed(std::array{best}, prompt.position_offset));
        times.token.push_back(seconds(engine_now() - token));
    }
    return {};
}

BenchLine rate(std::string name, double value, std::string unit, double ceiling, std::string ceiling_name) {
    return {.name = std::move(name), .value = value, .unit = std::move(unit), .ceiling = ceiling,
            .ceiling_name = std::move(ceiling_name), .share = ceiling > 0 ? value / ceiling : 0};
}

BenchLine duration(std::string name, double seconds_taken, double seconds_least, std::string ceiling_name) {
    return {.name = std::move(name), .value = seconds_taken * 1e3, .unit = "ms", .ceiling = seconds_least * 1e3,
            .ceiling_name = std::move(ceiling_name), .share = seconds_taken > 0 ? seconds_least / seconds_taken : 0};
}

} // namespace

Result<std::vector<BenchLine>> bench_model(const EngineOptions& options, const Image& image) {
    const std::unique_ptr<EngineCore> core = TRY(EngineCore::open(options));
    const ChatRequest request = bench_request(image.is_empty() ? TRY(synthetic_image()) : image);
    const Prompt prompt = TRY(build_prompt(core->prompt_context(), request, TypedControlTokens::StayText));
    const auto tokens = static_cast<double>(prompt.ids.size());
    const GridThw grid = prompt.images.front().grid;
    const Model& model = core->model();

    const double token_bytes = decode_bytes(model.decoder, tokens + kNewTokens / 2.0, options.kv_format);
    const double memory = measure_read_bandwidth(core->pool(), kMemoryBytes);
    // Weights that fit in a cache are read from there: the ceiling is the faster of the two at the size one token reads.
    const double resident = measure_read_bandwidth(core->pool(), static_cast<std::size_t>(token_bytes));
    const double peak = measure_fma_peak(core->pool());

    Times times;
    Times warm_up;
    TRY(time_once(*core, request, warm_up));
    for (int i = 0; i < kRepeats; ++i) {
        TRY(time_once(*core, request, times));
    }
    const double prefill_flop = decoder_flop(model.decoder.config, tokens, 0);
    const double tower_flop = vision_flop(model.vision->config, {grid.t, grid.h, grid.w});
    const std::string peak_name = fmt::format("FMA peak {:.0f} GFLOP/s", peak / 1e9);
    const double bandwidth = std::max(memory, resident);
    const std::string read_name = resident > 1.2 * memory
                                      ? fmt::format("cached read {:.1f} GB/s ({:.1f} MB a token)", resident / 1e9, token_bytes / 1e6)
                                      : fmt::format("memory read {:.1f} GB/s ({:.1f} MB a token)", memory / 1e9, token_bytes / 1e6);
    const double prefill = median(times.prefill);
    return std::vector<BenchLine>{
        rate("memory_read", memory / 1e9, "GB/s", 0, ""),
        rate("cached_read", resident / 1e9, "GB/s", 0, ""),
        rate("fma_peak", peak / 1e9, "GFLOP/s", 0, ""),
        duration("first_token", median(times.first_token), (prefill_flop + tower_flop) / peak, peak_name),
        duration("preprocess", median(times.preprocess), 0, ""),
        duration("vision", median(times.vision), tower_flop / peak, peak_name),
        rate("prefill", tokens / prefill, "tokens/s", tokens * peak / prefill_flop, peak_name),
        rate("decode", 1 / median(times.token), "tokens/s", bandwidth / token_bytes, read_name),
    };
}

} // namespace handeye
