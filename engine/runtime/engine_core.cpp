// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/engine_core.h"

#include "base/log.h"
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

EngineCore::EngineCore(Model model, Tokenizer tokenizer, ChatTemplate chat_template, VocabularyTrie vocabulary, int threads)
    : model_(std::move(model)), tokenizer_(std::move(tokenizer)), template_(std::move(chat_template)),
      grammars_(std::make_unique<GrammarCache>(std::make_shared<const VocabularyTrie>(std::move(vocabulary)))), numbers_(tokenizer_), pool_(threads) {}

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
    std::shared_ptr<device::Device> device = options.opened_device != nullptr ? options.opened_device : TRY(open_device(options.device));
    std::optional<device::DevicePlan> plan;
    if (device != nullptr) {
        plan = TRY(plan_on_device(*device, prospect, options));
        log::info("engine", plan->describe(device->info()));
    }
    const std::int64_t capacity = TRY(context_that_fits(prospect, {.context_tokens = prospect.context_tokens, .threads = prospect.threads, .kv_format = prospect.kv_format,
                                                                   .elsewhere = plan ? std::optional(plan->placement) : std::nullopt},
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
    std::vector<TokenId> stop_ids = model.stop_ids;
    std::erase_if(stop_ids, [&](TokenId id) { return id < 0 || id >= model.decoder.config.vocabulary; }); // never met
    VocabularyTrie vocabulary = TRY(VocabularyTrie::build(tokenizer, model.decoder.config.vocabulary, std::move(stop_ids)));
    std::unique_ptr<EngineCore> core(new EngineCore(std::move(model), std::move(tokenizer), std::move(chat_template), std::move(vocabulary), options.threads));
    if (device != nullptr) {
        TRY(core->load_device(std::move(device), *plan, options));
    }
    core->timeline_ = TRY(core->create_timeline(capacity, options.kv_format));
    core->image_config_ = prospect.image_config;
    core->video_config_ = video;
    return core;
}

Result<void> EngineCore::load_device(std::shared_ptr<device::Device> device, const device::DevicePlan& plan, const EngineOptions& options) {
    device_ = TRY(device::ModelOnDevice::load(std::move(device), model_, pool_, plan, options.on_progress));
    return {};
}

Result<Timeline> EngineCore::create_timeline(std::int64_t capacity, KvFormat format) const {
    const DecoderConfig& c = model_.decoder.config;
    if (device_ == nullptr) {
        return Timeline::create(c, capacity, format);
    }
    return Timeline::create_beside(TRY(device_->new_cache(capacity)), c, device_->first_layer(), capacity, format);
}

Result<Timeline> EngineCore::new_timeline() const { return create_timeline(timeline_->capacity(), timeline_->view().format); }

std::int64_t EngineCore::prefill_rows() const { return device_ == nullptr ? kPrefillChunk : device_->rows_max() - kernels::kFewRows; }

Result<EngineCore::ImageRows> EngineCore::embed_image(const PromptImage& image, GenerationTimings& timings, const ImageOptions& options) {
    const auto cached = std::find_if(image_cache_.begin(), image_cache_.end(),
                                     [&](const CachedImage& c) { return c.content == image.content; });
    if (cached != image_cache_.end() && !options.tap) {
        std::rotate(cached, cached + 1, image_cache_.end());
        return image_cache_.back().rows;
    }
    const TimePoint begin = engine_now();
    TimePoint ready = begin;
    std::vector<float> values = TRY(run_tower(image, {.stop = options.stop, .between = options.between, .tap = options.tap}, ready));
    timings.preprocess += ready - begin;
    timings.vision += engine_now() - ready;
    ++images_embedded_;
    auto shared = std::make_shared<const std::vector<float>>(std::move(values));
    cache_image(image.content, shared);
    return shared;
}

Result<std::vector<float>> EngineCore::run_tower(const PromptImage& image, const VisionOptions& options, TimePoint& ready) {
    const bool is_elsewhere = device_ != nullptr && device_->has_vision();
    const auto* const still = std::get_if<ImagePart>(&image.source);
    if (is_elsewhere && still != nullptr) {
        // A screenshot's bytes are an eighth of its patches. Videos are rare, and their frames are chosen and joined in pairs here.
        return device_->run_picture(TRY(device::PictureCut::plan(still->image, image_config_)), options, [&] { ready = engine_now(); });
    }
    const Patches patches = TRY(patches_of(prompt_context(), image));
    ready = engine_now();
    const std::int64_t rows = patches.grid.patches();
    const std::int64_t cols = static_cast<std::int64_t>(patches.rows.size()) / rows;
    const ConstMatrix pixels{patches.rows.data(), rows, cols, cols};
    const VisionGrid grid{patches.grid.t, patches.grid.h, patches.grid.w};
    return is_elsewhere ? device_->run_vision(pixels, grid, options) : run_vision(*model_.vision, pool_, pixels, grid, options);
}

void EngineCore::cache_image(std::uint64_t content, ImageRows rows) {
    const auto bytes_of = [](const ImageRows& r) { return static_cast<std::int64_t>(r->size() * sizeof(float)); };
    image_cache_bytes_ += bytes_of(rows);
    image_cache_.push_back({content, std::move(rows)});
    while (image_cache_bytes_ > kImageCacheBytes && image_cache_.size() > 1) {
        image_cache_bytes_ -= bytes_of(image_cache_.front().rows);
        image_cache_.erase(image_cache_.begin());
    }
}

Result<void> EngineCore::hold_images(const Prompt& prompt, std::int64_t first, std::int64_t count, HeldImages& held,
                                     GenerationTimings& timings, const ImageOptions& options) {
    HeldImages needed;
    for (std::int64_t i = first; i < first + count; ++i) {
        const std::int32_t image = prompt.sources[static_cast<std::size_t>(i)].image;
        if (image < 0 || needed.contains(image)) {
            continue;
        }
        const auto there = held.find(image);
        needed[image] = there != held.end() ? there->second
                                            : TRY(embed_image(prompt.images[static_cast<std::size_t>(image)], timings, options));
    }
    held = std::move(needed);
    return {};
}

namespace {

// Rows of `hidden` that stand for pixels are overwritten with their picture's embeddings.
void place_images(const EngineCore::PassRows& part, Matrix hidden) {
    for (std::int64_t i = 0; i < hidden.rows; ++i) {
        const TokenSource source = part.prompt->sources[static_cast<std::size_t>(part.timeline->size() + i)];
        if (source.image >= 0) {
            std::memcpy(hidden.row(i), part.images->at(source.image)->data() + source.row * hidden.cols,
                        static_cast<std::size_t>(hidden.cols) * sizeof(float));
        }
    }
}

void append_positions(const EngineCore::PassRows& part, std::vector<Position3>& positions) {
    const std::int64_t past = part.timeline->size();
    for (std::size_t i = 0; i < part.ids.size(); ++i) {
        if (part.prompt != nullptr) {
            positions.push_back(part.prompt->positions[static_cast<std::size_t>(past) + i]);
        } else {
            const auto p = static_cast<std::int32_t>(past + static_cast<std::int64_t>(i)) + part.position_offset;
            positions.push_back({p, p, p});
        }
    }
}

void record(const EngineCore::PassRows& part) {
    if (part.prompt != nullptr) {
        part.timeline->append(*part.prompt, part.timeline->size(), static_cast<std::int64_t>(part.ids.size()));
        return;
    }
    for (const TokenId id : part.ids) {
        part.timeline->append(id);
    }
}

} // namespace

Result<EngineCore::Pass> EngineCore::begin_pass(std::span<const PassRows> parts, std::stop_token stop, const Tap& tap) {
    Pass pass;
    std::int64_t rows = 0;
    for (const PassRows& part : parts) {
        const auto count = static_cast<std::int64_t>(part.ids.size());
        if (part.timeline->size() + count > part.timeline->capacity()) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the context of {} tokens is full", part.timeline->capacity())};
        }
        append_positions(part, pass.positions);
        pass.sequences.push_back({.kv = part.timeline->view(), .past = part.timeline->size(), .rows = count});
        for (const std::int64_t want : part.logit_rows) {
            pass.wanted.push_back(rows + want);
        }
        rows += count;
    }
    pass.hidden = hidden_memory_.matrix(rows, model_.decoder.config.hidden);
    std::int64_t row = 0;
    for (const PassRows& part : parts) {
        const Matrix mine = pass.hidden.rows_from(row, static_cast<std::int64_t>(part.ids.size()));
        embed_tokens(model_.decoder, part.ids, mine);
        if (part.prompt != nullptr) {
            place_images(part, mine);
        }
        row += mine.rows;
    }
    const DecoderStep here{.positions = pass.positions, .sequences = pass.sequences, .layers = device_ == nullptr ? -1 : device_->first_layer()};
    if (run_decoder(model_.decoder, pool_, scratch_, here, pass.hidden, std::move(stop), tap) == Finished::Stopped) {
        return Error{ErrorCode::Cancelled, "stopped inside a pass"};
    }
    return pass;
}

