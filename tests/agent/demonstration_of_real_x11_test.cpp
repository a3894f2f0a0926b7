// SPDX-License-Identifier: Apache-2.0
// Programs as Debian ships them, and one page in Chromium: what a person's hand did there is done again in another place, with other
// looks and another order, and stops where a button is called otherwise now.
#include "tests/agent/demonstration_fixture.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>

#include <fmt/format.h>

namespace handeye::x11 {
namespace {

constexpr int kPersonWaits = 60; // seconds that a person gives a program on a slow machine

/// How a program looks that starts from here on: another desktop's theme and font, and what it remembers of itself.
struct Looks {
    std::string font = "DejaVu Sans 10";
    std::string theme = "Adwaita";
    std::string remembered; ///< of GSettings, as its keyfile has it
    Point window{20, 20};
    std::string page; ///< what is appended to the page's address
};

class ForeignLooks {
public:
    ForeignLooks(const std::filesystem::path& folder, const Looks& looks) {
        std::filesystem::remove_all(folder);
        for (const char* const version : {"gtk-3.0", "gtk-4.0"}) {
            std::filesystem::create_directories(folder / version);
            std::ofstream(folder / version / "settings.ini") << "[Settings]\ngtk-font-name=" << looks.font << "\n";
        }
        std::filesystem::create_directories(folder / "glib-2.0/settings");
        std::ofstream(folder / "glib-2.0/settings/keyfile") << looks.remembered;
        ::setenv("GSETTINGS_BACKEND", "keyfile", 1);
        ::setenv("XDG_CONFIG_HOME", folder.c_str(), 1);
        ::setenv("GTK_THEME", looks.theme.c_str(), 1);
    }
    ~ForeignLooks() {
        for (const char* const name : {"GTK_THEME", "XDG_CONFIG_HOME", "GSETTINGS_BACKEND"}) {
            ::unsetenv(name);
        }
    }
    ForeignLooks(const ForeignLooks&) = delete;
    ForeignLooks& operator=(const ForeignLooks&) = delete;
};

/// A program, what a person does with it, and what is there afterwards.
struct Shown {
    std::string name;
    std::string title;  ///< in its window's
    std::string button; ///< is there when it is ready
    std::function<void(const Looks& looks)> start; ///< in the state before
    std::function<void()> act;
    std::function<std::string()> state;
    std::string end_state;
    std::vector<std::string> remembered; ///< ways in which its parts can lie, for Looks::remembered
};

class DemonstrationOfReal : public Demonstration {
protected:
    void SetUp() override { start_display(true, {1024, 768}); }
    static void TearDownTestSuite() { std::cout << fmt::format("real applications: {} of {} replays reached the same end state\n", same_, replays_); }

