// SPDX-License-Identifier: Apache-2.0
// The worker's side of engine_process.h: gives up the system, then serves one model over one socket.
#pragma once

#include "engine/engine.h"

#include <functional>
#include <memory>

namespace handeye {

/// For the rest of this process, in all its threads: no new socket, no exec, no new process, no ptrace, no mount, no signal to
/// another process, no file opened for writing, no core dump, no new privileges. Each gives EPERM. What stays: reading
/// files, memory, threads, and the descriptors that are open already.
///
/// A device is opened before (open_device()): a driver opens its nodes for writing, connects to its own sockets and may start programs. The ioctls that
/// follow are let through.
Result<void> enter_engine_sandbox();

using OpenModel = std::function<Result<std::unique_ptr<ChatModel>>(const EngineOptions& options)>;

/// Does not return: when the supervisor's end closes, the process ends on the spot, whatever the model is doing.
[[noreturn]] void serve_engine(int socket, const OpenModel& open);

} // namespace handeye
