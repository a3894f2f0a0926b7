// SPDX-License-Identifier: Apache-2.0
#include "platforms/x11/window_owner.h"

#include "base/file.h"

#include <filesystem>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace handeye::x11 {
namespace {

constexpr std::string_view kDeleted = " (deleted)"; // an update has replaced the file of a program that runs
constexpr std::size_t kCommBytesMax = 64;

/// 0: the server is too old, or its client is on another machine.
int pid_by_server(Connection& connection, ::Window window) {
    int event = 0, error = 0, major = 0, minor = 0;
    if (XResQueryExtension(connection.get(), &event, &error) == 0 || XResQueryVersion(connection.get(), &major, &minor) == 0 ||
        (major == 1 && minor < 2)) {
        return 0;
    }
    XResClientIdSpec spec{window, XRES_CLIENT_ID_PID_MASK};
    long count = 0;
    XResClientIdValue* values = nullptr;
    int pid = 0;
    if (XResQueryClientIds(connection.get(), 1, &spec, &count, &values) == 0) {
        for (long i = 0; i < count; ++i) {
            pid = std::max(pid, static_cast<int>(XResGetClientPid(&values[i])));
        }
        XResClientIdsDestroy(count, values);
    }
    connection.ignore_errors(); // the window may be gone
    return pid;
}

bool is_of_this_machine(Connection& connection, ::Window window) {
    const Property machine = read_property(connection, window, XA_WM_CLIENT_MACHINE);
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && std::string(machine.bytes.begin(), machine.bytes.end()) == name;
}

} // namespace

int pid_of(Connection& connection, ::Window window) {
    if (const int pid = pid_by_server(connection, window); pid > 0) {
        return pid;
    }
    const Property said = read_property(connection, window, connection.atom("_NET_WM_PID"));
    return !said.values.empty() && is_of_this_machine(connection, window) ? static_cast<int>(said.values.front()) : 0;
}

std::string program_of(int pid) {
    if (pid <= 0) {
        return "";
    }
    std::error_code refused;
    const std::filesystem::path program = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), refused);
    if (!refused) {
        std::string name = program.filename().string();
        if (name.ends_with(kDeleted)) {
            name.resize(name.size() - kDeleted.size());
        }
        return name;
    }
    std::string name = read_file(fmt::format("/proc/{}/comm", pid), kCommBytesMax).value_or(std::string()); // another user's
    return name.substr(0, name.find('\n'));
}

} // namespace handeye::x11
