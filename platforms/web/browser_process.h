// SPDX-License-Identifier: Apache-2.0
// A Chromium of our own: found, started with a profile in a temporary folder, and gone with us, whatever ends us.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "base/geometry.h"
#include "base/net/client.h"
#include "base/result.h"
#include "platforms/guarded_child.h"
#include "platforms/owned_folder.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye::web {

/// Where a browser listens for the DevTools protocol.
struct BrowserAddress {
    Endpoint endpoint;
    std::string path; ///< of the browser's own target
};

/// The program: `given` (a path or a name), else the first of chromium, chromium-browser, google-chrome that is installed.
Result<std::filesystem::path> find_browser(const std::string& given);
/// "Chromium 131.0.6778.85 ...", as it says itself; Unavailable where it cannot be run.
Result<std::string> browser_version(const std::filesystem::path& program);

/// Asks http://HOST:PORT/json/version. Unavailable names what was found there instead.
Result<BrowserAddress> find_running_browser(const std::string& host_port, const std::stop_token& stop);

struct LaunchOptions {
    std::filesystem::path program;
    bool is_headless = true;
    Size window;                     ///< in CSS pixels
    std::string display;             ///< X display of the window; empty: $DISPLAY
    std::vector<std::string> extra;  ///< further switches
};

class BrowserProcess {
public:
    /// Returns when it listens. Unavailable quotes what it said when it ended instead.
    static Result<std::unique_ptr<BrowserProcess>> start(const LaunchOptions& options, Clock& clock, const std::stop_token& stop);
    ~BrowserProcess();
    BrowserProcess(const BrowserProcess&) = delete;
    BrowserProcess& operator=(const BrowserProcess&) = delete;

    [[nodiscard]] const BrowserAddress& address() const { return address_; }
    [[nodiscard]] int pid() const { return child_->pid(); }
    /// Empty while it runs. Any thread.
    [[nodiscard]] std::string failure() const;

private:
    BrowserProcess() = default;
    Result<void> wait_until_listening(Clock& clock, const std::stop_token& stop);
    [[nodiscard]] std::string last_words() const;

    OwnedFolder profile_;
    std::unique_ptr<GuardedChild> child_;
    BrowserAddress address_;
};

} // namespace handeye::web
