// SPDX-License-Identifier: Apache-2.0
#include "tests/platforms/vnc_fixture.h"

#include "base/file.h"
#include "platforms/x11/connection.h"
#include "tests/platforms/free_port.h"

#include <array>
#include <bit>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::vnc {

std::filesystem::path VncTest::make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "handeye-vnc-XXXXXX").string();
    return mkdtemp(name.data()) == nullptr ? "" : name;
}

VncTest::~VncTest() {
    apps_.clear();
    server_.reset();
    xvfb_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void VncTest::start_server(Server server, Size size, const std::vector<std::string>& more) {
    size_ = size;
    if (server == Server::TigerVnc) {
        start_xvnc(0, size, more);
    } else {
        auto display = x11::HeadlessDisplay::start({size, false}, clock_);
        ASSERT_TRUE(display) << display.error().message;
        xvfb_ = std::move(*display);
        environment_ = xvfb_->environment();
        start_x11vnc(more);
    }
    take_display();
}

void VncTest::take_display() const {
    for (const auto& [name, value] : environment_) {
        setenv(name.c_str(), value.c_str(), 1);
    }
}

// Displays and ports are taken by tests beside this one, too: between choosing and binding one may be gone.
void VncTest::start_xvnc(int port, Size size, const std::vector<std::string>& more) {
    ASSERT_TRUE(wait_for([&] { return HasFatalFailure() || try_xvnc(port != 0 ? port : free_port(), size, more); })) << "Xvnc ended at once, again and again";
}

bool VncTest::try_xvnc(int port, Size size, const std::vector<std::string>& more) {
    start_xvnc_once(port, size, more);
    return port_ == port;
}

void VncTest::start_xvnc_once(int port, Size size, const std::vector<std::string>& more) {
    port_ = 0;
    const auto program = find_program("Xvnc");
    ASSERT_TRUE(program) << program.error().message << " (package tigervnc-standalone-server)";
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    FileDescriptor ours(ends[0]), theirs(ends[1]);
    std::vector<std::string> argv{*program, "-displayfd", std::to_string(theirs.get()), "-geometry", std::to_string(size.width_px) + "x" + std::to_string(size.height_px),
                                  "-depth", "24", "-localhost", "-nolisten", "tcp", "-desktop", "handeye test", "-rfbport", std::to_string(port)};
    argv.insert(argv.end(), more.begin(), more.end());
    if (std::find(more.begin(), more.end(), "-SecurityTypes") == more.end()) {
        argv.insert(argv.end(), {"-SecurityTypes", "None"});
    }
    auto child = GuardedChild::start(argv, merged_environment({}), theirs.get());
    ASSERT_TRUE(child) << child.error().message;
    server_ = std::move(*child);
    theirs = FileDescriptor();
    std::string number;
    for (char c = 0; ::read(ours.get(), &c, 1) == 1 && c != '\n';) {
        number += c;
    }
    if (number.empty()) {
        return;
    }
    port_ = port;
    environment_ = {{"DISPLAY", ":" + number}, {"XAUTHORITY", (folder_ / "none").string()}};
    attach_ = "127.0.0.1::" + std::to_string(port);
}

void VncTest::start_xvnc_again(const std::vector<std::string>& more) {
    start_xvnc(port_, size_, more);
    take_display();
}

void VncTest::start_x11vnc(const std::vector<std::string>& more) {
    const auto program = find_program("x11vnc");
    ASSERT_TRUE(program) << program.error().message << " (package x11vnc)";
    const std::filesystem::path flag = folder_ / "port";
    std::vector<std::string> argv{*program, "-display", xvfb_->address().name, "-auth", xvfb_->authority_file().string(), "-noipv6", "-localhost", "-autoport",
                                  "20900", "-flag", flag.string(), "-forever", "-shared", "-norc", "-quiet", "-nopw"};
    argv.insert(argv.end(), more.begin(), more.end());
    auto child = GuardedChild::start(argv, merged_environment(environment_), -1);
    ASSERT_TRUE(child) << child.error().message;
    server_ = std::move(*child);
    ASSERT_TRUE(wait_for([&] { return content(flag).starts_with("PORT=") && content(flag).ends_with('\n'); }));
    const std::string port = content(flag).substr(5);
    attach_ = "127.0.0.1::" + port.substr(0, port.find('\n'));
}

void VncTest::stop_server() {
    apps_.clear();
    server_.reset();
}

Result<std::unique_ptr<Platform>> VncTest::try_open(PlatformOptions options) {
    options.platform = "vnc";
    if (options.attach.empty()) {
        options.attach = attach_;
    }
    return open_platform(options, clock_);
}

std::unique_ptr<Platform> VncTest::open(PlatformOptions options) {
    auto platform = try_open(std::move(options));
    EXPECT_TRUE(platform) << platform.error().message;
    return platform ? std::move(*platform) : nullptr;
}

void VncTest::start_app(const std::string& name, std::vector<std::string> arguments) {
    const std::string ours = std::string(HANDEYE_BINARY_DIR) + "/bin/" + name;
    const auto path = std::filesystem::exists(ours) ? Result<std::string>(ours) : find_program(name);
    ASSERT_TRUE(path) << path.error().message;
    arguments.insert(arguments.begin(), *path);
    Environment changes = environment_;
    changes.insert(changes.end(), {{"LC_ALL", "C.UTF-8"}, {"GTK_IM_MODULE", "gtk-im-context-simple"}, {"NO_AT_BRIDGE", "1"}, {"GDK_BACKEND", "x11"}});
    auto child = GuardedChild::start(arguments, merged_environment(changes), -1);
    ASSERT_TRUE(child) << child.error().message;
    apps_.push_back(std::move(*child));
}

bool VncTest::wait_for(const std::function<bool()>& condition, int seconds) {
    const TimePoint deadline = clock_.now() + std::chrono::seconds(seconds);
    while (!condition()) {
        if (clock_.now() >= deadline) {
            return false;
        }
        clock_.sleep_for(std::chrono::milliseconds(2), {});
    }
    return true;
}

void VncTest::start_event_log() {
    start_app("event_log_app", {log_file().string()});
    ASSERT_TRUE(wait_for([&] { return content(log_file()).starts_with("ready\n"); }));
}

std::unique_ptr<Platform> VncTest::open_logged() {
    start_event_log();
    auto platform = open();
    if (const auto pointer = platform ? *platform->pointer() : std::nullopt; pointer) {
        lines_left_out_ = log_ending_with("motion " + std::to_string(pointer->x) + " " + std::to_string(pointer->y) + " 0").size();
    }
    return platform;
}

std::vector<std::string> VncTest::log_ending_with(const std::string& last) {
    std::vector<std::string> lines;
    EXPECT_TRUE(wait_for([&] {
        lines.clear();
        std::istringstream text(content(log_file()));
        for (std::string line; std::getline(text, line);) {
            lines.push_back(line);
        }
        return !lines.empty() && lines.back() == last;
    })) << "last: " << (lines.empty() ? "nothing" : lines.back()) << ", want " << last;
    if (!lines.empty()) {
        lines.erase(lines.begin(), lines.begin() + 1 + static_cast<std::ptrdiff_t>(std::min(lines_left_out_, lines.size() - 1)));
    }
    return lines;
}

int VncTest::count_down() {
    const auto connection = x11::Connection::open({});
    if (!connection) {
        return -1;
    }
    std::array<char, 32> keys{};
    XQueryKeymap((*connection)->get(), keys.data());
    ::Window root = 0, child = 0;
    int x = 0, y = 0;
    unsigned mask = 0;
    XQueryPointer((*connection)->get(), (*connection)->root(), &root, &child, &x, &y, &x, &y, &mask);
    int down = std::popcount(mask & (Button1Mask | Button2Mask | Button3Mask | Button4Mask | Button5Mask));
    for (const char byte : keys) {
        down += std::popcount(static_cast<unsigned char>(byte));
    }
    return down;
}

std::string VncTest::content(const std::filesystem::path& file) const { return read_file(file, 1U << 26U).value_or(std::string("(no file)")); }

std::filesystem::path VncTest::write_private(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_ / name;
    EXPECT_TRUE(write_file_atomic(path, text, 0600));
    return path;
}

} // namespace handeye::vnc
