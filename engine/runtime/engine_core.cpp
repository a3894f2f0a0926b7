// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/engine_core.h"

#include "engine/models/vision_tower.h"
#include "engine/runtime/memory.h"
#include "engine/runtime/model_parts.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

// The template writes names, the config numbers: a checkpoint where they differ would place pictures nowhere.
Result<void> check_token(const Tokenizer& tokenizer, std::string_view name, TokenId& id) {
    const std::optional<TokenId> named = tokenizer.added_token(name);
    if (named && id >= 0 && *named != id) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("config.json says {} is {}, tokenizer.json says {}", name, id, *named)};
    }
    if (named) {
        id = *named;
    }
    return {};
}

Result<void> check_tokens(const Tokenizer& tokenizer, Model& model) {
    ImageTokens& ids = model.image_tokens;
    TRY(check_token(tokenizer, "<|image|>", ids.image));
    TRY(check_token(tokenizer, "<|video|>", ids.video));
    TRY(check_token(tokenizer, "<|begin_of_image|>", ids.image_start));
    TRY(check_token(tokenizer, "<|end_of_image|>", ids.image_end));
    TRY(check_token(tokenizer, "<|begin_of_video|>", ids.video_start));
    TRY(check_token(tokenizer, "<|end_of_video|>", ids.video_end));
    return {};
}

Result<void> check_vocabulary(const Tokenizer& tokenizer, const Model& model) {
    const int rows = model.decoder.config.vocabulary;
    if (tokenizer.vocabulary_size() > rows) {
        return Error{ErrorCode::InvalidArgument, fmt::format("tokenizer.json has ids up to {}, the model {} rows",
                                                             tokenizer.vocabulary_size() - 1, rows)};
    }
    return {};
}

} // namespace

TimePoint engine_now() { return SystemClock().now(); }

EngineCore::EngineCore(Model model, Tokenizer tokenizer, ChatTemplate chat_template, Timeline timeline, int threads)
    : model_(std::move(model)), tokenizer_(std::move(tokenizer)), template_(std::move(chat_template)),
      timeline_(std::move(timeline)), pool_(threads) {}

Result<std::unique_ptr<EngineCore>> EngineCore::open(const EngineOptions& options) {
    std::error_code ignored;
    if (!fs::exists(options.model_dir, ignored)) {
        return Error{ErrorCode::NotFound, fmt::format("there is no model {}", options.model_dir.string())};
    }
    if (options.threads < 0 || options.context_tokens < 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} threads and {} context tokens: neither may be negative",
                                                             options.threads, options.context_tokens)};
    }
    const fs::path dir = fs::is_directory(options.model_dir, ignored) ? options.model_dir : options.model_dir.parent_path();
    Prospect prospect = TRY(look_ahead(options));
    Tokenizer tokenizer = std::move(prospect.tokenizer);
    const bool may_shrink = options.context_tokens == 0;
    const std::int64_t capacity = TRY(context_that_fits(prospect, {.context_tokens = prospect.context_tokens, .threads = prospect.threads},
                                                        may_shrink ? Shrink::WhenNeeded : Shrink::Never));
    prospect.model = {}; // its mappings would count twice
    Model model = TRY(load_model(options, Contents::Read));
    ChatTemplate chat_template = TRY(read_template(dir, model));
    PreprocessConfig video;
    video.max_volume = 47'040'000;
    if (model.vision) {
        TRY(check_tokens(tokenizer, model));
        video = TRY(read_preprocess(dir / "video_preprocessor_config.json", video, model.vision->config));
    }
    TRY(check_vocabulary(tokenizer, model));
    Timeline timeline = TRY(Timeline::create(model.decoder.config, capacity));
    std::unique_ptr<EngineCore> core(new EngineCore(std::move(model), std::move(tokenizer), std::move(chat_template),
                                                    std::move(timeline), options.threads));
    core->image_config_ = prospect.image_config;
    core->video_config_ = video;
    return core;
}

Result<std::shared_ptr<const std::vector<float>>> EngineCore::embed_image(const PromptImage& image, std::stop_token stop,
                                                                          GenerationTimings& timings, const Tap& tap) {
    const auto cached = std::find_if(image_cache_.begin(), image_cache_.end(),
                                     [&](const CachedImage& c) { return c.content == image.content; });
    if (cached != image_cache_.end() && !tap) {
        std::rotate(cached, cached + 1, image_cache_.end());
        return image_cache_.back().rows;
    }
    const TimePoint begin = engine_now();
    const Patches patches = TRY(patches_of(prompt_context(), image));
    const TimePoint ready = engine_now();
    timings.preprocess += ready - begin;
    const std::int64_t rows = patches.grid.patches();
    const std::int64_t cols = static_cast<std::int64_t>(patches.rows.size()) / rows;
    std::vector<float> values = TRY(run_vision(*model_.vision, pool_, {patches.rows.data(), rows, cols, cols},
                                               {patches.grid.t, patches.grid.h, patches.grid.w}, stop, tap));
    timings.vision += engine_now() - ready;
    auto shared = std::make_shared<const std::vector<float>>(std::move(values));
    if (image_cache_.size() == kImagesKept) {
        image_cache_.erase(image_cache_.begin());
    }
    image_cache_.push_back({image.content, shared});
    return shared;
}

