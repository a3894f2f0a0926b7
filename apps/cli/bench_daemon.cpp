// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/bench_daemon.h"

#include "base/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {

Result<std::unique_ptr<BenchDaemon>> BenchDaemon::start() {
    auto made = std::unique_ptr<BenchDaemon>(new BenchDaemon);
    std::string name = (std::filesystem::temp_directory_path() / "handeye-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        return Error{ErrorCode::IoFailed, fmt::format("no folder for the bench: {}", std::strerror(errno))};
    }
    made->folder_ = name;
    TRY(write_file_atomic(made->folder_ / "config.yaml",
                          fmt::format("listen: \"unix:{}\"\nsessions_dir: {}\nmodel: {}\nlimits: {{connections: 20000}}\n", made->socket().string(),
                                      (made->folder_ / "sessions").string(), (made->folder_ / "no-model").string()), 0600));
    std::error_code problem;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path() / "handeyed";
    if (!std::filesystem::exists(program, problem)) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not there", program.string())};
    }
    const std::string config = (made->folder_ / "config.yaml").string();
    std::array<std::string, 3> words{program.string(), "--config", config};
    std::array<char*, 4> argv{words[0].data(), words[1].data(), words[2].data(), nullptr};
    made->pid_ = ::fork();
    if (made->pid_ == 0) {
        const int null = ::open("/dev/null", O_RDWR);
        ::dup2(null, STDERR_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    return made;
}

BenchDaemon::~BenchDaemon() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

double BenchDaemon::resident_mib() const {
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            return std::atof(line.c_str() + 6) / 1024;
        }
    }
    return 0;
}

double BenchDaemon::cpu_seconds() const {
    std::ifstream stat(fmt::format("/proc/{}/stat", pid_));
    std::string text;
    std::getline(stat, text);
    std::istringstream words(text.substr(std::min(text.size(), text.rfind(')') + 1)));
    std::string skipped;
    for (int field = 3; field < 14; ++field) {
        words >> skipped;
    }
    double user = 0;
    double system = 0;
    words >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

} // namespace handeye
