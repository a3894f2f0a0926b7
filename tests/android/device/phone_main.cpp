// SPDX-License-Identifier: Apache-2.0
// The test phone for a person's own hands: test_phone FOLDER, on $DISPLAY. Start phone_app beside it, then
// `adb connect` to the address that it prints. It ends with its standard input.
#include "tests/android/device/adb_device_end.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

int main(int argc, char** argv) {
    namespace fs = std::filesystem;
    if (argc != 2) {
        std::fprintf(stderr, "usage: test_phone FOLDER\n");
        return 2;
    }
    const fs::path folder = argv[1];
    fs::create_directories(folder / "phone/data/local/tmp");
    fs::create_directories(folder / "tools");
    for (const char* tool : {"input", "screencap", "am", "pm", "cmd", "dumpsys", "settings", "ime", "wm", "getprop", "uiautomator"}) {
        std::error_code known;
        fs::create_symlink(fs::canonical("/proc/self/exe").parent_path() / "phone_tool", folder / "tools" / tool, known);
    }
    handeye::phone::DeviceEndOptions options{.root = folder / "phone", .tools = folder / "tools"};
    for (const char* name : {"DISPLAY", "XAUTHORITY"}) {
        if (const char* value = std::getenv(name); value != nullptr) {
            options.environment.push_back(std::string(name) + "=" + value);
        }
    }
    const handeye::phone::AdbDeviceEnd device(options);
    std::printf("%s\n", device.address().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
}
