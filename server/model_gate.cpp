// SPDX-License-Identifier: Apache-2.0
#include "server/model_gate.h"

namespace handeye {

std::string_view model_state_name(ModelState state) {
    switch (state) {
    case ModelState::Missing: return "missing";
    case ModelState::Loading: return "loading";
    case ModelState::Ready: return "ready";
    case ModelState::Failed: return "failed";
    }
    return "missing";
}

void ModelGate::set_loading(std::string stage) {
    {
        const std::lock_guard lock(mutex_);
        if (status_.state == ModelState::Ready) {
            ++status_.losses;
            status_.last_loss = stage;
        }
        status_.state = ModelState::Loading;
        status_.detail = std::move(stage);
        status_.info.reset();
    }
    changed_.notify_all();
}

void ModelGate::set_ready(ChatModel& model) {
    {
        const std::lock_guard lock(mutex_);
        model_ = &model;
        status_.state = ModelState::Ready;
        status_.detail.clear();
        status_.info = model.info();
    }
    changed_.notify_all();
}

void ModelGate::set_failed(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        status_.state = ModelState::Failed;
        status_.detail = error.message;
        status_.info.reset();
    }
    changed_.notify_all();
}

ModelGate::Status ModelGate::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

std::size_t ModelGate::waiting() const {
    const std::lock_guard lock(mutex_);
    return in_flight_;
}

ModelGate::Usage ModelGate::usage() const {
    const std::lock_guard lock(mutex_);
    return usage_;
}

Result<ChatModel*> ModelGate::wait_ready(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [this] { return status_.state != ModelState::Loading; });
    switch (status_.state) {
    case ModelState::Ready: return model_;
    case ModelState::Loading: return Error{ErrorCode::Cancelled, "stopped while the model was loading"};
    case ModelState::Missing: return Error{ErrorCode::Unavailable, "no model is loaded: start the daemon with --model DIR"};
    case ModelState::Failed: return Error{ErrorCode::Unavailable, "the model could not be loaded: " + status_.detail};
    }
    return Error{ErrorCode::Internal, "unknown model state"};
}

Result<Completion> ModelGate::generate(const ChatRequest& request, const OnText& on_text, const std::stop_token& stop) {
    {
        const std::lock_guard lock(mutex_);
        ++in_flight_;
    }
    auto completion = [&]() -> Result<Completion> {
        ChatModel* const model = TRY(wait_ready(stop));
        {
            const std::lock_guard lock(mutex_);
            ++usage_.questions;
        }
        return model->generate(request, on_text, stop);
    }();
    const std::lock_guard lock(mutex_);
    --in_flight_;
    if (completion) {
        usage_.prompt_tokens += static_cast<std::uint64_t>(completion->usage.prompt_tokens);
        usage_.completion_tokens += static_cast<std::uint64_t>(completion->usage.completion_tokens);
    }
    return completion;
}

Result<TokenizedPrompt> ModelGate::tokenize(const ChatRequest& request, const std::stop_token& stop) {
    ChatModel* const model = TRY(wait_ready(stop));
    return model->tokenize(request);
}

EngineLoad ModelGate::load() const {
    const std::lock_guard lock(mutex_);
    return status_.state == ModelState::Ready ? model_->load() : EngineLoad{};
}

Result<Completion> GatedModel::generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) {
    on_progress_("");
    const auto tee = [&](const TextPiece& text) {
        if (on_text) {
            on_text(text);
        }
        on_progress_(text);
    };
    ChatRequest mine = request; // pictures are shared, not copied
    mine.session = session_;
    return gate_.generate(mine, tee, stop);
}

} // namespace handeye
