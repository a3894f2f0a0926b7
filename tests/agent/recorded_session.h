// SPDX-License-Identifier: Apache-2.0
// Sessions of any length as the product records them: its loop and its recorder, a drawn screen that changes with every click, and
// answers from a script.
#pragma once

#include "platforms/platform.h"

#include <filesystem>
#include <string>

namespace handeye::tests {

struct RecordedSession {
    std::string prompt = "glm-4.1v";
    int steps = 6;                  ///< the last one says DONE()
    Size size{1280, 800};
    bool refuses_second = false;    ///< a person denies step 2 and clicks elsewhere; the agent then goes on
    int odd_step = 0;               ///< this one clicks elsewhere, and on something else; 0: none does
    bool is_still = false;          ///< the screen never changes
    std::string thought = "The next line of the list has to be opened.";
    std::string goal = "Go through the list and open every line of it.";
};
/// Writes the recording; `size` at least 640x400.
void record_session(const std::filesystem::path& file, const RecordedSession& wanted);

} // namespace handeye::tests