    void show(const Shown& shown, const Looks& looks) {
        apps_.clear();
        person().move({1023, 767}); // where no tip comes up
        const ForeignLooks foreign(folder() / "config", looks);
        shown.start(looks);
        hand_ = open();
        window_ = wait_for_window(*hand_, shown.title).id;
        ASSERT_TRUE(wait_for([&] { return !box_of(shown.button).size().is_empty(); }, kPersonWaits)) << shown.button << " is not in:\n" << told();
        move_window(looks.window);
        ASSERT_TRUE(wait_for([&] { return !(button_ = box_of(shown.button)).size().is_empty(); }, kPersonWaits)) << shown.button << " is not any more in:\n" << told();
    }
    std::string told() {
        std::string out;
        const auto elements = hand_->elements();
        for (const Element& element : elements ? *elements : std::vector<Element>()) {
            out += fmt::format("  {} \"{}\" {},{} {}x{} mark {} \"{}\"\n", element.role, element.label_utf8, element.box.x, element.box.y, element.box.width_px, element.box.height_px, element.mark,
                               element.value_utf8);
        }
        return out;
    }
    /// Where the replay pressed, and on what by its own account.
    std::string pressed(const std::string& recording_name) {
        std::string out;
        const auto recording = Recording::open(folder() / recording_name);
        const auto events = recording ? recording->events(1, 10'000) : Result<std::vector<StoredEvent>>(recording.error());
        for (const StoredEvent& event : events ? *events : std::vector<StoredEvent>()) {
            const nlohmann::json data = nlohmann::json::parse(event.data_json);
            out += event.type == "action.executed" ? "  pressed " + data["points"].dump() + "\n" : "";
        }
        return out;
    }
    void move_window(Point to) {
        auto other = Connection::open(display_->address());
        ASSERT_TRUE(other);
        XMoveWindow((*other)->get(), window_, to.x, to.y);
        ASSERT_TRUE((*other)->sync("test"));
        ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(250)}, {})); // as --launch does
    }
    /// The person clicks once they see it, and goes on once the screen has answered.
    void wait_and_click(const std::string& label) {
        if (HasFatalFailure()) {
            return; // what was to be seen before did not come
        }
        Rect box;
        ASSERT_TRUE(wait_for([&] { return !(box = box_of(label)).size().is_empty(); }, kPersonWaits)) << label << " is not in:\n" << told();
        const int before = steps_;
        person().click(box.center());
        ASSERT_TRUE(wait_for([&] { return steps_ > before; }, kPersonWaits)) << label << " was clicked and not recorded\n" << told();
    }
    /// A field of a slow page takes no letter before it has the focus.
    void wait_and_enter(const std::string& label) {
        wait_and_click(label);
        if (HasFatalFailure()) {
            return;
        }
        ASSERT_TRUE(wait_for([&] {
            const auto elements = hand_->elements();
            return elements && std::any_of(elements->begin(), elements->end(), [&](const Element& element) { return element.is_focused && element.label_utf8 == label; });
        }, kPersonWaits)) << label << " was clicked and has not the focus\n" << told();
    }
    /// As fast as a hand is that types 200 words a minute; the person goes on once they see it.
    void write(const std::string& text) {
        if (HasFatalFailure()) {
            return;
        }
        person().type(text, std::chrono::milliseconds(60));
        ASSERT_TRUE(wait_for([&] {
            const auto elements = hand_->elements();
            return elements && std::any_of(elements->begin(), elements->end(), [&](const Element& element) { return element.value_utf8.find(text) != std::string::npos; });
        }, kPersonWaits)) << "\"" << text << "\" was typed and is not in:\n" << told();
    }
    CompiledTask demonstrate(const Shown& shown) {
        std::filesystem::remove(file());
        show(shown, {});
        record();
        shown.act();
        EXPECT_TRUE(wait_for([&] { return shown.state() == shown.end_state; }, kPersonWaits)) << shown.state() << "\n" << told();
        end_recording();
        return compiled();
    }
    static Looks drawn(std::mt19937& random, const Shown& shown) {
        const auto one_of = [&](const auto& list) { return list[random() % list.size()]; };
        const std::array<std::string, 4> fonts{"DejaVu Sans 13", "DejaVu Serif 15", "Liberation Sans 12", "DejaVu Sans Mono 14"};
        const std::array<std::string, 3> themes{"Adwaita:dark", "Adwaita", "HighContrast"};
        std::array<int, 3> order{0, 1, 2};
        std::shuffle(order.begin(), order.end(), random);
        Looks looks{one_of(fonts), one_of(themes), one_of(shown.remembered), {static_cast<int>(random() % 240), static_cast<int>(random() % 120)}, ""};
        looks.page = fmt::format("?order={},{},{}&rows={}&font={}&look={}", order[0], order[1], order[2], random() % 2 == 0 ? "reversed" : "straight", 17 + random() % 9,
                                 random() % 2 == 0 ? "dark" : "light");
        return looks;
    }
    /// `count` replays, five of each demonstration.
    void expect_same_end_state(const Shown& shown, int count) {
        std::mt19937 random = seeded_generator();
        CompiledTask task;
        Rect recorded;
        int same = 0;
        for (int i = 0; i < count; ++i) {
            if (i % 5 == 0) {
                task = demonstrate(shown);
                ASSERT_FALSE(HasFatalFailure());
                recorded = button_;
            }
            const Looks looks = drawn(random, shown);
            show(shown, looks);
            ASSERT_FALSE(HasFatalFailure());
            EXPECT_FALSE(button_ == recorded) << "else nothing has moved";
            EXPECT_NE(shown.state(), shown.end_state) << "else the next lines prove nothing";
            const TaskReport report = do_again(task);
            const bool is_same = report.outcome == TaskOutcome::Done && wait_for([&] { return shown.state() == shown.end_state; }, kPersonWaits);
            EXPECT_TRUE(is_same) << "replay " << i + 1 << " of " << shown.name << ": " << report.message << "\n" << pressed(fmt::format("again-{}.handeye", i + 1)) << shown.state() << "\n" << looks.font << ", " << looks.theme << looks.page << "\n" << looks.remembered << task.yaml << told();
            same += is_same ? 1 : 0;
            ++replays_;
        }
        same_ += same;
        std::cout << fmt::format("{}: {} of {} replays reached the same end state\n", shown.name, same, count);
    }

