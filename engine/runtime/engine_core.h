// SPDX-License-Identifier: Apache-2.0
// A model with everything a forward pass needs: tokenizer, template, threads, cache. Generation, verification and
// measurement are written on top of it. One thread at a time.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/decoder.h"
#include "engine/models/model.h"
#include "engine/runtime/prompt.h"
#include "engine/runtime/timeline.h"

#include <cstdint>
#include <memory>
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
    [[nodiscard]] const Timeline& timeline() const { return timeline_; }
    [[nodiscard]] ThreadPool& pool() { return pool_; }
    [[nodiscard]] PromptContext prompt_context() const {
        return {tokenizer_, template_, model_.image_tokens, image_config_, video_config_};
    }

    /// Row-major embeddings of one picture; the last few pictures are kept by content.
    Result<std::shared_ptr<const std::vector<float>>> embed_image(const PromptImage& image, std::stop_token stop,
                                                                  GenerationTimings& timings, const Tap& tap = {});
    void forget() { timeline_.truncate(0); }
    /// The pictures too: the next prompt costs what the first one did.
    void forget_all() {
        forget();
        image_cache_.clear();
    }

    struct Prefill {
        std::int64_t reused = 0;
        std::vector<float> logits; ///< (wanted rows, vocabulary)
    };
    struct PrefillOptions {
        std::vector<std::int64_t> logit_rows; ///< prompt positions, ascending; empty: the last
        Tap tap;
    };
    /// Brings the timeline to exactly the prompt. LimitExceeded when it does not fit; Cancelled keeps whole chunks.
    Result<Prefill> prefill(const Prompt& prompt, std::stop_token stop, GenerationTimings& timings,
                            const PrefillOptions& options = {});
    /// Feeds ids after what the timeline holds; gives the logits of the last.
    Result<std::span<float>> feed(std::span<const TokenId> ids, std::int32_t position_offset, std::stop_token stop);

private:
    EngineCore(Model model, Tokenizer tokenizer, ChatTemplate chat_template, Timeline timeline, int threads);
    Result<void> place_images(const Prompt& prompt, std::int64_t first, Matrix hidden, std::stop_token stop,
                              GenerationTimings& timings, const Tap& tap);

    struct CachedImage {
        std::uint64_t content = 0;
        std::shared_ptr<const std::vector<float>> rows;
    };

    Model model_;
    Tokenizer tokenizer_;
    ChatTemplate template_;
    PreprocessConfig image_config_;
    PreprocessConfig video_config_;
    Timeline timeline_;
    ThreadPool pool_;
    DecoderScratch scratch_;
    Scratch hidden_memory_;
    std::vector<float> logits_;
    std::vector<CachedImage> image_cache_; // most recent last
};

/// The monotonic clock, for timings.
TimePoint engine_now();

} // namespace handeye
