// SPDX-License-Identifier: Apache-2.0
// A test phone for each test: its screen on a display of its own, its end of adb, and a real adb server between it and handeye.
#pragma once

#include "platforms/open_platform.h"
#include "tests/android/device/adb_device_end.h"
#include "tests/android/device/phone_x.h"
#include "tests/platforms/x11_fixture.h"

#include <memory>
#include <string>
#include <vector>

namespace handeye::android {

class PhoneTest : public x11::X11Test {
protected:
    void SetUp() override { start_phone({}); }

    /// Display, apps, device end and adb server; then the server knows the phone, unless it asks for approval.
    void start_phone(const phone::DeviceEndOptions& options);
    /// Another device end with the same screen, under another port.
    std::unique_ptr<phone::AdbDeviceEnd> make_device(phone::DeviceEndOptions options);

    [[nodiscard]] std::string adb_server() const { return "127.0.0.1:" + std::to_string(server_port_); }
    [[nodiscard]] std::string serial() const { return device_->address(); }
    /// What handeye opens; null (and a failure) where it cannot.
    std::unique_ptr<Platform> open_phone(const std::string& device = {});
    Result<std::unique_ptr<Platform>> try_open(const std::string& device = {});

    /// Lines that the phone's apps wrote since the last call.
    std::vector<std::string> happened();
    /// Those that begin with this word.
    std::vector<std::string> happened(const std::string& word);
    /// Waits until such a line is there.
    bool waits_for(const std::string& line);
    /// The text of a view as the app has it.
    std::string text_of(const std::string& id);

    std::unique_ptr<phone::PhoneX> phone_;
    std::unique_ptr<phone::AdbDeviceEnd> device_;

private:
    void start_server();
    int server_port_ = 0;
    std::unique_ptr<GuardedChild> server_;
    std::size_t read_ = 0; // bytes of the apps' file
};

} // namespace handeye::android
