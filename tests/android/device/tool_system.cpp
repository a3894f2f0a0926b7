// SPDX-License-Identifier: Apache-2.0
// `am`, `pm`, `settings`, `ime`, `wm`, `getprop`: what they do to the phone's state.
#include "tests/android/device/tools.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <sstream>

namespace handeye::phone {

namespace {

constexpr std::array<const char*, 7> kActivities = {"com.android.settings/.Settings", "com.example.notes/.Main", "com.example.list/.Main",
                                                    "com.example.vault/.Main", "com.example.canvas/.Main", "com.android.chrome/com.google.android.apps.chrome.Main",
                                                    "com.android.launcher3/.Launcher"};
constexpr const char* kAdbIme = "com.android.adbkeyboard/.AdbIME";

/// What follows an option; empty: it is not there.
std::string after(const Words& words, const std::string& option) {
    const auto found = std::ranges::find(words, option);
    return found == words.end() || found + 1 == words.end() ? std::string() : *(found + 1);
}

std::optional<std::string> decoded_base64(const std::string& text) {
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned value = 0;
    int bits = 0;
    for (const char c : text.substr(0, text.find('='))) {
        const std::size_t digit = digits.find(c);
        if (digit == std::string::npos) {
            return std::nullopt;
        }
        value = value << 6U | static_cast<unsigned>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>((value >> static_cast<unsigned>(bits)) & 0xFFU);
        }
    }
    return out;
}

/// With those of a test, words of "apps"; "none": the launcher shows nothing.
std::vector<std::string> activities(PhoneX& x) {
    const std::string more = x.get("apps");
    std::vector<std::string> all;
    if (more != "none") {
        all.assign(kActivities.begin(), kActivities.end());
        std::istringstream words(more);
        all.insert(all.end(), std::istream_iterator<std::string>(words), {});
    }
    return all;
}

int start(PhoneX& x, const Words& words) {
    const std::string component = after(words, "-n"), data = after(words, "-d");
    if (after(words, "-a") == "android.intent.action.VIEW" && !data.empty()) {
        say("Starting: Intent { act=android.intent.action.VIEW dat=" + data.substr(0, 40) + " }\n");
        x.set({{"url", data}});
        x.focus("com.android.chrome/com.google.android.apps.chrome.Main");
        return 0;
    }
    say("Starting: Intent { act=android.intent.action.MAIN cmp=" + component + " }\n");
    const std::vector<std::string> known = activities(x);
    if (std::ranges::find(known, component) == known.end()) {
        complain("Error type 3\nError: Activity class {" + component + "} does not exist.\n");
        return 1;
    }
    x.focus(component);
    return 0;
}

/// Without a receiver a broadcast is completed all the same.
int broadcast(PhoneX& x, const Words& words) {
    const std::string action = after(words, "-a"), package = after(words, "-p");
    const bool reaches_keyboard = x.get("ime") == kAdbIme && (package.empty() || package == "com.android.adbkeyboard");
    say("Broadcasting: Intent { act=" + action + " flg=0x400000 (has extras) }\n");
    const std::string to_drop = x.get("drop"); // a test's fault: so many broadcasts are lost
    if (std::atoi(to_drop.c_str()) > 0) {
        x.set({{"drop", std::to_string(std::atoi(to_drop.c_str()) - 1)}});
    } else if (reaches_keyboard && action == "ADB_INPUT_B64") {
        if (std::optional<std::string> text = decoded_base64(after(words, "msg")); text) {
            const std::string lost = x.get("lost_character"); // another fault: an app that does not take this one
            for (std::size_t at = lost.empty() ? std::string::npos : text->find(lost); at != std::string::npos; at = text->find(lost)) {
                text->erase(at, lost.size());
            }
            x.set_property("PHONE_COMMIT", *text);
        }
    }
    x.wait_until_handled();
    say("Broadcast completed: result=0\n");
    return 0;
}

} // namespace

int tool_am(PhoneX& x, const Words& words) {
    if (!words.empty() && words[0] == "start") {
        return start(x, words);
    }
    if (!words.empty() && words[0] == "broadcast") {
        return broadcast(x, words);
    }
    if (words.size() == 2 && words[0] == "force-stop") {
        return 0;
    }
    complain("Error: unknown command\n");
    return 255;
}

int tool_pm(PhoneX& x, const Words& words) {
    if (!words.empty() && words[0] == "query-activities") {
        const bool wants_components = std::ranges::find(words, "--components") != words.end();
        if (wants_components && x.get("tools") != "new") {
            complain("Error: Unknown option: --components\n");
            return 255;
        }
        const std::vector<std::string> known = activities(x);
        say(wants_components ? "" : std::to_string(known.size()) + " activities found:\n");
        int number = 0;
        for (const std::string& activity : known) {
            say(wants_components ? activity + "\n"
                                 : "  Activity #" + std::to_string(number++) + ":\n    priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=false\n    " + activity + "\n");
        }
        return 0;
    }
    if (words.size() >= 2 && words[0] == "list" && words[1] == "packages") {
        for (const std::string& activity : activities(x)) {
            say("package:" + activity.substr(0, activity.find('/')) + "\n");
        }
        return 0;
    }
    complain("Error: unknown command\n");
    return 255;
}

int tool_settings(PhoneX& x, const Words& words) {
    const auto is = [&](const char* verb, const char* key) { return words.size() >= 3 && words[0] == verb && words[1] == "secure" && words[2] == key; };
    if (is("get", "default_input_method")) {
        say(x.get("ime") + "\n");
    } else if (is("get", "long_press_timeout")) {
        say("400\n");
    } else if (!words.empty() && words[0] == "get") {
        say("null\n");
    } else {
        complain("Invalid command\n");
        return 255;
    }
    return 0;
}

int tool_ime(PhoneX& x, const Words& words) {
    const bool has_adb_ime = x.get("adbkeyboard") == "1";
    if (!words.empty() && words[0] == "list") {
        say(std::string("com.android.inputmethod.latin/.LatinIME\n") + (has_adb_ime ? std::string(kAdbIme) + "\n" : ""));
        return 0;
    }
    const bool is_known = words.size() == 2 && (words[1] == "com.android.inputmethod.latin/.LatinIME" || (has_adb_ime && words[1] == kAdbIme));
    if (words.size() == 2 && !is_known) {
        complain("Error: Unknown input method " + words[1] + " cannot be selected for user #0\n");
        return 255;
    }
    if (words.size() == 2 && words[0] == "set") {
        x.set({{"ime", words[1]}});
        say("Input method " + words[1] + " selected for user #0\n");
        return 0;
    }
    if (words.size() == 2 && words[0] == "enable") {
        say("Input method " + words[1] + ": now enabled for user #0\n");
        return 0;
    }
    complain("Unknown command\n");
    return 255;
}

int tool_wm(PhoneX& x, const Words& words) {
    if (words.size() == 1 && words[0] == "size") {
        say("Physical size: " + x.get("width") + "x" + x.get("height") + "\n");
        return 0;
    }
    if (words.size() == 1 && words[0] == "dismiss-keyguard") {
        if (x.get("lock_secure") != "1") {
            x.set({{"locked", "0"}});
        }
        return 0;
    }
    complain("Error: unknown command\n");
    return 255;
}

int tool_getprop(PhoneX& x, const Words& words) {
    say((words.size() == 1 && words[0] == "ro.build.version.sdk" ? x.get("sdk") : "") + "\n");
    return 0;
}

} // namespace handeye::phone
