// SPDX-License-Identifier: Apache-2.0
// What platforms with a keyboard and a pointer are tested with: random texts of many scripts, and random events with what an
// application must have received of them.
#pragma once

#include "platforms/platform.h"

#include <random>
#include <string>
#include <vector>

namespace handeye::x11 {

std::string utf8(char32_t c);

/// ASCII, German, Chinese, emoji or letters with combining marks, or all mixed.
class RandomText {
public:
    explicit RandomText(std::mt19937 generator) : generator_(generator) {}

    std::string next();

private:
    int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator_); }
    std::string one(int kind);
    std::mt19937 generator_;
};

/// Sends `count` random events to a desktop of this size, and F12. Returns the lines that event_log_app writes of them.
std::vector<std::string> send_random_events(Platform& platform, std::mt19937 generator, Size desktop, int count);

} // namespace handeye::x11
