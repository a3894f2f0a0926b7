// SPDX-License-Identifier: Apache-2.0
// Real VNC servers, each with a display of its own, and programs on it.
#pragma once

#include "tests/platforms/x11_fixture.h"

#include <memory>
#include <string>
#include <vector>

namespace handeye::vnc {

enum class Server {
    TigerVnc, ///< Xvnc: an X server that speaks RFB itself
    X11Vnc,   ///< x11vnc on Xvfb
};

class VncTest : public ::testing::Test {
protected:
    ~VncTest() override;
    /// Returns when it listens. The display is this process's own ($DISPLAY) from then on.
    void start_server(Server server, Size size = {1024, 768}, const std::vector<std::string>& more = {});
    void stop_server();
    /// The same port again, on another display.
    void start_xvnc_again(const std::vector<std::string>& more = {});
    std::unique_ptr<Platform> open(PlatformOptions options = {});
    Result<std::unique_ptr<Platform>> try_open(PlatformOptions options = {});

    void start_app(const std::string& name, std::vector<std::string> arguments);
    [[nodiscard]] int newest_app_pid() const { return apps_.back()->pid(); }
    [[nodiscard]] bool newest_app_has_ended() const { return apps_.back()->has_ended(); }
    bool wait_for(const std::function<bool()>& condition, int seconds = 60);
    /// event_log_app covers the display and has the keyboard.
    void start_event_log();
    /// open() on the log; what it does to the pointer by itself is left out of it.
    std::unique_ptr<Platform> open_logged();
    std::vector<std::string> log_ending_with(const std::string& last);
    /// Keys and buttons that the display has down.
    static int count_down();
    [[nodiscard]] std::string content(const std::filesystem::path& file) const;
    [[nodiscard]] std::filesystem::path folder() const { return folder_; }
    [[nodiscard]] std::filesystem::path log_file() const { return folder_ / "log"; }
    std::filesystem::path write_private(const std::string& name, const std::string& text);

    SystemClock clock_;
    std::string attach_; ///< of the server

private:
    /// Port 0: any.
    void start_xvnc(int port, Size size, const std::vector<std::string>& more);
    bool try_xvnc(int port, Size size, const std::vector<std::string>& more);
    void start_xvnc_once(int port, Size size, const std::vector<std::string>& more);
    void take_display() const;
    void start_x11vnc(const std::vector<std::string>& more);

    std::filesystem::path folder_ = make_folder();
    static std::filesystem::path make_folder();
    Environment environment_;
    std::size_t lines_left_out_ = 0; ///< of the log
    int port_ = 0; ///< of Xvnc; 0: it did not start
    Size size_;
    std::unique_ptr<x11::HeadlessDisplay> xvfb_;
    std::unique_ptr<GuardedChild> server_;
    std::vector<std::unique_ptr<GuardedChild>> apps_; // gone before the display
};

} // namespace handeye::vnc
