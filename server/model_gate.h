// SPDX-License-Identifier: Apache-2.0
// One model for many sessions: absent, loading, ready or failed.
#pragma once

#include "agent/session.h" // with it ChatModel
#include "base/result.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace handeye {

enum class ModelState { Missing, Loading, Ready, Failed };
std::string_view model_state_name(ModelState state);

/// Any thread.
class ModelGate {
public:
    struct Status {
        ModelState state = ModelState::Missing;
        std::string detail; ///< loading: the stage; failed: why
        std::optional<ModelInfo> info;
        int losses = 0;        ///< how often a model that was ready went away
        std::string last_loss; ///< what was said of the last one
    };

    /// What was asked since the gate was made: by tasks, engine.infer and engine.selftest alike.
    struct Usage {
        std::uint64_t questions = 0; ///< also those that were stopped or failed
        std::uint64_t prompt_tokens = 0;
        std::uint64_t completion_tokens = 0;
    };

    /// After a model was ready this means that it was lost and is started again; `stage` says why.
    void set_loading(std::string stage);
    /// `model` outlives the gate.
    void set_ready(ChatModel& model);
    void set_failed(const Error& error);
    [[nodiscard]] Status status() const;
    /// Questions that are being answered or wait.
    [[nodiscard]] std::size_t waiting() const;
    [[nodiscard]] Usage usage() const;
    /// What the model itself tells of its work; nothing while there is none.
    [[nodiscard]] EngineLoad load() const;

    /// Waits while the model loads. Unavailable when there is none or loading failed, Cancelled.
    Result<ChatModel*> wait_ready(const std::stop_token& stop);

    /// Asks the model, which answers several at once and lets sessions take turns.
    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, const std::stop_token& stop);
    Result<TokenizedPrompt> tokenize(const ChatRequest& request, const std::stop_token& stop);

private:
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    Status status_;
    Usage usage_;
    ChatModel* model_ = nullptr;
    std::size_t in_flight_ = 0;
};

/// The gate as a session sees it. Borrows the gate.
class GatedModel final : public ChatModel {
public:
    using OnProgress = std::function<void(std::string_view text_utf8)>;
    /// `on_progress` hears "" when an answer begins and then each piece of it; must not block.
    GatedModel(ModelGate& gate, ModelInfo info, std::string session, OnProgress on_progress)
        : gate_(gate), info_(std::move(info)), session_(std::move(session)), on_progress_(std::move(on_progress)) {}
    /// Between two tasks: a session may have begun without a model.
    void set_info(ModelInfo info) { info_ = std::move(info); }

    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override;
    Result<TokenizedPrompt> tokenize(const ChatRequest& request) override { return gate_.tokenize(request, {}); }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    ModelGate& gate_;
    ModelInfo info_;
    const std::string session_; ///< whose turn it is
    OnProgress on_progress_;
};

} // namespace handeye
