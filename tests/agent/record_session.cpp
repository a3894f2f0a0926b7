// SPDX-License-Identifier: Apache-2.0
// record_session FILE STEPS [PROMPT] [refused|still|odd=STEP]...: a recording of a session, for programs that look at recordings.
#include "tests/agent/recorded_session.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
    handeye::tests::RecordedSession wanted;
    wanted.steps = argc > 2 ? std::atoi(argv[2]) : 0;
    if (wanted.steps < 1) {
        std::fputs("record_session FILE STEPS [PROMPT] [refused|still|odd=STEP]...\n", stderr);
        return 2;
    }
    if (argc > 3) {
        wanted.prompt = argv[3];
    }
    for (int i = 4; i < argc; ++i) {
        const std::string_view word = argv[i];
        wanted.refuses_second = wanted.refuses_second || word == "refused";
        wanted.is_still = wanted.is_still || word == "still";
        wanted.odd_step = word.starts_with("odd=") ? std::atoi(argv[i] + 4) : wanted.odd_step;
    }
    handeye::tests::record_session(argv[1], wanted);
    return 0;
}
