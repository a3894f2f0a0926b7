// SPDX-License-Identifier: Apache-2.0
// Continues a recording without end and prints the number of each acknowledged step: to be killed by recorder_test.
#include "agent/recorder.h"
#include "tests/agent/recording_samples.h"

#include <cstdio>
#include <string>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    const auto recorder = handeye::Recorder::open(argv[1], "S");
    if (!recorder) {
        std::fprintf(stderr, "%s\n", recorder.error().message.c_str());
        return 1;
    }
    std::string line = "0\n"; // up
    for (int i = 1; ::write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size()); ++i) {
        // As in a session: several events that are only written, then the one that acknowledges them.
        handeye::SessionEvent event = handeye::tests::make_event(i, static_cast<std::size_t>(i % 7) * 9000 + 10);
        event.durability = i % 4 == 0 ? handeye::Durability::Synced : handeye::Durability::Written;
        const auto seq = (*recorder)->on_event(event);
        if (!seq) {
            return 1;
        }
        line = std::to_string(*seq) + "\n";
    }
    return 0;
}
