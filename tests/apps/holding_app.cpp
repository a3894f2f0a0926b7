// SPDX-License-Identifier: Apache-2.0
// Drags, presses chords and types without end through the platform "x11", or "vnc" at the server argv[2], until a signal: then it lets go of
// everything and ends, as the programs of this project do. It writes a file (argv[1]) once it is at work.
#include "platforms/open_platform.h"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include <unistd.h>

using namespace handeye;

namespace {

Result<void> work(Platform& platform, int round, const char* text) {
    const int x = 50 + (round * 37) % 400;
    TRY(platform.inject(PointerMove{{x, 100}}));
    TRY(platform.inject(PointerButton{MouseButton::Left, Edge::Press}));
    TRY(platform.inject(PointerMove{{x + 40, 140}}));
    TRY(platform.inject(Key{"Control_L", Edge::Press}));
    TRY(platform.inject(Key{"Shift_L", Edge::Press}));
    TRY(platform.inject(Key{"b", Edge::Press}));
    TRY(platform.inject(Key{"b", Edge::Release}));
    TRY(platform.inject(Key{"Shift_L", Edge::Release}));
    TRY(platform.inject(Key{"Control_L", Edge::Release}));
    TRY(platform.inject(PointerButton{MouseButton::Left, Edge::Release}));
    const auto typed = platform.type_text(text, {});
    return typed ? Result<void>() : Result<void>(typed.error());
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // before any thread starts
    SystemClock clock;
    PlatformOptions options;
    if (argc == 3) {
        options.platform = "vnc";
        options.attach = argv[2];
    }
    auto platform = open_platform(options, clock);
    if (!platform) {
        std::fprintf(stderr, "%s\n", platform.error().message.c_str());
        return 5;
    }
    std::thread([signals] {
        int number = 0;
        sigwait(&signals, &number);
        close_all_input();
        _exit(3);
    }).detach();
    const char* const text = argc == 3 ? "Type and MORE" : "Type Äß字 and MORE"; // a paste that nobody takes is waited for
    std::ofstream(argv[1]) << "at work\n";
    for (int round = 0;; ++round) {
        const auto done = work(**platform, round, text);
        if (!done && done.error().code != ErrorCode::Cancelled) {
            std::fprintf(stderr, "%s\n", done.error().message.c_str());
            return 1;
        }
    }
}
