// SPDX-License-Identifier: Apache-2.0
#include "server/model_gate.h"

#include <algorithm>

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
    return turns_.size();
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
    ChatModel* const model = TRY(wait_ready(stop));
    std::uint64_t turn = 0;
    {
        std::unique_lock lock(mutex_);
        turn = next_turn_++;
        turns_.push_back(turn);
        changed_.wait(lock, stop, [&] { return turns_.front() == turn; });
        if (turns_.front() != turn) {
            turns_.erase(std::find(turns_.begin(), turns_.end(), turn));
            return Error{ErrorCode::Cancelled, "stopped while other sessions used the model"};
        }
        ++usage_.questions;
    }
    auto completion = model->generate(request, on_text, stop);
    {
        const std::lock_guard lock(mutex_);
        turns_.pop_front();
        if (completion) {
            usage_.prompt_tokens += static_cast<std::uint64_t>(completion->usage.prompt_tokens);
            usage_.completion_tokens += static_cast<std::uint64_t>(completion->usage.completion_tokens);
        }
    }
    changed_.notify_all();
    return completion;
}

Result<Completion> GatedModel::generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) {
    on_progress_("");
    const auto tee = [&](std::string_view text) {
        if (on_text) {
            on_text(text);
        }
        on_progress_(text);
    };
    return gate_.generate(request, tee, stop);
}

} // namespace handeye