Matrix EngineCore::compute_head(const Pass& pass) {
    const Matrix logits = logit_memory(pass);
    const Matrix picked = picked_memory_.matrix(logits.rows, pass.hidden.cols);
    for (std::int64_t i = 0; i < logits.rows; ++i) {
        std::memcpy(picked.row(i), pass.hidden.row(pass.wanted[static_cast<std::size_t>(i)]), static_cast<std::size_t>(picked.cols) * sizeof(float));
    }
    if (logits.rows > 0) {
        run_head(model_.decoder, pool_, scratch_, picked, logits);
    }
    return logits;
}

Result<Matrix> EngineCore::forward(std::span<const PassRows> parts, std::stop_token stop, const Tap& tap) {
    const Pass pass = TRY(begin_pass(parts, std::move(stop), tap));
    if (device_ != nullptr) {
        TRY(device_->run(pass.on_device(), pass.hidden, logit_memory(pass), tap));
    }
    const Matrix logits = device_ != nullptr ? logit_memory(pass) : compute_head(pass);
    std::ranges::for_each(parts, record);
    return logits;
}

Result<std::vector<LogitRow>> EngineCore::forward_rows(std::span<const PassRows> parts, std::stop_token stop) {
    std::vector<LogitRow> rows;
    if (device_ == nullptr) {
        const Matrix logits = TRY(forward(parts, std::move(stop)));
        for (std::int64_t i = 0; i < logits.rows; ++i) {
            rows.emplace_back(logits.row_span(i));
        }
        return rows;
    }
    std::vector<float> scales;
    for (const PassRows& part : parts) {
        scales.insert(scales.end(), part.logit_rows.size(), part.scale);
    }
    const Pass pass = TRY(begin_pass(parts, std::move(stop), {}));
    const std::vector<device::RowCandidates> best = TRY(device_->run_best(pass.on_device(), pass.hidden, scales));
    const Matrix memory = logit_memory(pass);
    for (std::size_t i = 0; i < best.size(); ++i) {
        rows.emplace_back(*device_, static_cast<int>(i), best[i], memory.row_span(static_cast<std::int64_t>(i)));
    }
    std::ranges::for_each(parts, record);
    return rows;
}

