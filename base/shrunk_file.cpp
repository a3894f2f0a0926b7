// SPDX-License-Identifier: Apache-2.0
#include "base/shrunk_file.h"

#include <csignal>
#include <string_view>

#include <unistd.h>

namespace handeye {

namespace {

volatile std::sig_atomic_t exit_code_ = 5;

// In a signal handler: nothing but write() and _exit().
void explain(int signal, siginfo_t* info, void*) {
    constexpr std::string_view kWhy = "handeye: a file became shorter while it was in use, so parts of it cannot be read any more: was a model replaced in its place? Start again once it is whole.\n";
    if (info->si_code == BUS_ADRERR) {
        const ssize_t ignored = ::write(STDERR_FILENO, kWhy.data(), kWhy.size());
        static_cast<void>(ignored);
        ::_exit(exit_code_);
    }
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

} // namespace

void explain_shrunk_files(int exit_code) {
    exit_code_ = exit_code;
    struct sigaction action {};
    action.sa_sigaction = explain;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
}

} // namespace handeye
