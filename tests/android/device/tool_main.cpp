// SPDX-License-Identifier: Apache-2.0
#include "tests/android/device/tools.h"

#include <cstdio>
#include <filesystem>

namespace handeye::phone {

void say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void complain(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); }

} // namespace handeye::phone

int main(int argc, char** argv) {
    using namespace handeye::phone;
    struct Tool {
        const char* name;
        int (*run)(PhoneX&, const Words&);
    };
    constexpr Tool kTools[] = {{"input", tool_input},       {"screencap", tool_screencap}, {"am", tool_am},   {"pm", tool_pm},       {"dumpsys", tool_dumpsys},
                               {"settings", tool_settings}, {"ime", tool_ime},             {"wm", tool_wm},   {"getprop", tool_getprop}, {"uiautomator", tool_uiautomator}};
    std::string name = std::filesystem::path(argv[0]).filename().string();
    Words words(argv + 1, argv + argc);
    if (name == "cmd" && !words.empty() && words[0] == "package") { // `cmd package` is `pm`
        name = "pm";
        words.erase(words.begin());
    }
    for (const Tool& tool : kTools) {
        if (name == tool.name) {
            PhoneX x;
            return tool.run(x, words);
        }
    }
    complain("/system/bin/sh: " + name + ": inaccessible or not found\n");
    return 127;
}
