// SPDX-License-Identifier: Apache-2.0
// Times a prompt of text, new tokens after it, and a prompt with a picture, part by part, beside what the machine would allow by its own measure.
#include "engine/engine.h"
#include "engine/kernels/machine_peak.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/work.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <sys/resource.h>

namespace handeye {
namespace {

constexpr int kRepeats = 5;                       // at most, of which the median is told
constexpr Duration kLongEnough = std::chrono::seconds(60); // a large model is measured once or twice
constexpr int kTextTokens = 512;
constexpr int kNewTokens = 64;                    // about one action
constexpr std::size_t kMemoryBytes = 512U << 20U; // beyond any cache

struct Times { // seconds
    std::vector<double> first_token, preprocess, vision, picture_prefill, text_prefill, token;
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

ChatRequest request_of(std::vector<Part> parts) {
    Message message{.role = Role::User, .parts = std::move(parts)};
    return {.messages = {std::move(message)}};
}

ChatRequest picture_request(const Image& picture) {
    return request_of({TextPart{"# Task\nSet Name to Ada, Email to ada and City to Rome, tick Remember and click Save.\n# Steps done\n"
                                "1 left_click Name\n2 type Ada\n3 left_click Email\n4 type ada\n# Screen\n"},
                       ImagePart{picture}});
}

// Of exactly kTextTokens tokens: a longer one, cut.
Result<Prompt> text_prompt(const EngineCore& core) {
    std::string text;
    for (int i = 0; i < kTextTokens; ++i) {
        text += fmt::format("{} ", i);
    }
    Prompt prompt = TRY(build_prompt(core.prompt_context(), request_of({TextPart{std::move(text)}}), TypedControlTokens::StayText));
    prompt.ids.resize(kTextTokens);
    prompt.sources.resize(kTextTokens);
    prompt.positions.resize(kTextTokens);
    return prompt;
}

TokenId largest(std::span<const float> logits) { return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()); }

Result<TokenId> greedy(const LogitRow& row) {
    if (row.best() != nullptr && row.best()->found > 0) {
        return row.best()->best[0].id;
    }
    return largest(TRY(row.whole()));
}

Result<void> time_text(EngineCore& core, const Prompt& prompt, Times& times) {
    core.forget_all();
    GenerationTimings parts;
    const TimePoint begin = engine_now();
    const auto prefill = TRY(core.prefill(prompt, parts));
    times.text_prefill.push_back(seconds(engine_now() - begin));
    TokenId best = largest(prefill.logits);
    for (int i = 0; i < kNewTokens; ++i) {
        const TimePoint token = engine_now();
        const LogitRow row = TRY(core.feed_row(std::array{best}, prompt.position_offset));
        best = TRY(greedy(row));
        times.token.push_back(seconds(engine_now() - token));
    }
    return {};
}

Result<void> time_picture(EngineCore& core, const ChatRequest& request, Times& times) {
    core.forget_all();
    GenerationTimings parts;
    const TimePoint begin = engine_now();
    const Prompt prompt = TRY(build_prompt(core.prompt_context(), request, TypedControlTokens::StayText));
    (void)TRY(core.prefill(prompt, parts));
    times.first_token.push_back(seconds(engine_now() - begin));
    times.preprocess.push_back(seconds(parts.preprocess));
    times.vision.push_back(seconds(parts.vision));
    times.picture_prefill.push_back(seconds(parts.prefill));
    return {};
}

// Once without keeping the times, for caches and page tables, then up to kRepeats times; all of it only while it is not long.
template <typename Once>
Result<void> repeat(Times& times, const Once& once) {
    const TimePoint begin = engine_now();
    Times warm_up = times;
    TRY(once(warm_up));
    if (engine_now() - begin > kLongEnough) {
        times = std::move(warm_up);
        return {};
    }
    for (int i = 0; i == 0 || (i < kRepeats && engine_now() - begin < kLongEnough); ++i) {
        TRY(once(times));
    }
    return {};
}

double peak_memory_bytes() { // of this process so far, mapped files included
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_maxrss) * 1024;
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
    const TimePoint begin = engine_now();
    const std::unique_ptr<EngineCore> core = TRY(EngineCore::open(options));
    const double load = seconds(engine_now() - begin);
    const Model& model = core->model();
    const DecoderConfig& decoder = model.decoder.config;
    if (!image.is_empty() && !model.vision) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} has no vision tower: it looks at no picture", options.model_dir.string())};
    }

    Times times;
    const Prompt text = TRY(text_prompt(*core));
    TRY(repeat(times, [&](Times& to) { return time_text(*core, text, to); }));
    const ChatRequest request = picture_request(image.is_empty() ? TRY(synthetic_image()) : image);
    if (model.vision) {
        TRY(repeat(times, [&](Times& to) { return time_picture(*core, request, to); }));
    }
    const double used_bytes = peak_memory_bytes(); // what measuring the machine takes is not the model's

    const double token_bytes = decode_bytes(model.decoder, kTextTokens + kNewTokens / 2.0, options.kv_format);
    const double memory = measure_read_bandwidth(core->pool(), kMemoryBytes);
    // Weights that fit in a cache are read from there: the ceiling is the faster of the two at the size one token reads.
    const double resident = token_bytes < kMemoryBytes ? measure_read_bandwidth(core->pool(), static_cast<std::size_t>(token_bytes)) : memory;
    const double peak = measure_fma_peak(core->pool());
    const std::string peak_name = fmt::format("FMA peak {:.0f} GFLOP/s", peak / 1e9);
    const double bandwidth = std::max(memory, resident);
    const std::string read_name = resident > 1.2 * memory
                                      ? fmt::format("cached read {:.1f} GB/s ({:.1f} MB a token)", resident / 1e9, token_bytes / 1e6)
                                      : fmt::format("memory read {:.1f} GB/s ({:.1f} MB a token)", memory / 1e9, token_bytes / 1e6);
    std::vector<BenchLine> lines{
        rate("memory_read", memory / 1e9, "GB/s", 0, ""),
        rate("cached_read", resident / 1e9, "GB/s", 0, ""),
        rate("fma_peak", peak / 1e9, "GFLOP/s", 0, ""),
        duration("load", load, 0, ""),
        rate("peak_memory", used_bytes / 1e9, "GB", 0, ""),
        rate("prefill", kTextTokens / median(times.text_prefill), "tokens/s", kTextTokens * peak / decoder_flop(decoder, kTextTokens, 0), peak_name),
        rate("decode", 1 / median(times.token), "tokens/s", bandwidth / token_bytes, read_name),
    };
    if (model.vision) {
        const Prompt prompt = TRY(build_prompt(core->prompt_context(), request, TypedControlTokens::StayText));
        const GridThw grid = prompt.images.front().grid;
        const auto tokens = static_cast<double>(prompt.ids.size());
        const double flop = decoder_flop(decoder, tokens, 0), tower_flop = vision_flop(model.vision->config, {grid.t, grid.h, grid.w});
        lines.push_back(duration("first_token", median(times.first_token), (flop + tower_flop) / peak, peak_name));
        lines.push_back(duration("preprocess", median(times.preprocess), 0, ""));
        lines.push_back(duration("vision", median(times.vision), tower_flop / peak, peak_name));
        lines.push_back(rate("prefill_with_picture", tokens / median(times.picture_prefill), "tokens/s", tokens * peak / flop, peak_name));
    }
    return lines;
}

} // namespace handeye
