// SPDX-License-Identifier: Apache-2.0
// The worker's side of engine_process.h: gives up the system, then serves one model over one socket.
#pragma once

#include "base/clock.h"
#include "engine/engine.h"

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace handeye {

/// Tells the supervisor that this process lives, every second, while a driver takes its time to start.
class SignsOfLife {
public:
    /// Borrows the socket, on which nothing else may be sent meanwhile.
    explicit SignsOfLife(int socket, Duration interval = std::chrono::seconds(1));

private:
    std::jthread beats_;
};

/// What a device's driver needs of the system once it is open.
enum class DriverFiles { None, Nvidia };
/// For the rest of this process, in all its threads: no new socket, no exec, no new process, no ptrace, no mount, no signal to
/// another process, no file opened for writing, no core dump, no new privileges. Each gives EPERM. What stays: reading
/// files, memory, threads, and the descriptors that are open already.
///
/// A device is opened before (open_device()): a driver connects to its own sockets and may start programs. With DriverFiles::Nvidia its ioctls and its nodes
/// in /dev, which it opens again for memory that it maps, stay open to it; Landlock refuses to write to any other file (EACCES), and where the kernel has none
/// a warning says so.
Result<void> enter_engine_sandbox(DriverFiles files = DriverFiles::None);

using OpenModel = std::function<Result<std::unique_ptr<ChatModel>>(const EngineOptions& options)>;

/// Does not return: when the supervisor's end closes, the process ends on the spot, whatever the model is doing.
[[noreturn]] void serve_engine(int socket, const OpenModel& open);

} // namespace handeye
