// SPDX-License-Identifier: Apache-2.0
// One answer, token by token: sampling, streaming, stopping, the forced close of an unfinished thought.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/chat_model.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/thinking.h"
#include "engine/sampling/sampler.h"

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

/// Lives for one request; borrows the core, the request and the callback.
class Generation {
public:
    Generation(EngineCore& core, const ChatRequest& request, const OnText& on_text, std::stop_token stop);
    Result<Completion> run();

private:
    enum class Next { Continue, End };

    Result<void> decode(std::span<float> logits);
    Result<Next> take(TokenId id);            // one sampled id
    enum class Close { Nothing, Appended, NoRoom };
    Result<Close> close_thought(PauseCause cause);
    Result<void> feed(std::span<const TokenId> ids);
    void emit(TokenId id);
    Next end(StopReason reason);
    [[nodiscard]] bool is_stop_id(TokenId id) const;
    [[nodiscard]] bool ends_in_stop_text(std::size_t before) const;
    [[nodiscard]] std::int64_t new_count() const { return static_cast<std::int64_t>(out_.ids.size()); }

    EngineCore& core_;
    const ChatRequest& request_;
    const OnText& on_text_;
    std::stop_token stop_;
    Sampler sampler_;
    Utf8Stream utf8_;
    Completion out_;
    std::span<float> logits_;
    std::int32_t position_offset_ = 0;
    bool has_paused_ = false;
};

} // namespace handeye