Result<EngineCore::Prefill> EngineCore::prefill(const Prompt& prompt, GenerationTimings& timings, const PrefillOptions& options) {
    const auto count = static_cast<std::int64_t>(prompt.ids.size());
    if (count >= timeline_->capacity()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a prompt of {} tokens in a context of {}", count, timeline_->capacity())};
    }
    std::vector<std::int64_t> wanted = options.logit_rows;
    if (wanted.empty()) {
        wanted.push_back(count - 1);
    }
    Prefill result;
    result.reused = std::min(timeline_->common_prefix(prompt), wanted.front());
    timeline_->truncate(result.reused);
    HeldImages held;
    for (std::int64_t first = result.reused; first < count;) {
        const std::int64_t rows = chunk_rows(count - first, prefill_rows());
        TRY(hold_images(prompt, first, rows, held, timings, {.stop = {}, .between = {}, .tap = options.tap}));
        const TimePoint begin = engine_now();
        PassRows part{.timeline = &*timeline_, .ids = std::span(prompt.ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)),
                      .prompt = &prompt, .images = &held, .logit_rows = {}};
        for (const std::int64_t want : wanted) {
            if (want >= first && want < first + rows) {
                part.logit_rows.push_back(want - first);
            }
        }
        const Matrix logits = TRY(forward({&part, 1}, {}, options.tap));
        result.logits.insert(result.logits.end(), logits.data, logits.data + logits.rows * logits.cols);
        timings.prefill += engine_now() - begin;
        first += rows;
    }
    return result;
}

Result<LogitRow> EngineCore::feed_row(std::span<const TokenId> ids, std::int32_t position_offset) {
    const PassRows part{.timeline = &*timeline_, .ids = ids, .position_offset = position_offset,
                        .logit_rows = {static_cast<std::int64_t>(ids.size()) - 1}};
    return TRY(forward_rows({&part, 1}, {})).front();
}

} // namespace handeye
