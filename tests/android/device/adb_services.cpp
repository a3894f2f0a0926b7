// SPDX-License-Identifier: Apache-2.0
#include "tests/android/device/adb_services.h"

#include "tests/android/device/adb_device_end.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

namespace handeye::phone {

namespace {

constexpr std::size_t kPieceBytes = 64U << 10U;
enum class Framing { Packets, Plain };
constexpr char kStdout = 1, kStderr = 2, kExit = 3;

std::string little_endian(std::uint32_t value) {
    std::string bytes(4, '\0');
    std::memcpy(bytes.data(), &value, 4);
    return bytes;
}

std::string packet(char kind, std::string_view data) { return std::string(1, kind) + little_endian(static_cast<std::uint32_t>(data.size())) + std::string(data); }

/// What lies below /data on a phone lies below the test's folder here: changing the root takes a superuser.
std::string with_root(std::string text, const DeviceEndOptions& options) {
    const std::string data = "/data/local/tmp", ours = options.root.string() + data;
    for (std::size_t at = text.find(data); at != std::string::npos; at = text.find(data, at + ours.size())) {
        text.replace(at, data.size(), ours);
    }
    return text;
}
std::string without_root(std::string text, const DeviceEndOptions& options) {
    const std::string root = options.root.string();
    for (std::size_t at = text.find(root); at != std::string::npos; at = text.find(root)) {
        text.erase(at, root.size());
    }
    return text;
}

struct Pipe {
    std::array<int, 2> ends{};
    Pipe() {
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            std::abort();
        }
    }
};

pid_t start_shell(const std::string& command, const DeviceEndOptions& options, int out, int err) {
    std::vector<std::string> environment = options.environment;
    environment.push_back("PATH=" + options.tools.string() + ":/usr/bin:/bin");
    std::vector<char*> envp;
    for (std::string& entry : environment) {
        envp.push_back(entry.data());
    }
    envp.push_back(nullptr);
    std::string sh = "/bin/sh", dash_c = "-c", line = command;
    std::array<char*, 4> argv{sh.data(), dash_c.data(), line.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    pid_t pid = -1;
    ::posix_spawn(&pid, sh.c_str(), &actions, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/// Copies until both are at their end.
void pump(std::array<pollfd, 2> ends, ServiceStream& stream, Framing framing, const DeviceEndOptions& options) {
    std::array<char, kPieceBytes> piece{};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        ::poll(ends.data(), ends.size(), -1);
        for (std::size_t i = 0; i < ends.size(); ++i) {
            if (ends[i].fd < 0 || ends[i].revents == 0) {
                continue;
            }
            const ssize_t count = ::read(ends[i].fd, piece.data(), piece.size());
            if (count <= 0) {
                ends[i].fd = -1;
                continue;
            }
            const std::string_view raw(piece.data(), static_cast<std::size_t>(count));
            const std::string data = raw.find(options.root.string()) == std::string_view::npos ? std::string(raw) : without_root(std::string(raw), options);
            stream.write(framing == Framing::Packets ? packet(i == 0 ? kStdout : kStderr, data) : data);
        }
    }
}

void run_shell(const std::string& command, ServiceStream& stream, Framing framing, const DeviceEndOptions& options) {
    const Pipe out, err;
    const pid_t pid = start_shell(with_root(command, options), options, out.ends[1], framing == Framing::Packets ? err.ends[1] : out.ends[1]);
    ::close(out.ends[1]);
    ::close(err.ends[1]);
    pump({pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0}}, stream, framing, options);
    ::close(out.ends[0]);
    ::close(err.ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (framing == Framing::Packets) {
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        stream.write(packet(kExit, std::string(1, static_cast<char>(code))));
    }
}

/// SYNC.TXT: an id, a length and a path for each request.
class Sync {
public:
    Sync(ServiceStream& stream, const DeviceEndOptions& options) : stream_(stream), options_(options) {}

    void run() {
        while (fill(8)) {
            const std::string id = take(4);
            std::uint32_t length = 0;
            std::memcpy(&length, take(4).data(), 4);
            if (id == "QUIT" || length > 1024 || !fill(length)) {
                return;
            }
            const std::string path = with_root(take(length), options_);
            if (id == "RECV") {
                receive(path);
            } else if (id == "STAT") {
                status(path);
            } else {
                stream_.write("FAIL" + little_endian(15) + "unknown command");
            }
        }
    }

private:
    bool fill(std::size_t bytes) {
        while (buffer_.size() < bytes) {
            const std::string more = stream_.read();
            if (more.empty()) {
                return false;
            }
            buffer_ += more;
        }
        return true;
    }
    std::string take(std::size_t bytes) {
        std::string out = buffer_.substr(0, bytes);
        buffer_.erase(0, bytes);
        return out;
    }
    void receive(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) {
            const std::string why = "No such file or directory";
            stream_.write("FAIL" + little_endian(static_cast<std::uint32_t>(why.size())) + why);
            return;
        }
        std::stringstream content;
        content << file.rdbuf();
        const std::string all = content.str();
        for (std::size_t at = 0; at < all.size(); at += kPieceBytes) {
            const std::string piece = all.substr(at, kPieceBytes);
            stream_.write("DATA" + little_endian(static_cast<std::uint32_t>(piece.size())) + piece);
        }
        stream_.write("DONE" + little_endian(0));
    }
    void status(const std::string& path) {
        struct stat info {};
        const bool is_there = ::stat(path.c_str(), &info) == 0;
        stream_.write("STAT" + little_endian(is_there ? info.st_mode : 0) + little_endian(is_there ? static_cast<std::uint32_t>(info.st_size) : 0) +
                      little_endian(is_there ? static_cast<std::uint32_t>(info.st_mtime) : 0));
    }

    ServiceStream& stream_;
    const DeviceEndOptions& options_;
    std::string buffer_;
};

} // namespace

bool knows_service(std::string_view service, const DeviceEndOptions& options) {
    return service.starts_with("exec:") || service.starts_with("shell:") || service == "sync:" || (options.has_shell_v2 && service.starts_with("shell,v2"));
}

void run_service(std::string_view service, ServiceStream& stream, const DeviceEndOptions& options) {
    const std::string command(service.substr(service.find(':') + 1));
    if (service == "sync:") {
        Sync(stream, options).run();
    } else {
        run_shell(command, stream, service.starts_with("shell,v2") ? Framing::Packets : Framing::Plain, options);
    }
}

} // namespace handeye::phone
