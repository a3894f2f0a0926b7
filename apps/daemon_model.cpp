// SPDX-License-Identifier: Apache-2.0
#include "apps/daemon_model.h"

#include "apps/models/store.h"
#include "apps/target.h"
#include "base/log.h"
#include "remote/remote_model.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr Duration kStatusPause = std::chrono::seconds(1);
constexpr Duration kReachPauseFirst = std::chrono::seconds(1);

} // namespace

DaemonModel::DaemonModel(ControlServer& server, const ServiceNotify& notify, const DaemonOptions& options, std::optional<RemoteOptions> remote)
    : server_(&server), notify_(notify) {
    server.set_model_loading("starting");
    thread_ = std::thread([this, options, remote = std::move(remote)] { remote ? reach(*remote) : load(options); });
}

DaemonModel::~DaemonModel() {
    thread_.join();
    model_.reset(); // its supervisor calls hear()
}

void DaemonModel::forget_server() {
    given_up_.request_stop();
    const std::lock_guard lock(mutex_);
    server_ = nullptr;
}

bool DaemonModel::is_loading() const {
    const std::lock_guard lock(mutex_);
    return is_loading_;
}

void DaemonModel::load(const DaemonOptions& told) {
    const auto found = told.model.empty() ? find_model("") : find_checkpoint(told.model, told.models_root);
    const auto quantize = found ? quantize_of(*found, told.quantize) : Result<Quantize>(found.error());
    if (!quantize) {
        finish(quantize.error());
        return;
    }
    EngineProcessOptions options;
    options.engine = {.model_dir = found->path, .threads = told.threads, .checksums = told.skips_checksums ? Checksums::Skip : Checksums::Verify};
    options.engine.adapters.assign(told.adapters.begin(), told.adapters.end());
    options.engine.quantize = *quantize;
    options.engine.device = told.device;
    options.engine.gpu_memory_bytes = static_cast<std::int64_t>(told.gpu_memory_gb * 1e9);
    options.engine.on_progress = [this](std::string_view stage, double share) { say_loading(stage, share); };
    options.on_event = [this](const EngineEvent& event) { hear(event); };
    auto opened = open_engine_process(options);
    finish(opened ? Result<std::unique_ptr<ChatModel>>(std::move(*opened)) : Result<std::unique_ptr<ChatModel>>(opened.error()));
}

// Servers may come up after the daemon; what another try cannot mend (a key, a name) ends it.
void DaemonModel::reach(const RemoteOptions& remote) {
    for (Duration pause = kReachPauseFirst;; pause = std::min(pause * 2, remote.pause_max)) {
        auto opened = open_remote_model(remote, clock_, given_up_.get_token());
        if (opened || opened.error().code != ErrorCode::Unavailable) {
            finish(std::move(opened));
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            log::warn("daemon", "waiting for the model's servers: " + opened.error().message);
            if (server_ != nullptr) {
                server_->set_model_loading("waiting for its servers: " + opened.error().message);
                (void)notify_.send("STATUS=waiting for the model's servers: " + opened.error().message);
            }
        }
        if (clock_.sleep_for(pause, given_up_.get_token()) == WaitResult::Stopped) {
            finish(Error{ErrorCode::Cancelled, "the daemon ends"});
            return;
        }
    }
}

void DaemonModel::say_loading(std::string_view stage, double share) {
    const std::string text = fmt::format("{} {:.0f} %", stage, share * 100);
    const std::lock_guard lock(mutex_);
    if (server_ != nullptr) {
        server_->set_model_loading(text);
        // Each is a datagram into a short queue of the service manager's, and sending waits for room there.
        const TimePoint now = std::chrono::steady_clock::now();
        if (now - last_status_ >= kStatusPause) {
            last_status_ = now;
            (void)notify_.send("STATUS=loading the model: " + text);
        }
    }
}

void DaemonModel::hear(const EngineEvent& event) {
    const std::lock_guard lock(mutex_);
    if (event.kind == EngineEvent::Kind::Lost) {
        log::error("engine", "engine.lost: " + event.message);
    } else {
        log::warn("engine", "engine.restarted: " + event.message);
    }
    if (server_ == nullptr || !model_) {
        return;
    }
    if (event.kind == EngineEvent::Kind::Lost) {
        server_->set_model_loading("starting again: " + event.message);
        (void)notify_.send("STATUS=the engine was lost and is started again: " + event.message);
    } else {
        server_->set_model(*model_);
        (void)notify_.send(fmt::format("STATUS=ready with {}", model_->info().name));
    }
}

void DaemonModel::finish(Result<std::unique_ptr<ChatModel>> opened) {
    const std::lock_guard lock(mutex_);
    is_loading_ = false;
    if (!opened) {
        log::error("daemon", fmt::format("no model: {}", opened.error().message));
        if (server_ != nullptr) {
            server_->set_model_failed(opened.error());
            (void)notify_.send("STATUS=no model: " + opened.error().message);
        }
        return;
    }
    model_ = std::move(*opened);
    if (server_ != nullptr) {
        server_->set_model(*model_);
        (void)notify_.send(fmt::format("STATUS=ready with {}", model_->info().name));
    }
}

} // namespace handeye
