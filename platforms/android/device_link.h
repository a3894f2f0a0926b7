// SPDX-License-Identifier: Apache-2.0
// Commands on one device. Each is a connection of its own: where the device was lost, the call says so, and when it is back the next
// call works.
#pragma once

#include "platforms/android/adb_server.h"

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

namespace handeye::android {

struct ShellResult {
    int exit_code = 0;
    std::string out;
    std::string err;
};

struct ShellOptions {
    Duration timeout = std::chrono::seconds(20);
    std::size_t bytes_max = 8U << 20U; ///< of out and err together; more is LimitExceeded
    std::stop_token stop = {};
};

/// One argument for the device's shell, whatever is in it.
std::string shell_quoted(std::string_view argument);

class DeviceLink {
public:
    /// The device `wanted` (empty: the only one). A serial like HOST:PORT that the server does not know is connected first.
    static Result<DeviceLink> open(AdbServer server, const std::string& wanted, const StreamWait& wait);

    /// Runs a line in the device's shell and waits for its end. Any exit code is a result. Unavailable when the device is lost.
    Result<ShellResult> run(std::string_view command, const ShellOptions& options = {});
    /// As run(); an exit code other than 0, and what looks like a Java exception in a tool's output, is an error: PermissionDenied where
    /// the phone forbids it.
    Result<std::string> run_well(std::string_view command, const ShellOptions& options = {});
    /// The bytes of a file there, at most bytes_max of them (service sync:).
    Result<std::string> read_file(const std::string& path, const ShellOptions& options = {});

    [[nodiscard]] const AdbDevice& device() const { return device_; }
    [[nodiscard]] AdbServer& server() { return server_; }
    /// "emulator-5554 (Pixel_7)": for messages.
    [[nodiscard]] std::string name() const;

private:
    DeviceLink(AdbServer server, AdbDevice device) : server_(std::move(server)), device_(std::move(device)) {}
    Result<std::unique_ptr<ByteStream>> open_service(std::string_view service, const StreamWait& wait);
    Result<ShellResult> run_v2(std::string_view command, const ShellOptions& options);
    Result<ShellResult> run_plain(std::string_view command, const ShellOptions& options);

    AdbServer server_;
    AdbDevice device_;
    bool has_shell_v2_ = false;
};

/// A failure in a tool's words: what `input`, `am`, `pm` ... print when they did not do it, although some of them exit with 0.
/// The first line that says so; empty: none.
std::string_view failure_in(const ShellResult& result);

} // namespace handeye::android
