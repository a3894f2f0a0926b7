// SPDX-License-Identifier: Apache-2.0
#include "tests/platforms/x11_fixture.h"

#include "base/file.h"

#include <algorithm>
#include <iostream>

namespace handeye::x11 {

X11Test::TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "handeye-test-XXXXXX").string();
    path = mkdtemp(name.data()) == nullptr ? "" : name;
}

X11Test::TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

void X11Test::start_display(bool with_window_manager, Size size) {
    apps_.clear();
    display_.reset();
    auto display = HeadlessDisplay::start({size, with_window_manager}, clock_);
    ASSERT_TRUE(display) << display.error().message;
    display_ = std::move(*display);
    for (const auto& [name, value] : display_->environment()) {
        setenv(name.c_str(), value.c_str(), 1);
    }
}

std::unique_ptr<Platform> X11Test::open(PlatformOptions options) {
    auto platform = open_platform(options, clock_);
    EXPECT_TRUE(platform) << platform.error().message;
    return platform ? std::move(*platform) : nullptr;
}

void X11Test::start_app(const std::string& name, std::vector<std::string> arguments, Accessible tells) {
    const std::string ours = std::string(HANDEYE_BINARY_DIR) + "/bin/" + name;
    const auto path = std::filesystem::exists(ours) ? Result<std::string>(ours) : find_program(name);
    ASSERT_TRUE(path) << path.error().message;
    arguments.insert(arguments.begin(), *path);
    Environment changes = display_->environment();
    changes.emplace_back("LC_ALL", "C.UTF-8");
    changes.emplace_back("GTK_IM_MODULE", "gtk-im-context-simple");
    if (tells == Accessible::No) {
        changes.emplace_back("NO_AT_BRIDGE", "1");
    }
    changes.emplace_back("GDK_BACKEND", "x11");
    auto child = GuardedChild::start(arguments, merged_environment(changes), -1);
    ASSERT_TRUE(child) << child.error().message;
    apps_.push_back(std::move(*child));
}

bool X11Test::wait_for(const std::function<bool()>& condition, int seconds) {
    const TimePoint deadline = clock_.now() + std::chrono::seconds(seconds);
    while (!condition()) {
        if (clock_.now() >= deadline) {
            return false;
        }
        clock_.sleep_for(std::chrono::milliseconds(2), {});
    }
    return true;
}

WindowInfo X11Test::wait_for_window(Platform& platform, const std::string& title) {
    WindowInfo found;
    EXPECT_TRUE(wait_for([&] {
        const auto windows = platform.windows();
        if (!windows) {
            return false;
        }
        const auto at = std::find_if(windows->begin(), windows->end(),
                                     [&](const auto& w) { return w.title_utf8.find(title) != std::string::npos; });
        if (at == windows->end() || at->area.size().is_empty()) {
            return false;
        }
        found = *at;
        return true;
    }, 60)) << "no window titled " << title;
    return found;
}

std::string X11Test::content(const std::filesystem::path& file) const {
    return read_file(file, 1U << 26U).value_or(std::string("(no file)"));
}

std::mt19937 seeded_generator() {
    const char* wanted = std::getenv("HANDEYE_SEED");
    const auto seed = wanted != nullptr ? static_cast<std::uint32_t>(std::stoul(wanted)) : std::random_device{}();
    std::cout << "HANDEYE_SEED=" << seed << "\n";
    return std::mt19937(seed);
}

void click(Platform& platform, Point at) {
    ASSERT_TRUE(platform.inject(PointerMove{at}));
    ASSERT_TRUE(platform.inject(PointerButton{MouseButton::Left, Edge::Press}));
    ASSERT_TRUE(platform.inject(PointerButton{MouseButton::Left, Edge::Release}));
}

void press_chord(Platform& platform, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
        ASSERT_TRUE(platform.inject(Key{key, Edge::Press}));
    }
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        ASSERT_TRUE(platform.inject(Key{*key, Edge::Release}));
    }
}

} // namespace handeye::x11
