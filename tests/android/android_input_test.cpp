// SPDX-License-Identifier: Apache-2.0
// Fingers, keys and apps: what handeye sends through a real adb server is what the phone's apps say happened.
#include "actions/execute.h"
#include "actions/parse.h"
#include "actions/resolve.h"
#include "tests/android/phone_fixture.h"

#include <iterator>
#include <map>
#include <sstream>

namespace handeye::android {
namespace {

std::array<std::uint8_t, 3> pixel(const Image& image, Point at) {
    const auto row = image.row(at.y).subspan(static_cast<std::size_t>(at.x) * 3, 3);
    return {row[0], row[1], row[2]};
}

class AndroidInput : public PhoneTest {
protected:
    /// One action as a model writes it, carried out as `handeye act` does.
    ActionResult act(Platform& platform, const std::string& text) {
        ActionResult none;
        const auto action = parse_action(text);
        EXPECT_TRUE(action) << text << ": " << action.error().message;
        const auto display = platform.display();
        EXPECT_TRUE(display) << display.error().message;
        if (!action || !display) {
            return none;
        }
        const auto plan = resolve(*action, {.picture = display->size, .target = display->size});
        EXPECT_TRUE(plan) << text << ": " << plan.error().message;
        EXPECT_TRUE(platform.capture());
        const auto result = execute(*plan, platform, clock_, {}, {});
        EXPECT_TRUE(result) << text << ": " << result.error().message;
        return result ? *result : none;
    }
    void press(Platform& platform, Edge edge) { ASSERT_TRUE(platform.inject(PointerButton{MouseButton::Left, edge})); }
    void move(Platform& platform, Point to) { ASSERT_TRUE(platform.inject(PointerMove{to})); }
    void wait_ms(int ms) { clock_.sleep_for(std::chrono::milliseconds(ms), {}); }
    /// "swipe 180 480 180 160 600" to its numbers.
    static std::vector<int> numbers(const std::string& line) {
        std::stringstream words(line.substr(line.find(' ')));
        return {std::istream_iterator<int>(words), {}};
    }
};

TEST_F(AndroidInput, CornersLandOnTheirPixelInBothOrientations) {
    phone_->focus("com.example.canvas/.Main");
    const auto platform = open_phone();
    ASSERT_TRUE(platform);
    for (const std::string rotation : {"0", "1", "0"}) {
        phone_->set({{"rotation", rotation}});
        ASSERT_TRUE(phone_->wait_until_handled());
        const Size want = rotation == "0" ? Size{360, 640} : Size{640, 360};
        for (int route = 0; route < 3; ++route) { // raw, PNG, and the faster of the two
            const auto shot = platform->capture();
            ASSERT_TRUE(shot) << shot.error().message;
            ASSERT_EQ(shot->image.size(), want);
            EXPECT_EQ(platform->display()->size, want);
            using Rgb = std::array<std::uint8_t, 3>;
            EXPECT_EQ(pixel(shot->image, {0, 0}), (Rgb{255, 0, 0}));
            EXPECT_EQ(pixel(shot->image, {want.width_px - 1, 0}), (Rgb{0, 255, 0}));
            EXPECT_EQ(pixel(shot->image, {0, want.height_px - 1}), (Rgb{0, 0, 255}));
            EXPECT_EQ(pixel(shot->image, {want.width_px - 1, want.height_px - 1}), (Rgb{255, 255, 0}));
        }
        for (const Point at : {Point{0, 0}, Point{want.width_px - 1, 0}, Point{0, want.height_px - 1}, Point{want.width_px - 1, want.height_px - 1}, Point{123, 321 % want.height_px}}) {
            happened();
            x11::click(*platform, at);
            ASSERT_TRUE(platform->release_all());
            EXPECT_EQ(happened("down"), std::vector<std::string>{"down " + std::to_string(at.x) + " " + std::to_string(at.y)});
        }
        for (const Point outside : {Point{-1, 0}, Point{0, -1}, Point{want.width_px, 0}, Point{0, want.height_px}}) {
            const auto moved = platform->inject(PointerMove{outside});
            ASSERT_FALSE(moved);
            EXPECT_EQ(moved.error().code, ErrorCode::OutOfBounds);
            EXPECT_NE(moved.error().message.find(serial()), std::string::npos) << moved.error().message;
        }
        EXPECT_TRUE(happened("down").empty());
    }
}

TEST_F(AndroidInput, GesturesAreWhatAFingerWouldDo) {
    phone_->focus("com.example.canvas/.Main");
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    happened();
    x11::click(*platform, {50, 60}); // twice: a double tap
    x11::click(*platform, {50, 60});
    ASSERT_TRUE(platform->release_all());
    EXPECT_EQ(happened("doubletap").size(), 1U);

    move(*platform, {70, 80});
    press(*platform, Edge::Press);
    wait_ms(450);
    press(*platform, Edge::Release);
    EXPECT_EQ(happened("longpress"), std::vector<std::string>{"longpress 70 80"});

    move(*platform, {100, 500});
    press(*platform, Edge::Press);
    move(*platform, {100, 300});
    move(*platform, {100, 100});
    press(*platform, Edge::Release);
    const auto swipes = happened("swipe");
    ASSERT_EQ(swipes.size(), 1U);
    EXPECT_TRUE(swipes[0].starts_with("swipe 100 500 100 100 ")) << swipes[0];

    move(*platform, {100, 500});
    press(*platform, Edge::Press);
    wait_ms(450);
    move(*platform, {100, 100});
    press(*platform, Edge::Release);
    EXPECT_EQ(happened("drag"), std::vector<std::string>{"drag 100 500 100 100"});

    move(*platform, {20, 20}); // round a corner
    press(*platform, Edge::Press);
    move(*platform, {200, 20});
    move(*platform, {200, 200});
    press(*platform, Edge::Release);
    EXPECT_EQ(happened("move"), (std::vector<std::string>{"move 200 20", "move 200 200"}));

    const auto right = platform->inject(PointerButton{MouseButton::Right, Edge::Press});
    EXPECT_EQ(right.error().code, ErrorCode::Unsupported);
}

TEST_F(AndroidInput, OldPhonesSayWhatTheyCannotDo) {
    phone_->set({{"tools", "old"}, {"sdk", "24"}});
    phone_->focus("com.example.canvas/.Main");
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    move(*platform, {20, 20});
    press(*platform, Edge::Press);
    move(*platform, {200, 20});
    move(*platform, {200, 200});
    const auto bent = platform->inject(PointerButton{MouseButton::Left, Edge::Release});
    EXPECT_EQ(bent.error().code, ErrorCode::Unsupported);
    ASSERT_TRUE(platform->inject(Key{"Control_L", Edge::Press}));
    const auto chord = platform->inject(Key{"c", Edge::Press});
    EXPECT_EQ(chord.error().code, ErrorCode::Unsupported);
    EXPECT_NE(chord.error().message.find("API level 24"), std::string::npos) << chord.error().message;
    ASSERT_TRUE(platform->release_all());
    EXPECT_TRUE(happened("down").empty());
    // All text of a field can be replaced all the same.
    phone_->focus("com.example.notes/.Main");
    act(*platform, R"({"action_type":"input_text","text":"first words","box_2d":[[50,60,940,160]]})");
    act(*platform, R"({"action_type":"input_text","text":"other","override":true,"box_2d":[[50,60,940,160]]})");
    EXPECT_EQ(text_of("note"), "other");
    EXPECT_TRUE(platform->perform(LaunchApp{{"Settings"}})); // by the list of Android 7
}

TEST_F(AndroidInput, KeysReachTheAppOrTheSystem) {
    phone_->focus("com.example.canvas/.Main");
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    happened();
    x11::press_chord(*platform, {"Escape"});
    x11::press_chord(*platform, {"Home"});
    x11::press_chord(*platform, {"Control_L", "c"});
    x11::press_chord(*platform, {"Shift_L", "q"});
    x11::press_chord(*platform, {"exclam"});
    EXPECT_EQ(phone_->get("focus"), "com.example.canvas/.Main");
    const auto keys = happened("key");
    const auto has = [&](const std::string& line) { return std::ranges::find(keys, line) != keys.end(); };
    EXPECT_TRUE(has("key Escape 0") && has("key Home 0") && has("key c 4") && has("key Q 1") && has("key exclam 1")) << testing::PrintToString(keys);
    x11::press_chord(*platform, {"XF86AudioRaiseVolume"});
    EXPECT_EQ(phone_->get("volume"), "up");
    x11::press_chord(*platform, {"XF86TaskPane"});
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Recents");
    EXPECT_EQ(platform->inject(Key{"Hyper_L", Edge::Press}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(AndroidInput, EachNameThatThePromptTellsOpensItsApp) {
    phone_->set({{"apps", "org.example.one.camera/.Main org.example.two.camera/.Main"}}); // beside its own
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    const auto names = platform->app_names();
    ASSERT_TRUE(names) << names.error().message;
    EXPECT_EQ(*names, (std::vector<std::string>{"Canvas", "Google Chrome", "Launcher3", "List", "Notes", "Settings", "Vault", "org.example.one.camera", "org.example.two.camera"}));
    for (const std::string& name : *names) {
        ASSERT_TRUE(platform->perform(NavigateHome{}));
        const auto opened = platform->perform(LaunchApp{{name}});
        ASSERT_TRUE(opened) << name << ": " << opened.error().message;
        const std::string focus = phone_->get("focus");
        EXPECT_EQ(focus.substr(0, focus.find('/')), name == "Google Chrome" ? "com.android.chrome" : name == "Launcher3" ? "com.android.launcher3"
                                                    : name == "Settings" ? "com.android.settings" : name.starts_with("org.") ? name
                                                    : "com.example." + std::string(1, static_cast<char>(name[0] | 0x20)) + name.substr(1));
    }
    phone_->set({{"apps", "none"}});
    EXPECT_EQ(platform->app_names().error().code, ErrorCode::Unsupported);
}

TEST_F(AndroidInput, AppsAreOpenedByLabelAndPackage) {
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    ASSERT_TRUE(platform->perform(LaunchApp{{"notes"}}));
    EXPECT_EQ(phone_->get("focus"), "com.example.notes/.Main");
    const auto before = platform->windows();
    ASSERT_TRUE(before && before->size() == 1);
    EXPECT_EQ((*before)[0].app, "com.example.notes");
    ASSERT_TRUE(platform->perform(LaunchApp{{"com.example.notes"}})); // in front already: a new window all the same
    EXPECT_NE((*platform->windows())[0].id, (*before)[0].id);
    ASSERT_TRUE(platform->perform(NavigateHome{}));
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Launcher");
    ASSERT_TRUE(platform->perform(OpenUrl{"https://example.org/?a=1&b='x'"}));
    EXPECT_EQ(phone_->get("url"), "https://example.org/?a=1&b='x'");
    ASSERT_TRUE(platform->perform(FocusWindow{"Settings"}));
    EXPECT_EQ(phone_->get("focus"), "com.android.settings/.Settings");
    ASSERT_TRUE(platform->perform(NavigateBack{}));
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Launcher");
    const auto unknown = platform->perform(LaunchApp{{"Solitaire"}});
    EXPECT_EQ(unknown.error().code, ErrorCode::NotFound);
    EXPECT_NE(unknown.error().message.find("Notes (com.example.notes)"), std::string::npos) << unknown.error().message;
    ASSERT_TRUE(platform->perform(LaunchApp{{"Google", "Chrome"}})); // words of one name
    EXPECT_EQ(phone_->get("focus"), "com.android.chrome/com.google.android.apps.chrome.Main");
    EXPECT_EQ(platform->perform(OpenUrl{"file:///etc/passwd"}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(AndroidInput, ElementsAreThoseOfTheApp) {
    phone_->focus("com.example.notes/.Main");
    ASSERT_TRUE(phone_->wait_until_handled());
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    const auto elements = platform->elements();
    ASSERT_TRUE(elements) << elements.error().message;
    ASSERT_EQ(elements->size(), 5U);
    EXPECT_EQ((*elements)[0].role, "entry");
    EXPECT_EQ((*elements)[0].label_utf8, "Note");
    EXPECT_TRUE((*elements)[1].is_secret);
    EXPECT_EQ((*elements)[2].is_checked, std::optional(false));
    EXPECT_EQ((*elements)[3].label_utf8, "Save");
    EXPECT_EQ((*elements)[4].mark, 0);
    act(*platform, "do(action=\"Tap\", element=[300,440])"); // on the check box
    EXPECT_EQ((*platform->elements())[2].is_checked, std::optional(true));
}

/// The verbs of GLM's mobile space and of AutoGLM, as a model writes them.
TEST_F(AndroidInput, EveryVerbOfTheMobileDialectsDoesWhatItSays) {
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    act(*platform, R"({"action_type":"open_app","app_name":"Notes"})");
    EXPECT_EQ(phone_->get("focus"), "com.example.notes/.Main");
    happened();
    act(*platform, R"({"action_type":"click","box_2d":[[60,500,360,580]]})");
    EXPECT_EQ(happened("press"), std::vector<std::string>{"press save"});
    act(*platform, R"({"action_type":"input_text","text":"Milk & eggs 100%s","override":false,"box_2d":[[50,60,940,160]]})");
    EXPECT_EQ(text_of("note"), "Milk & eggs 100%s");
    act(*platform, R"({"action_type":"input_text","text":"Käse 🧀","override":true,"box_2d":[[50,60,940,160]]})");
    EXPECT_EQ(text_of("note"), "Käse 🧀");
    EXPECT_EQ(happened("enter"), (std::vector<std::string>{"enter Milk & eggs 100%s", "enter Käse 🧀"})); // Enter follows the text
    act(*platform, R"({"action_type":"keyboard_enter"})");
    EXPECT_EQ(happened("enter").size(), 1U);
    act(*platform, R"({"action_type":"long_press","box_2d":[[400,800,600,900]]})");
    EXPECT_EQ(happened("longpress").size(), 1U);
    act(*platform, R"({"action_type":"navigate_home"})");
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Launcher");
    phone_->focus("com.example.list/.Main");
    happened();
    const std::map<std::string, std::pair<int, int>> ways = {{"up", {0, -1}}, {"down", {0, 1}}, {"left", {-1, 0}}, {"right", {1, 0}}};
    for (const auto& [direction, way] : ways) {
        act(*platform, R"({"action_type":"swipe","direction":")" + direction + "\"}");
        const auto swipes = happened("swipe");
        ASSERT_EQ(swipes.size(), 1U) << direction;
        const auto n = numbers(swipes[0]);
        ASSERT_EQ(n.size(), 5U);
        const auto sign = [](int value) { return (value > 0) - (value < 0); };
        EXPECT_EQ(sign(n[2] - n[0]), way.first) << swipes[0];
        EXPECT_EQ(sign(n[3] - n[1]), way.second) << swipes[0];
    }
    act(*platform, R"({"action_type":"navigate_back"})");
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Launcher");
    for (const char* quiet : {R"({"action_type":"answer","text":"42"})", R"({"action_type":"status","goal_status":"complete"})"}) {
        happened();
        EXPECT_EQ(act(*platform, quiet).events_sent, 0);
        EXPECT_TRUE(happened().empty());
    }
    act(*platform, "do(action=\"Launch\", app=\"com.example.canvas\")");
    happened();
    act(*platform, "do(action=\"Double Tap\", element=[500,500])");
    EXPECT_EQ(happened("doubletap").size(), 1U);
    act(*platform, "do(action=\"Long Press\", element=[500,500])");
    EXPECT_EQ(happened("longpress").size(), 1U);
    act(*platform, "do(action=\"Home\")");
    EXPECT_EQ(phone_->get("focus"), "com.android.launcher3/.Launcher");
}

TEST_F(AndroidInput, NothingFollowsAStop) {
    phone_->focus("com.example.canvas/.Main");
    const auto platform = open_phone();
    ASSERT_TRUE(platform && platform->capture());
    happened();
    std::stop_source source;
    const auto send = [&](const InputEvent& event) { return platform->inject_unless_stopped(event, source.get_token()); };
    ASSERT_TRUE(send(PointerMove{{50, 50}}));
    ASSERT_TRUE(send(PointerButton{MouseButton::Left, Edge::Press}));
    ASSERT_TRUE(send(PointerButton{MouseButton::Left, Edge::Release})); // a tap that waits for a second one
    source.request_stop();
    ASSERT_TRUE(platform->release_all());
    EXPECT_EQ(send(PointerMove{{60, 60}}).error().code, ErrorCode::Cancelled);
    ASSERT_TRUE(platform->settle({}, {}));
    EXPECT_TRUE(happened("down").empty());
    // All input of the process is closed: the same for whatever comes later.
    close_all_input();
    EXPECT_EQ(platform->inject(PointerMove{{60, 60}}).error().code, ErrorCode::Cancelled);
    EXPECT_EQ(platform->perform(NavigateHome{}).error().code, ErrorCode::Cancelled);
}

} // namespace
} // namespace handeye::android