    Shown editor(const std::string& name, const std::function<void()>& act) {
        const std::filesystem::path text = folder() / "letter.txt";
        Shown shown;
        shown.name = name;
        shown.title = "letter.txt";
        shown.act = act;
        shown.state = [this, text] { return content(text); };
        shown.end_state = "Gr\u00fc\u00dfe, 12 \u20ac"; // gedit ends the last line
        shown.end_state += name == "gedit" ? "\n" : "";
        return shown;
    }
    Shown mousepad() {
        Shown shown = editor("mousepad", [this] {
            wait_and_click("Edit");
            wait_and_click("Select All");
            write("Gr\u00fc\u00dfe, 12 \u20ac");
            person().chord({"Control_L", "s"});
        });
        shown.button = "Edit";
        shown.start = [this](const Looks& looks) {
            std::ofstream(folder() / "letter.txt") << (looks.remembered.empty() ? "Old words.\n" : "Other words,\nand more of them.\n");
            start_app("mousepad", {"--disable-server", (folder() / "letter.txt").string()}, Accessible::Yes);
        };
        shown.remembered = {"[org/xfce/mousepad/preferences/window]\ntoolbar-visible=true\n", "[org/xfce/mousepad/preferences/window]\nstatusbar-visible=true\n"};
        return shown;
    }
    Shown gedit() {
        Shown shown = editor("gedit", [this] {
            const int before = steps_;
            person().chord({"Control_L", "a"});
            ASSERT_TRUE(wait_for([&] { return steps_ > before; }));
            write("Gr\u00fc\u00dfe, 12 \u20ac");
            wait_and_click("Save");
        });
        shown.button = "Save";
        shown.start = [this](const Looks& looks) {
            std::ofstream(folder() / "letter.txt") << (looks.remembered.empty() ? "Old words.\n" : "Other words,\nand more of them.\n");
            start_app("gedit", {"--standalone", (folder() / "letter.txt").string()}, Accessible::Yes);
        };
        shown.remembered = {"[org/gnome/gedit/preferences/ui]\nside-panel-visible=true\n", "[org/gnome/gedit/preferences/ui]\nstatusbar-visible=false\n"};
        return shown;
    }
    Shown calculator() {
        Shown shown;
        shown.name = "gnome-calculator";
        shown.title = "Calculator";
        shown.button = "7";
        shown.start = [this](const Looks&) { start_app("gnome-calculator", {}, Accessible::Yes); };
        shown.act = [this] {
            for (const char* const button : {"7", "\u00d7", "8", "="}) {
                wait_and_click(button);
            }
        };
        shown.state = [this] {
            std::string value;
            const auto elements = hand_->elements();
            for (const Element& element : elements ? *elements : std::vector<Element>()) {
                value = element.role == "text" && element.value_utf8 == "56" ? "56" : value;
            }
            return value;
        };
        shown.end_state = "56";
        shown.remembered = {"[org/gnome/calculator]\nbutton-mode='advanced'\n", "[org/gnome/calculator]\nbutton-mode='basic'\n"};
        return shown;
    }
    Shown page() {
        Shown shown;
        shown.name = "chromium";
        shown.title = "handeye order";
        shown.button = "Save";
        shown.start = [this](const Looks& looks) { start_chromium("file://" HANDEYE_SOURCE_DIR "/tests/apps/pages/order.html" + looks.page); };
        shown.act = [this] {
            wait_and_enter("Name");
            write("Ada L\u00f6we");
            wait_and_click("Express");
            wait_and_enter("Street");
            write("Hauptstra\u00dfe 7");
            wait_and_click("Help");
            wait_and_click("Save");
        };
        shown.state = [this] {
            const auto windows = hand_->windows();
            for (const WindowInfo& window : windows ? *windows : std::vector<WindowInfo>()) {
                if (window.title_utf8.find("handeye order") != std::string::npos) {
                    return window.title_utf8;
                }
            }
            return std::string();
        };
        shown.end_state = "handeye order | Ada L\u00f6we | Hauptstra\u00dfe 7 | 0 | express | Help+Save";
        shown.remembered = {""};
        return shown;
    }

