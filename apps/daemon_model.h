// SPDX-License-Identifier: Apache-2.0
// Loads the model, in a process of its own, or reaches the servers that have it, beside the running server: sockets answer from the first moment.
#pragma once

#include "apps/daemon_options.h"
#include "engine/engine_process.h"
#include "remote/options.h"
#include "server/control_server.h"
#include "server/service_notify.h"

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace handeye {

class DaemonModel {
public:
    /// Tells `server` and `notify` how loading goes, until forget_server().
    /// Where `remote` is set the model is on servers, which are waited for as long as none answers.
    DaemonModel(ControlServer& server, const ServiceNotify& notify, const DaemonOptions& options, std::optional<RemoteOptions> remote);
    /// Waits for a load under way: see is_loading().
    ~DaemonModel();

    /// Call it before the server ends. A load goes on unheard; the model stays until this object ends.
    void forget_server();
    [[nodiscard]] bool is_loading() const;

private:
    void load(const DaemonOptions& told);
    void reach(const RemoteOptions& remote);
    void say_loading(std::string_view stage, double share);
    void finish(Result<std::unique_ptr<ChatModel>> opened);
    void hear(const EngineEvent& event);

    mutable std::mutex mutex_; // guards all but the threads
    ControlServer* server_;
    const ServiceNotify& notify_;
    bool is_loading_ = true;
    TimePoint last_status_{};
    SystemClock clock_;
    std::stop_source given_up_;
    std::unique_ptr<ChatModel> model_;
    std::thread thread_;
};

} // namespace handeye
