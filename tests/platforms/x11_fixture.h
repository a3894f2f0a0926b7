// SPDX-License-Identifier: Apache-2.0
// A display of its own for each test, programs on it, and waiting for conditions with a deadline.
#pragma once

#include "platforms/open_platform.h"
#include "platforms/x11/headless.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handeye::x11 {

class X11Test : public ::testing::Test {
protected:
    /// Starts the display and makes it this process's own ($DISPLAY, $XAUTHORITY).
    void start_display(bool with_window_manager, Size size = {1024, 768});
    /// Opens the platform on the display that was started.
    std::unique_ptr<Platform> open(PlatformOptions options = {});
    /// Starts one of our test programs (bin/NAME) or a program in PATH; it ends with the test. Unless `tells` it tells nothing of
    /// what it shows (AT-SPI), and starts faster.
    enum class Accessible { No, Yes };
    void start_app(const std::string& name, std::vector<std::string> arguments, Accessible tells = Accessible::No);
    /// Waits until `condition` holds; false after `seconds`.
    bool wait_for(const std::function<bool()>& condition, int seconds = 15);
    /// Waits until a window of this title is listed and returns it.
    WindowInfo wait_for_window(Platform& platform, const std::string& title);

    [[nodiscard]] std::filesystem::path folder() const { return folder_.path; }
    [[nodiscard]] std::string content(const std::filesystem::path& file) const;

    SystemClock clock_;
    std::unique_ptr<HeadlessDisplay> display_;
    std::vector<std::unique_ptr<GuardedChild>> apps_; // gone before the display

private:
    struct TemporaryFolder {
        std::filesystem::path path;
        TemporaryFolder();
        ~TemporaryFolder();
    };
    TemporaryFolder folder_;
};

/// `full` when HANDEYE_FULL is set, otherwise `brief`.
inline int count_of(int full, int brief) { return std::getenv("HANDEYE_FULL") != nullptr ? full : brief; }

/// A generator whose seed is printed; HANDEYE_SEED repeats a run.
std::mt19937 seeded_generator();

void click(Platform& platform, Point at);
void press_chord(Platform& platform, const std::vector<std::string>& keys);

} // namespace handeye::x11
