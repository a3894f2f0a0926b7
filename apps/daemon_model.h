// SPDX-License-Identifier: Apache-2.0
// Loads the model, in a process of its own, beside the running server: sockets answer from the first moment.
#pragma once

#include "apps/daemon_options.h"
#include "engine/engine_process.h"
#include "server/control_server.h"
#include "server/service_notify.h"

#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace handeye {

class DaemonModel {
public:
    /// Tells `server` and `notify` how loading goes, until forget_server().
    DaemonModel(ControlServer& server, const ServiceNotify& notify, const DaemonOptions& options);
    /// Waits for a load under way: see is_loading().
    ~DaemonModel();

    /// Call it before the server ends. A load goes on unheard; the model stays until this object ends.
    void forget_server();
    [[nodiscard]] bool is_loading() const;

private:
    void load(const DaemonOptions& told);
    void say_loading(std::string_view stage, double share);
    void finish(Result<std::unique_ptr<EngineProcess>> opened);
    void hear(const EngineEvent& event);

    mutable std::mutex mutex_; // guards all but the threads
    ControlServer* server_;
    const ServiceNotify& notify_;
    bool is_loading_ = true;
    TimePoint last_status_{};
    std::unique_ptr<EngineProcess> model_;
    std::thread thread_;
};

} // namespace handeye
