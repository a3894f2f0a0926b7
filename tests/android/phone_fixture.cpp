// SPDX-License-Identifier: Apache-2.0
#include "tests/android/phone_fixture.h"

#include "platforms/android/adb_server.h"
#include "tests/platforms/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>

namespace handeye::android {

namespace {

constexpr int kSidePx = 640; // of the display: the longer side of the phone's screen

} // namespace

std::unique_ptr<phone::AdbDeviceEnd> PhoneTest::make_device(phone::DeviceEndOptions options) {
    options.root = folder() / "phone";
    options.tools = folder() / "tools";
    for (const auto& [name, value] : display_->environment()) {
        options.environment.push_back(name + "=" + value);
    }
    return std::make_unique<phone::AdbDeviceEnd>(options);
}

/// A port that is free now may be taken a moment later: another one then.
void PhoneTest::start_server() {
    const auto adb = find_program("adb");
    ASSERT_TRUE(adb) << adb.error().message;
    std::filesystem::create_directories(folder() / "home");
    Environment changes = {{"HOME", (folder() / "home").string()}, {"ADB_MDNS_AUTO_CONNECT", "0"}};
    for (int tries = 0; tries < 5; ++tries) {
        server_port_ = free_port();
        auto child = GuardedChild::start({*adb, "-P", std::to_string(server_port_), "nodaemon", "server"}, merged_environment(changes), -1);
        ASSERT_TRUE(child) << child.error().message;
        server_ = std::move(*child);
        const Endpoint where{.unix_path = {}, .host = "127.0.0.1", .port = static_cast<std::uint16_t>(server_port_)};
        wait_for([&] { return server_->has_ended() || AdbServer(where).version(StreamWait::lasting(std::chrono::seconds(1))); }, 60);
        if (!server_->has_ended()) {
            return;
        }
    }
    FAIL() << "no adb server could be started";
}

void PhoneTest::start_phone(const phone::DeviceEndOptions& options) {
    device_.reset();
    phone_.reset();
    start_display(false, {kSidePx, kSidePx});
    std::filesystem::create_directories(folder() / "phone/data/local/tmp");
    std::filesystem::create_directories(folder() / "tools");
    for (const char* tool : {"input", "screencap", "am", "pm", "cmd", "dumpsys", "settings", "ime", "wm", "getprop", "uiautomator"}) {
        std::error_code known;
        std::filesystem::create_symlink(std::filesystem::path(HANDEYE_BINARY_DIR) / "bin/phone_tool", folder() / "tools" / tool, known);
    }
    start_app("phone_app", {(folder() / "happened").string()});
    ASSERT_TRUE(wait_for([&] { return content(folder() / "happened").starts_with("ready"); }, 60));
    read_ = 0;
    phone_ = std::make_unique<phone::PhoneX>(display_->address().name);
    device_ = make_device(options);
    if (!server_) {
        start_server();
    }
    if (!options.asks_for_approval) {
        AdbServer server(*parse_endpoint(adb_server()));
        const auto connected = server.connect_device(serial(), StreamWait::lasting(std::chrono::seconds(30)));
        ASSERT_TRUE(connected) << connected.error().message;
    }
}

Result<std::unique_ptr<Platform>> PhoneTest::try_open(const std::string& device) {
    PlatformOptions options;
    options.platform = "android";
    options.attach = adb_server();
    options.serial = device;
    return open_platform(options, clock_);
}

std::unique_ptr<Platform> PhoneTest::open_phone(const std::string& device) {
    auto platform = try_open(device);
    EXPECT_TRUE(platform) << platform.error().message;
    return platform ? std::move(*platform) : nullptr;
}

std::vector<std::string> PhoneTest::happened() {
    const std::string all = content(folder() / "happened");
    std::stringstream news(all.substr(std::min(read_, all.size())));
    read_ = all.size();
    std::vector<std::string> lines;
    for (std::string line; std::getline(news, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> PhoneTest::happened(const std::string& word) {
    std::vector<std::string> lines = happened();
    std::erase_if(lines, [&](const std::string& line) { return !line.starts_with(word + " "); });
    return lines;
}

bool PhoneTest::waits_for(const std::string& line) {
    return wait_for([&] { return content(folder() / "happened").find("\n" + line + "\n") != std::string::npos; }, 30);
}

std::string PhoneTest::text_of(const std::string& id) {
    for (const phone::View& view : phone::views_of(phone_->property("PHONE_VIEWS"))) {
        if (view.id == id) {
            return view.text;
        }
    }
    return "(no such view)";
}

} // namespace handeye::android