    std::uint64_t window_ = 0;
    Rect button_; ///< where it was when the program was ready
    static inline int same_ = 0;
    static inline int replays_ = 0;
};

TEST_F(DemonstrationOfReal, MousepadWritesTheSameFile) {
    person().use_layout("de");
    expect_same_end_state(mousepad(), count_of(25, 1));
}

TEST_F(DemonstrationOfReal, GeditWritesTheSameFile) {
    person().use_layout("de");
    expect_same_end_state(gedit(), count_of(25, 1));
}

TEST_F(DemonstrationOfReal, ACalculatorShowsTheSameResult) { expect_same_end_state(calculator(), count_of(25, 1)); }

// GTK shows what a button does in a window below the pointer, over the buttons there.
TEST_F(DemonstrationOfReal, ATipThatHidesTheTargetIsNoObstacle) {
    const Shown shown = calculator();
    const CompiledTask task = demonstrate(shown);
    ASSERT_FALSE(HasFatalFailure());
    show(shown, {});
    const Point above = box_of("Clear Display [Escape]").center();
    person().move({above.x - 3, above.y});
    person().move(above);
    ASSERT_TRUE(wait_for([&] { return box_of("7").size().is_empty(); })) << told();
    const TaskReport report = do_again(task);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message << "\n" << told();
    EXPECT_TRUE(wait_for([&] { return shown.state() == shown.end_state; })) << pressed("again-1.handeye") << told();
    const auto again = Recording::open(folder() / "again-1.handeye");
    ASSERT_TRUE(again) << again.error().message;
    const auto reader = Locator::create({.reader = HANDEYE_BINARY_DIR "/bin/handeye-reader"});
    const auto compiled_again = compile_task(*again, {.name = "shown"}, *reader);
    ASSERT_TRUE(compiled_again) << compiled_again.error().message;
    EXPECT_EQ(compiled_again->steps, task.steps) << "moving the pointer aside is no step of the task";
}

TEST_F(DemonstrationOfReal, APageInChromiumIsFilledInTheSame) {
    person().use_layout("de");
    expect_same_end_state(page(), count_of(25, 1));
}

TEST_F(DemonstrationOfReal, APagesButtonThatIsCalledOtherwiseStopsIt) {
    person().use_layout("de");
    const Shown shown = page();
    const CompiledTask task = demonstrate(shown);
    ASSERT_FALSE(HasFatalFailure());
    Shown renamed = shown;
    renamed.button = "Store";
    Looks looks;
    looks.page = "?names=Store,Discard,Help";
    show(renamed, looks);
    const TaskReport report = do_again(task);
    EXPECT_NE(report.outcome, TaskOutcome::Done);
    EXPECT_NE(report.message.find("button \"Save\" was not found"), std::string::npos) << report.message;
    EXPECT_NE(report.message.find("Store"), std::string::npos) << report.message;
    EXPECT_EQ(shown.state(), "handeye order | Ada L\u00f6we | Hauptstra\u00dfe 7 | 0 | express | Help");
}

TEST_F(DemonstrationOfReal, AZenityButtonThatIsCalledOtherwiseStopsIt) {
    Shown shown;
    shown.title = "handeye question";
    shown.button = "Send";
    const auto start = [this](const std::string& label) {
        std::filesystem::remove(out());
        start_app("sh", {"-c", fmt::format("zenity --question '--title=handeye question' --text=Now? '--ok-label={}' --cancel-label=Keep; echo $? > '{}'", label, out().string())}, Accessible::Yes);
    };
    shown.start = [&](const Looks&) { start("Send"); };
    shown.act = [this] { wait_and_click("Send"); };
    shown.state = [this] { return content(out()); };
    shown.end_state = "0\n";
    const CompiledTask task = demonstrate(shown);
    ASSERT_FALSE(HasFatalFailure());
    Shown renamed = shown;
    renamed.button = "Delete";
    renamed.start = [&](const Looks&) { start("Delete"); };
    show(renamed, {});
    const TaskReport report = do_again(task);
    EXPECT_NE(report.outcome, TaskOutcome::Done);
    EXPECT_NE(report.message.find("button \"Send\" was not found"), std::string::npos) << report.message;
    EXPECT_NE(report.message.find("Delete"), std::string::npos) << report.message;
    EXPECT_EQ(shown.state(), "(no file)") << "it was not answered";
}

} // namespace
} // namespace handeye::x11
