// SPDX-License-Identifier: Apache-2.0
// All input of a display as its server handled it (the RECORD extension), on a thread and connections of their own: each event
// with the pointer's place and the keyboard's state of its moment, also during grabs. Raw events of XInput 2 tell no places, and make
// good what RECORD loses: keys; of buttons, that they were lost.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "platforms/person_input.h"
#include "platforms/x11/connection.h"
#include "platforms/x11/input_merge.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace handeye::x11 {

class PersonInputReader {
public:
    /// Unsupported without the RECORD extension. `clock` outlives the reader.
    static Result<std::unique_ptr<PersonInputReader>> open(const DisplayAddress& address, Clock& clock, PersonFollow follow);
    ~PersonInputReader();
    PersonInputReader(const PersonInputReader&) = delete;
    PersonInputReader& operator=(const PersonInputReader&) = delete;

private:
    class Composer; // dead keys and Compose
    PersonInputReader(Clock& clock, PersonFollow follow);
    Result<void> start(const DisplayAddress& address);
    void run();
    void read();
    void settle_doubts();
    void hear(const HeardInput& heard, bool recovered);
    void tell_lost();
    [[nodiscard]] PersonKey key_of(const HeardInput& heard);
    void refresh_keymap();
    TimePoint time_of(std::uint32_t server_ms);
    static void on_data(XPointer self, XRecordInterceptData* data);

    Clock& clock_;
    PersonFollow follow_;
    std::unique_ptr<Connection> control_; ///< of the thread once that runs
    std::unique_ptr<Connection> data_;
    std::unique_ptr<RawInput> raw_;
    InputMerge merge_{[this](const HeardInput& heard, bool recovered) { hear(heard, recovered); }};
    std::vector<HeardInput> recorded_; ///< read, and not merged yet
    Point last_at_;
    PersonLost lost_;                  ///< and not told yet
    TimePoint lost_time_{};
    std::unique_ptr<Composer> composer_;
    XRecordContext context_ = 0;
    int xkb_event_ = 0;
    std::optional<std::uint32_t> newest_ms_; ///< of the server, which wraps around after 49 days
    TimePoint newest_{};
    int wake_[2] = {-1, -1}; ///< a pipe: its other end closes when it is over
    std::thread thread_;
};

} // namespace handeye::x11
