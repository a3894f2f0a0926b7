// SPDX-License-Identifier: Apache-2.0
// record_session FILE STEPS [PROMPT] [refused]: a recording of a session, for programs that look at recordings.
#include "tests/agent/recorded_session.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
    handeye::tests::RecordedSession wanted;
    wanted.steps = argc > 2 ? std::atoi(argv[2]) : 0;
    if (wanted.steps < 1) {
        std::fputs("record_session FILE STEPS [PROMPT] [refused]\n", stderr);
        return 2;
    }
    if (argc > 3) {
        wanted.prompt = argv[3];
    }
    wanted.refuses_second = argc > 4 && std::string_view(argv[4]) == "refused";
    handeye::tests::record_session(argv[1], wanted);
    return 0;
}
