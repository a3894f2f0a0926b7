// SPDX-License-Identifier: Apache-2.0
// Opens a platform by name.
#pragma once

#include "platforms/platform.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace handeye {

/// The platform "web"; see docs/web.md.
struct WebOptions {
    std::string url;                 ///< the first page; empty: a blank one
    std::string browser;             ///< the program; empty: the Chromium that is installed
    double scale = 0;                ///< device pixels of a CSS pixel, 0.25 to 8; 0: 1 where headless, else the display's own
    std::vector<std::string> allow;  ///< domains and schemes; not empty: nothing else is loaded
    std::vector<std::string> deny;   ///< not loaded even where allowed
    std::vector<std::string> grant;  ///< permissions that pages may have ("geolocation"); all others are denied
    std::filesystem::path uploads;   ///< files below it may be given to pages that ask for files; downloads of the session always may
    std::filesystem::path downloads; ///< empty: a folder of the session below the state folder
};

/// The platform "vnc"; see docs/vnc.md.
struct VncOptions {
    std::string user;                    ///< the name that the server asks for
    std::filesystem::path password_file; ///< empty: $HANDEYE_VNC_PASSWORD, or none
    std::string tls;                     ///< "auto", "require" or "verify"; empty: auto
    std::filesystem::path bound_passwords; ///< not empty: who named the server may use no password but the one that lies here in HOST::PORT
    std::filesystem::path ca_file;       ///< authorities that may have signed the server's certificate, PEM
    bool view_only = false;              ///< every input is refused
};

struct PlatformOptions {
    std::string platform = "x11";      ///< a name of platform_names()
    std::string display;               ///< X display; empty: $DISPLAY
    std::string window_title;          ///< x11: scope the session to the window whose title contains this; empty: whole display
    std::optional<Rect> region;        ///< x11: scope to this part of the display
    std::optional<Size> headless;      ///< x11: start and own an Xvfb of this size with a small window manager; web: no window, a viewport of this size in CSS pixels
    std::string serial;                ///< android: the serial as adb tells it; empty: the only one
    std::string attach;                ///< HOST:PORT of what is running already
    WebOptions web;
    VncOptions vnc;
    std::filesystem::path replay_file; ///< replay: frames of a recording
};

/// The target exists and answers when this returns; otherwise Unavailable says what is missing and the command that fixes it.
Result<std::unique_ptr<Platform>> open_platform(const PlatformOptions& options, Clock& clock);

/// Takes over what the environment holds for platforms and must not hand on to children ($HANDEYE_VNC_PASSWORD). To be called at the start of
/// a program, before it starts another or has threads.
void take_environment();

struct PlatformSupport {
    std::string name;
    bool is_available = false;
    std::string detail; ///< why not, or what it will use
};
/// Every platform this build knows, with what is missing here.
std::vector<PlatformSupport> list_platforms();

/// What the program that "web" would start says of itself ("Chromium 120.0.6099.224"); `given` as WebOptions::browser. Unavailable where it is missing or does not run.
Result<std::string> web_browser_version(const std::string& given);

/// Releases what every open Platform of this process holds: for signal and crash paths of the programs. Async-signal-unsafe:
/// call it from a thread that waits for signals.
void release_all_platforms();
/// The same, and nothing is pressed by any open Platform from then on (Cancelled): for a program that is about to end.
void close_all_input();

} // namespace handeye
