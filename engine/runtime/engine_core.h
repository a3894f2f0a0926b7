// SPDX-License-Identifier: Apache-2.0
// A model with everything a forward pass needs: tokenizer, template, threads, cache. Generation, verification and
// measurement are written on top of it. One thread at a time.
#pragma once

#include "base/result.h"
#include "engine/device/model_on_device.h"
#include "engine/engine.h"
#include "engine/grammar/cache.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/decoder.h"
#include "engine/models/model.h"
#include "engine/runtime/logit_row.h"
#include "engine/runtime/prompt.h"
#include "engine/runtime/timeline.h"
#include "engine/runtime/token_chances.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

class EngineCore {
public:
    static Result<std::unique_ptr<EngineCore>> open(const EngineOptions& options);

    [[nodiscard]] const Model& model() const { return model_; }
    [[nodiscard]] const Tokenizer& tokenizer() const { return tokenizer_; }
    [[nodiscard]] const Timeline& timeline() const { return *timeline_; }
    /// Any thread.
    [[nodiscard]] GrammarCache& grammars() const { return *grammars_; }
    [[nodiscard]] const NumberTokens& numbers() const { return numbers_; }
    [[nodiscard]] ThreadPool& pool() { return pool_; }
    /// Null: all is computed here.
    [[nodiscard]] device::ModelOnDevice* on_device() const { return device_.get(); }
    /// Rows of a prompt that one pass takes.
    [[nodiscard]] std::int64_t prefill_rows() const;
    [[nodiscard]] PromptContext prompt_context() const {
        return {tokenizer_, template_, model_.image_tokens, image_config_, video_config_};
    }

    /// A cache for one sequence more.
    [[nodiscard]] Result<Timeline> new_timeline() const;

    using ImageRows = std::shared_ptr<const std::vector<float>>; ///< row-major embeddings
    /// Those of a prompt's pictures that are needed at the moment, by their place in the prompt.
    using HeldImages = std::map<std::int32_t, ImageRows>;
    struct ImageOptions {
        std::stop_token stop;
        std::function<void()> between; ///< called between the tower's blocks: other sequences' tokens are computed there
        Tap tap;
    };
    /// What was computed lately is kept by content, up to kImageCacheBytes.
    Result<ImageRows> embed_image(const PromptImage& image, GenerationTimings& timings, const ImageOptions& options = {});
    /// Holds the pictures whose rows lie in the prompt's tokens first..first+count, and no others.
    Result<void> hold_images(const Prompt& prompt, std::int64_t first, std::int64_t count, HeldImages& held,
                             GenerationTimings& timings, const ImageOptions& options = {});
    [[nodiscard]] std::uint64_t images_embedded() const { return images_embedded_; }

    /// What a pass computes of one sequence: the next tokens after those that its timeline holds.
    struct PassRows {
        Timeline* timeline = nullptr;
        std::span<const TokenId> ids;
        std::int32_t position_offset = 0;      ///< of tokens after the prompt
        const Prompt* prompt = nullptr;        ///< set: `ids` are its ids from timeline.size() on
        const HeldImages* images = nullptr;    ///< with `prompt`: its pictures among these tokens
        std::vector<std::int64_t> logit_rows;  ///< of `ids`, ascending
        float scale = 1;                       ///< Sampler::scale() of who chooses from them
    };
    /// One pass over all of them. The timelines hold their tokens afterwards; the result has the wanted rows of logits, (rows,
    /// vocabulary), until the next pass. Cancelled: the timelines are as before. LimitExceeded names a context that is full.
    Result<Matrix> forward(std::span<const PassRows> parts, std::stop_token stop, const Tap& tap = {});
    /// The same for rows that ids are chosen from, up to kernels::kFewRows of them: of what a device computed no more is brought here than that takes.
    Result<std::vector<LogitRow>> forward_rows(std::span<const PassRows> parts, std::stop_token stop);

    void forget() { timeline_->truncate(0); }
    /// The pictures too: the next prompt costs what the first one did.
    void forget_all() {
        forget();
        image_cache_.clear();
        image_cache_bytes_ = 0;
    }

    // One sequence on the core's own timeline, for verification and measurement.
    struct Prefill {
        std::int64_t reused = 0;
        std::vector<float> logits; ///< (wanted rows, vocabulary)
    };
    struct PrefillOptions {
        std::vector<std::int64_t> logit_rows; ///< prompt positions, ascending; empty: the last
        Tap tap;
    };
    /// Brings the timeline to exactly the prompt. LimitExceeded when it does not fit.
    Result<Prefill> prefill(const Prompt& prompt, GenerationTimings& timings, const PrefillOptions& options = {});
    /// Feeds ids after what the timeline holds; gives the logits of the last.
    Result<LogitRow> feed_row(std::span<const TokenId> ids, std::int32_t position_offset);
    Result<std::span<float>> feed(std::span<const TokenId> ids, std::int32_t position_offset) { return TRY(feed_row(ids, position_offset)).whole(); }

private:
    EngineCore(Model model, Tokenizer tokenizer, ChatTemplate chat_template, VocabularyTrie vocabulary, int threads);
    Result<void> load_device(std::shared_ptr<device::Device> device, const device::DevicePlan& plan, const EngineOptions& options);
    Result<Timeline> create_timeline(std::int64_t capacity, KvFormat format) const;
    /// The tower's rows. `ready`: when its patches were there.
    Result<std::vector<float>> run_tower(const PromptImage& image, const VisionOptions& options, TimePoint& ready);
    struct Pass {
        std::vector<Position3> positions;
        std::vector<SequenceRows> sequences;
        Matrix hidden; ///< the layers that lie here have been computed
        std::vector<std::int64_t> wanted;
        [[nodiscard]] device::DevicePass on_device() const { return {.positions = positions, .sequences = sequences, .wanted = wanted}; }
    };
    Result<Pass> begin_pass(std::span<const PassRows> parts, std::stop_token stop, const Tap& tap);
    Matrix logit_memory(const Pass& pass) { return logits_memory_.matrix(static_cast<std::int64_t>(pass.wanted.size()), model_.decoder.config.vocabulary); }
    Matrix compute_head(const Pass& pass);
    void cache_image(std::uint64_t content, ImageRows rows);

    struct CachedImage {
        std::uint64_t content = 0;
        ImageRows rows;
    };

    Model model_;
    Tokenizer tokenizer_;
    ChatTemplate template_;
    PreprocessConfig image_config_;
    PreprocessConfig video_config_;
    std::unique_ptr<device::ModelOnDevice> device_; // before the caches that lie on it
    std::optional<Timeline> timeline_;
    std::unique_ptr<GrammarCache> grammars_;
    NumberTokens numbers_;
    ThreadPool pool_;
    DecoderScratch scratch_;
    Scratch hidden_memory_;
    Scratch picked_memory_;
    Scratch logits_memory_;
    std::vector<CachedImage> image_cache_; // most recent last
    std::int64_t image_cache_bytes_ = 0;
    std::uint64_t images_embedded_ = 0;
};

/// The monotonic clock, for timings.
TimePoint engine_now();

} // namespace handeye
