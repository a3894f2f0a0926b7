// SPDX-License-Identifier: Apache-2.0
// What real programs tell of their windows, on a real display: found by label, and where they are.
#include "tests/platforms/x11_fixture.h"

#include "platforms/x11/connection.h"

#include <algorithm>
#include <csignal>
#include <fstream>

namespace handeye::x11 {
namespace {

/// Real time, until it is stopped.
class StoppableClock final : public Clock {
public:
    TimePoint now() override { return is_stopped_ ? stopped_at_ : real_.now(); }
    WallTime wall_now() override { return real_.wall_now(); }
    WaitResult sleep_until(TimePoint deadline, std::stop_token stop) override { return real_.sleep_until(deadline, std::move(stop)); }
    void stop() {
        stopped_at_ = real_.now();
        is_stopped_ = true;
    }
    void go_on() { is_stopped_ = false; }

private:
    SystemClock real_;
    TimePoint stopped_at_;
    bool is_stopped_ = false;
};

class X11Elements : public X11Test {
protected:
    void SetUp() override {
        setenv("GSETTINGS_BACKEND", "memory", 1); // nothing of whoever runs this is changed
        start_display(true);
        ASSERT_TRUE(display_->has_bus()) << "at-spi2-core and dbus-daemon are needed: tools/packages.txt";
    }
    /// What is there when such an element is; the last look otherwise, and a failure.
    std::vector<Element> wait_for_element(Platform& platform, const std::string& role, const std::string& label) {
        std::vector<Element> elements;
        EXPECT_TRUE(wait_for([&] {
            auto now = platform.elements();
            if (now) {
                elements = *std::move(now);
            }
            return find(elements, role, label) != nullptr;
        })) << "no " << role << " \"" << label << "\"";
        return elements;
    }
    static const Element* find(const std::vector<Element>& elements, const std::string& role, const std::string& label) {
        const auto found = std::find_if(elements.begin(), elements.end(), [&](const Element& e) { return e.role == role && e.label_utf8 == label; });
        return found == elements.end() ? nullptr : &*found;
    }
    /// A menu or another window that no manager lists is one of those that can be clicked.
    void wait_for_window_of(Platform& platform, int pid) {
        EXPECT_TRUE(wait_for([&] {
            const auto window = platform.window_at({10, 10});
            return window && window->pid == pid;
        }));
    }
    void press(Platform& platform, const std::string& role, const std::string& label) {
        const auto elements = wait_for_element(platform, role, label);
        const Element* element = find(elements, role, label);
        ASSERT_NE(element, nullptr);
        click(platform, element->box.center());
    }
    static bool is_well_formed(const std::vector<Element>& elements, Size target) {
        int mark = 0;
        for (std::size_t i = 0; i < elements.size(); ++i) {
            const Element& e = elements[i];
            const bool is_inside = e.box.x >= 0 && e.box.y >= 0 && e.box.x + e.box.width_px <= target.width_px && e.box.y + e.box.height_px <= target.height_px;
            if (!is_inside || e.box.size().is_empty() || e.parent >= static_cast<int>(i) || (e.mark != 0 && e.mark != ++mark) ||
                e.label_utf8.size() > 256 || e.value_utf8.size() > 1024) {
                return false;
            }
        }
        return elements.size() <= 2000;
    }
};

TEST_F(X11Elements, EachKindOfThingIsToldWithItsStateAndItsPlace) {
    start_app("accessible_app", {}, Accessible::Yes);
    const auto platform = open();
    const auto elements = wait_for_element(*platform, "push button", "Row 0");
    EXPECT_TRUE(is_well_formed(elements, {1024, 768}));
    const Element* name = find(elements, "entry", "Name");
    ASSERT_NE(name, nullptr); // by the label beside it
    EXPECT_EQ(name->value_utf8, "Ada");
    EXPECT_EQ(name->id, "name-field");
    EXPECT_GT(name->mark, 0);
    EXPECT_FALSE(name->is_secret);
    EXPECT_FALSE(name->is_checked);
    const Element* password = find(elements, "password text", "Password");
    ASSERT_NE(password, nullptr);
    EXPECT_TRUE(password->is_secret);
    EXPECT_EQ(password->value_utf8, "");
    const Element* never = find(elements, "push button", "Never");
    ASSERT_NE(never, nullptr);
    EXPECT_FALSE(never->is_enabled);
    EXPECT_EQ(never->mark, 0);
    ASSERT_NE(find(elements, "check box", "Agree"), nullptr);
    EXPECT_EQ(find(elements, "check box", "Agree")->is_checked, true);
    EXPECT_EQ(find(elements, "check box", "Later")->is_checked, false);
    EXPECT_NE(find(elements, "push button", "In front"), nullptr);
    EXPECT_EQ(find(elements, "push button", "Behind"), nullptr);  // on the page that is not shown
    EXPECT_EQ(find(elements, "push button", "Row 39"), nullptr);  // scrolled out of sight
    EXPECT_EQ(find(elements, "menu item", "Open it"), nullptr);   // in a menu that is closed
    for (const Element& element : elements) {
        EXPECT_EQ(element.value_utf8.find("hunter2"), std::string::npos);
        EXPECT_EQ(element.label_utf8.find("hunter2"), std::string::npos);
    }
    const Element* frame = find(elements, "frame", "handeye accessible");
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->parent, -1);
}

TEST_F(X11Elements, AClickOnABoxPressesWhatIsThere) {
    start_app("accessible_app", {"300"}, Accessible::Yes);
    const auto platform = open();
    press(*platform, "push button", "Press");
    wait_for_element(*platform, "label", "pressed 1");
    press(*platform, "check box", "Later");
    EXPECT_TRUE(wait_for([&] {
        const auto elements = platform->elements();
        const Element* later = elements ? find(*elements, "check box", "Later") : nullptr;
        return later != nullptr && later->is_checked == true;
    }));
}

TEST_F(X11Elements, AMenusItemsAreThereOnceItIsOpenAndWhatItCoversIsNot) {
    start_app("accessible_app", {}, Accessible::Yes);
    const auto platform = open();
    press(*platform, "menu", "Things");
    const auto elements = wait_for_element(*platform, "menu item", "Close it");
    const Element* item = find(elements, "menu item", "Close it");
    const Element* name = find(elements, "entry", "Name");
    ASSERT_NE(item, nullptr);
    EXPECT_TRUE(name == nullptr || !item->box.contains(name->box.center()));
    EXPECT_TRUE(is_well_formed(elements, {1024, 768}));
    click(*platform, item->box.center());
    EXPECT_TRUE(wait_for([&] {
        const auto after = platform->elements();
        return after && find(*after, "menu item", "Close it") == nullptr && find(*after, "push button", "Press") != nullptr;
    }));
}

TEST_F(X11Elements, CoordinatesAreThoseOfTheTarget) {
    start_app("accessible_app", {"200"}, Accessible::Yes);
    const auto whole = open();
    wait_for_element(*whole, "push button", "Press");
    PlatformOptions of_window;
    of_window.window_title = "handeye accessible";
    const auto window = open(of_window);
    const Point origin = window->display()->origin;
    const auto in_window = wait_for_element(*window, "push button", "Press");
    const auto in_display = wait_for_element(*whole, "push button", "Press");
    const Rect near = find(in_window, "push button", "Press")->box;
    const Rect far = find(in_display, "push button", "Press")->box;
    EXPECT_EQ(far, (Rect{near.x + origin.x, near.y + origin.y, near.width_px, near.height_px}));
    EXPECT_TRUE(is_well_formed(in_window, window->display()->size));
    click(*window, near.center());
    wait_for_element(*window, "label", "pressed 1");
    PlatformOptions of_region;
    of_region.region = far;
    const auto part = open(of_region);
    const auto in_part = wait_for_element(*part, "push button", "Press");
    EXPECT_EQ(find(in_part, "push button", "Press")->box, (Rect{0, 0, far.width_px, far.height_px}));
    EXPECT_EQ(find(in_part, "check box", "Agree"), nullptr);
}

TEST_F(X11Elements, WhatAnotherWindowCoversIsLeftOutButForPasswordFields) {
    start_app("accessible_app", {}, Accessible::Yes);
    const auto platform = open();
    const auto before = wait_for_element(*platform, "push button", "Press");
    ASSERT_NE(find(before, "push button", "Press"), nullptr);
    start_app("paint_app", {"still", "0", "0", "1000", "740", "0"});
    wait_for_window(*platform, "handeye paint");
    EXPECT_TRUE(wait_for([&] {
        const auto elements = platform->elements();
        return elements && find(*elements, "push button", "Press") == nullptr && find(*elements, "password text", "Password") != nullptr;
    }));
}

TEST_F(X11Elements, AStoppedProgramIsWaitedForOnceAndOnlyItIsMissing) {
    start_app("zenity", {"--entry", "--title=handeye zenity", "--text=Your name"}, Accessible::Yes);
    start_app("accessible_app", {}, Accessible::Yes);
    StoppableClock clock;
    auto platform = open_platform({}, clock);
    ASSERT_TRUE(platform);
    wait_for_element(**platform, "push button", "OK");
    wait_for_element(**platform, "password text", "Password");
    const int pid = apps_.back()->pid();
    ASSERT_EQ(kill(pid, SIGSTOP), 0);
    const auto is_gone = [&](const std::vector<Element>& elements) {
        return find(elements, "push button", "Press") == nullptr && find(elements, "push button", "OK") != nullptr;
    };
    EXPECT_TRUE(wait_for([&] { // looks that wait for it, until one was given no answer at all
        const auto elements = (*platform)->elements();
        return elements && is_gone(*elements);
    }));
    clock.stop(); // a look that waited for it now would wait for ever
    const auto elements = (*platform)->elements();
    clock.go_on();
    EXPECT_EQ(kill(pid, SIGCONT), 0);
    ASSERT_TRUE(elements);
    EXPECT_TRUE(is_gone(*elements));
    EXPECT_TRUE(std::any_of(elements->begin(), elements->end(), [](const Element& e) { return e.is_secret; })); // its dots are still shown
    wait_for_element(**platform, "push button", "Press");
}

TEST_F(X11Elements, WhoLiesIsBounded) {
    start_app("zenity", {"--entry", "--title=handeye zenity", "--text=Your name"}, Accessible::Yes);
    const auto platform = open();
    wait_for_element(*platform, "push button", "OK");
    for (const char* mode : {"many", "deep", "cycle", "huge", "controls", "secret", "paths", "silent"}) {
        SCOPED_TRACE(mode);
        start_app("hostile_accessible", {mode}, Accessible::Yes);
        wait_for_window_of(*platform, apps_.back()->pid());
        for (int look = 0; look < count_of(3, 1); ++look) {
            const auto elements = platform->elements();
            ASSERT_TRUE(elements) << elements.error().message;
            EXPECT_TRUE(is_well_formed(*elements, {1024, 768}));
            for (const Element& element : *elements) { // it may lie about its own window, not about others
                const bool is_its_own = element.label_utf8.find("liar") != std::string::npos || element.is_secret;
                EXPECT_TRUE(!is_its_own || (element.box.x + element.box.width_px <= 300 && element.box.y + element.box.height_px <= 200));
            }
        }
        wait_for_element(*platform, "push button", "OK");
        apps_.pop_back();
    }
}

TEST_F(X11Elements, ADisplayWithoutABusHasNone) {
    const auto connection = Connection::open(display_->address());
    ASSERT_TRUE(connection);
    const Atom property = (*connection)->atom("AT_SPI_BUS");
    const std::string marker = (folder() / "executed").string();
    for (const std::string& address : {std::string(), "unixexec:path=/usr/bin/touch,argv1=" + marker, "unix:path=" + marker, std::string("nonsense")}) {
        SCOPED_TRACE(address);
        if (address.empty()) {
            XDeleteProperty((*connection)->get(), (*connection)->root(), property);
        } else {
            XChangeProperty((*connection)->get(), (*connection)->root(), property, XA_STRING, 8, PropModeReplace,
                            reinterpret_cast<const unsigned char*>(address.data()), static_cast<int>(address.size()));
        }
        ASSERT_TRUE((*connection)->sync("a test"));
        const auto platform = open();
        const auto elements = platform->elements();
        ASSERT_TRUE(elements) << elements.error().message;
        EXPECT_TRUE(elements->empty());
    }
    EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST_F(X11Elements, WithoutADbusDaemonADisplayWorksAndHasNone) {
    const std::filesystem::path bin = folder() / "bin";
    ASSERT_TRUE(std::filesystem::create_directory(bin));
    for (const char* program : {"Xvfb", "openbox", "xkbcomp", "sh"}) {
        const auto path = find_program(program);
        ASSERT_TRUE(path) << path.error().message;
        std::filesystem::create_symlink(*path, bin / program);
    }
    const std::string before = std::getenv("PATH");
    setenv("PATH", bin.c_str(), 1);
    start_display(true);
    setenv("PATH", before.c_str(), 1);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_FALSE(display_->has_bus());
    const auto platform = open();
    EXPECT_TRUE(platform->capture());
    const auto elements = platform->elements();
    ASSERT_TRUE(elements) << elements.error().message;
    EXPECT_TRUE(elements->empty());
}

TEST_F(X11Elements, TheBusAndItsRegistryEndWithTheDisplay) {
    start_app("accessible_app", {}, Accessible::Yes);
    auto platform = open();
    wait_for_element(*platform, "push button", "Press");
    const std::string address = "AT_SPI_BUS_ADDRESS=" + display_->environment().back().second;
    const auto count_processes = [&] { // those that were started with it: the bus, the registry, the program
        int count = 0;
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            std::ifstream file(entry.path() / "environ", std::ios::binary);
            const std::string environment((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
            std::ifstream command(entry.path() / "cmdline", std::ios::binary);
            const std::string line((std::istreambuf_iterator<char>(command)), std::istreambuf_iterator<char>());
            count += environment.find(address) != std::string::npos && line.find("elements_test") == std::string::npos ? 1 : 0;
        }
        return count;
    };
    EXPECT_GE(count_processes(), 3);
    apps_.clear();
    display_.reset();
    EXPECT_FALSE(platform->elements()); // the display is gone
    platform.reset();
    EXPECT_TRUE(wait_for([&] { return count_processes() == 0; }));
}

TEST_F(X11Elements, AZenityDialogsFieldIsSecret) {
    start_app("zenity", {"--password", "--title=handeye zenity"}, Accessible::Yes);
    const auto platform = open();
    wait_for_element(*platform, "push button", "OK");
    const auto elements = platform->elements();
    ASSERT_TRUE(elements);
    EXPECT_EQ(std::count_if(elements->begin(), elements->end(), [](const Element& e) { return e.is_secret; }), 1);
}

TEST_F(X11Elements, MousepadsMenuOpensATextThatIsReadBack) {
    start_app("mousepad", {"--disable-server"}, Accessible::Yes);
    const auto platform = open();
    press(*platform, "menu", "Help");
    press(*platform, "menu item", "About");
    wait_for_element(*platform, "push button", "Close");
    press(*platform, "push button", "Close");
    EXPECT_TRUE(wait_for([&] {
        const auto windows = platform->windows();
        return windows && windows->size() == 1;
    }));
    ASSERT_TRUE(platform->type_text("Grüße", {}));
    EXPECT_TRUE(wait_for([&] {
        const auto elements = platform->elements();
        return elements && std::any_of(elements->begin(), elements->end(), [](const Element& e) { return e.role == "text" && e.value_utf8 == "Grüße"; });
    }));
}

TEST_F(X11Elements, ACalculatorsButtonsPressWhatTheySay) { // GTK 4: it tells coordinates of its window alone
    if (std::getenv("HANDEYE_FULL") == nullptr) {
        GTEST_SKIP() << "in the full count";
    }
    start_app("gnome-calculator", {}, Accessible::Yes);
    const auto platform = open();
    for (const char* button : {"7", "×", "8", "="}) {
        press(*platform, "push button", button);
    }
    EXPECT_TRUE(wait_for([&] {
        const auto elements = platform->elements();
        return elements && std::any_of(elements->begin(), elements->end(), [](const Element& e) { return e.role == "text" && e.value_utf8 == "56"; });
    }));
}

TEST_F(X11Elements, AGtk4ProgramThatWouldNotBearTheQuestionIsLeftAlone) { // 4.8 without a session bus ends when it is asked
    if (std::getenv("HANDEYE_FULL") == nullptr) {
        GTEST_SKIP() << "in the full count";
    }
    start_app("env", {"-u", "DBUS_SESSION_BUS_ADDRESS", "-u", "XDG_RUNTIME_DIR", "gnome-calculator"}, Accessible::Yes);
    start_app("accessible_app", {}, Accessible::Yes);
    const auto platform = open();
    wait_for_window(*platform, "Calculator");
    wait_for_element(*platform, "push button", "Press");
    for (int look = 0; look < 20; ++look) {
        ASSERT_TRUE(platform->elements());
        ASSERT_TRUE(platform->settle({}, {}));
    }
    EXPECT_FALSE(apps_.front()->has_ended());
}

TEST_F(X11Elements, GeditsTextIsReadBack) {
    if (std::getenv("HANDEYE_FULL") == nullptr) {
        GTEST_SKIP() << "in the full count";
    }
    start_app("gedit", {"--standalone"}, Accessible::Yes);
    const auto platform = open();
    wait_for_element(*platform, "push button", "Save");
    ASSERT_TRUE(platform->type_text("Grüße", {}));
    EXPECT_TRUE(wait_for([&] {
        const auto elements = platform->elements();
        return elements && std::any_of(elements->begin(), elements->end(), [](const Element& e) { return e.role == "text" && e.value_utf8 == "Grüße"; });
    }));
}

} // namespace
} // namespace handeye::x11
