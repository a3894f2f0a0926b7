// SPDX-License-Identifier: Apache-2.0
// The device's end of adb, as the daemon adbd is on a phone: the transport protocol over TCP (CNXN, AUTH, OPEN, OKAY, WRTE, CLSE) and
// the services shell:, shell,v2:, exec: and sync:. Commands run in a real shell whose tools are those of tools.h.
// After AOSP's packages/modules/adb: protocol.txt, SERVICES.TXT, SYNC.TXT, shell_protocol.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace handeye::phone {

struct DeviceEndOptions {
    std::filesystem::path root;  ///< what the phone's /data is: a folder of the test
    std::filesystem::path tools; ///< the folder of `input`, `am` and the others
    std::vector<std::string> environment; ///< NAME=VALUE for the tools: the display
    std::string model = "Test_Phone";
    bool has_shell_v2 = true;
    bool asks_for_approval = false; ///< a computer whose key it does not know stays unauthorized until allow()
};

class AdbDeviceEnd {
public:
    explicit AdbDeviceEnd(DeviceEndOptions options);
    ~AdbDeviceEnd();
    AdbDeviceEnd(const AdbDeviceEnd&) = delete;
    AdbDeviceEnd& operator=(const AdbDeviceEnd&) = delete;

    /// Of 127.0.0.1.
    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    /// The person presses "Allow" in the dialog about USB debugging.
    void allow();
    /// The cable is pulled: every connection ends and none is taken.
    void unplug();
    /// The cable is back, at the same port.
    void plug_in();

private:
    class Connection;
    void listen(int port);
    void accept_all();

    DeviceEndOptions options_;
    int port_ = 0;
    int listener_ = -1;
    std::atomic<bool> is_allowed_ = false;
    std::mutex mutex_; // guards connections_
    std::vector<std::shared_ptr<Connection>> connections_;
    std::jthread acceptor_;
};

} // namespace handeye::phone
