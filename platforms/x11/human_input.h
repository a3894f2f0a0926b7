// SPDX-License-Identifier: Apache-2.0
// Tells a person's input, and other programs' events, from our own: raw events of XInput 2, read on a thread and a connection of
// their own, with each event that this platform sends counted off. Raw events come during grabs, too.
#pragma once

#include "base/result.h"
#include "platforms/platform.h"
#include "platforms/x11/connection.h"
#include "platforms/x11/sent_events.h"

#include <array>
#include <memory>
#include <set>
#include <string>
#include <thread>

namespace handeye::x11 {

class HumanInput {
public:
    /// Unsupported without XInput 2.1; InvalidArgument for a chord that is none.
    static Result<std::unique_ptr<HumanInput>> open(const DisplayAddress& address, SentEvents& sent, PersonWatch watch);
    ~HumanInput();
    HumanInput(const HumanInput&) = delete;
    HumanInput& operator=(const HumanInput&) = delete;

private:
    HumanInput(SentEvents& sent, PersonWatch watch) : sent_(sent), watch_(std::move(watch)) {}
    Result<void> select();
    Result<void> read_chord();
    void run();
    void hear(int type, int detail, int source);
    [[nodiscard]] bool is_kill_chord(KeyCode code) const;
    void read_modifiers();

    SentEvents& sent_;
    PersonWatch watch_;
    std::unique_ptr<Connection> connection_;
    int opcode_ = 0;
    std::set<int> test_devices_; ///< whose events XTest makes
    KeyCode kill_key_ = 0;
    unsigned kill_modifiers_ = 0;
    std::array<bool, 256> is_down_{};         ///< by key code: keys that others than us hold
    std::array<unsigned, 256> modifier_of_{}; ///< by key code: ControlMask, Mod1Mask, ...
    int wake_[2] = {-1, -1};     ///< a pipe: its other end closes when it is over
    std::thread thread_;
};

} // namespace handeye::x11
