// SPDX-License-Identifier: Apache-2.0
// A session file from a stranger: opening, reading, verifying and reporting it must end in a value or an Error.
#include "agent/recorder.h"
#include "agent/report.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace {

// SQLite reads files, so each input becomes one, in memory where the system has /dev/shm.
const std::string& scratch_file() {
    static const std::string name = [] {
        std::string path = (std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/recording-fuzz-XXXXXX");
        const int file = ::mkstemp(path.data());
        if (file < 0) {
            std::abort();
        }
        ::close(file);
        static const struct Remover {
            std::string path;
            ~Remover() { ::unlink(path.c_str()); }
        } remover{path};
        return path;
    }();
    return name;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int file = ::open(scratch_file().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) {
        std::abort();
    }
    ::close(file);
    const auto recording = handeye::Recording::open(scratch_file());
    if (recording) {
        static_cast<void>(recording->events(1, 1000));
        static_cast<void>(recording->verify_chain());
        static_cast<void>(handeye::render_report_html(*recording));
    }
    return 0;
}