// Rows of `hidden` that stand for pixels are overwritten with their picture's embeddings.
Result<void> EngineCore::place_images(const Prompt& prompt, std::int64_t first, Matrix hidden, std::stop_token stop,
                                      GenerationTimings& timings, const Tap& tap) {
    std::int32_t current = -1;
    std::shared_ptr<const std::vector<float>> rows;
    for (std::int64_t i = 0; i < hidden.rows; ++i) {
        const TokenSource source = prompt.sources[static_cast<std::size_t>(first + i)];
        if (source.image < 0) {
            continue;
        }
        if (source.image != current) {
            current = source.image;
            rows = TRY(embed_image(prompt.images[static_cast<std::size_t>(current)], stop, timings, tap));
        }
        std::memcpy(hidden.row(i), rows->data() + source.row * hidden.cols,
                    static_cast<std::size_t>(hidden.cols) * sizeof(float));
    }
    return {};
}

Result<EngineCore::Prefill> EngineCore::prefill(const Prompt& prompt, std::stop_token stop, GenerationTimings& timings,
                                                const PrefillOptions& options) {
    const auto count = static_cast<std::int64_t>(prompt.ids.size());
    if (count >= timeline_.capacity()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a prompt of {} tokens in a context of {}", count,
                                                           timeline_.capacity())};
    }
    std::vector<std::int64_t> wanted = options.logit_rows;
    if (wanted.empty()) {
        wanted.push_back(count - 1);
    }
    const auto vocabulary = static_cast<std::int64_t>(model_.decoder.config.vocabulary);
    Prefill result;
    result.reused = std::min(timeline_.common_prefix(prompt), wanted.front());
    result.logits.resize(wanted.size() * static_cast<std::size_t>(vocabulary));
    timeline_.truncate(result.reused);
    std::size_t next = 0;
    for (std::int64_t first = result.reused; first < count; first += kPrefillChunk) {
        const std::int64_t rows = std::min(kPrefillChunk, count - first);
        const auto at = static_cast<std::size_t>(first);
        const Matrix hidden = hidden_memory_.matrix(rows, model_.decoder.config.hidden);
        embed_tokens(model_.decoder, std::span(prompt.ids).subspan(at, static_cast<std::size_t>(rows)), hidden);
        TRY(place_images(prompt, first, hidden, stop, timings, options.tap));
        const TimePoint begin = engine_now();
        const DecoderStep step{.positions = std::span(prompt.positions).subspan(at, static_cast<std::size_t>(rows)),
                               .kv = timeline_.view(), .past = first};
        if (run_decoder(model_.decoder, pool_, scratch_, step, hidden, stop, options.tap) == Finished::Stopped) {
            return Error{ErrorCode::Cancelled, fmt::format("stopped after {} of {} prompt tokens", first, count)};
        }
        timeline_.append(prompt, first, rows);
        for (; next < wanted.size() && wanted[next] < first + rows; ++next) {
            run_head(model_.decoder, pool_, scratch_, hidden.rows_from(wanted[next] - first, 1),
                     {result.logits.data() + static_cast<std::int64_t>(next) * vocabulary, 1, vocabulary, vocabulary});
        }
        timings.prefill += engine_now() - begin;
    }
    return result;
}

Result<std::span<float>> EngineCore::feed(std::span<const TokenId> ids, std::int32_t position_offset,
                                          std::stop_token stop) {
    const auto rows = static_cast<std::int64_t>(ids.size());
    const std::int64_t past = timeline_.size();
    if (past + rows > timeline_.capacity()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("the context of {} tokens is full", timeline_.capacity())};
    }
    std::vector<Position3> positions;
    for (std::int64_t i = 0; i < rows; ++i) {
        const auto p = static_cast<std::int32_t>(past + i) + position_offset;
        positions.push_back({p, p, p});
    }
    const Matrix hidden = hidden_memory_.matrix(rows, model_.decoder.config.hidden);
    embed_tokens(model_.decoder, ids, hidden);
    const DecoderStep step{.positions = positions, .kv = timeline_.view(), .past = past};
    if (run_decoder(model_.decoder, pool_, scratch_, step, hidden, stop) == Finished::Stopped) {
        return Error{ErrorCode::Cancelled, "stopped inside a token"};
    }
    for (const TokenId id : ids) {
        timeline_.append(id);
    }
    const auto vocabulary = static_cast<std::int64_t>(model_.decoder.config.vocabulary);
    logits_.resize(static_cast<std::size_t>(vocabulary));
    run_head(model_.decoder, pool_, scratch_, hidden.rows_from(rows - 1, 1), {logits_.data(), 1, vocabulary, vocabulary});
    return std::span<float>(logits_);
}

} // namespace handeye
