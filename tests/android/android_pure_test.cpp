// SPDX-License-Identifier: Apache-2.0
// What needs no phone: the parsers of what phones and servers say, and the making of commands.
#include "platforms/android/adb_server.h"
#include "platforms/android/apps.h"
#include "platforms/android/device_state.h"
#include "platforms/android/framebuffer.h"
#include "platforms/android/gesture.h"
#include "platforms/android/keycodes.h"
#include "platforms/android/platform.h"
#include "platforms/android/text.h"
#include "platforms/android/ui_tree.h"
#include "platforms/android/ui_xml.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace handeye::android {
namespace {

using std::chrono::milliseconds;

// adb's list of devices.

TEST(AdbDevices, ReadsSerialStateAndModel) {
    const auto devices = parse_devices("emulator-5554          device product:sdk model:Pixel_7 device:emu transport_id:1\n"
                                       "192.168.0.7:5555       offline transport_id:2\n"
                                       "0123456789ABCDEF       no permissions (missing udev rules?); see [http://x]\n");
    ASSERT_TRUE(devices);
    EXPECT_EQ((*devices)[0], (AdbDevice{"emulator-5554", "device", "Pixel_7"}));
    EXPECT_EQ((*devices)[1], (AdbDevice{"192.168.0.7:5555", "offline", ""}));
    EXPECT_EQ((*devices)[2].state, "no permissions");
}

TEST(AdbDevices, RefusesLinesWithoutAState) {
    EXPECT_FALSE(parse_devices("lonely\n"));
    EXPECT_FALSE(parse_devices("\tdevice\n"));
    EXPECT_TRUE(parse_devices("\n \n")->empty());
    std::string many;
    for (std::size_t i = 0; i <= kDevicesMax; ++i) {
        many += "s" + std::to_string(i) + " device\n";
    }
    EXPECT_EQ(parse_devices(many).error().code, ErrorCode::LimitExceeded);
}

TEST(AdbDevices, ChoosesTheOnlyReadyOneAndListsSeveral) {
    const AdbDevice one{"A", "device", "Pixel"}, two{"B", "device", ""}, shy{"C", "unauthorized", ""}, off{"D", "offline", ""};
    EXPECT_EQ(choose_device({one, shy}, "")->serial, "A");
    EXPECT_EQ(choose_device({one, two}, "B")->serial, "B");
    const auto several = choose_device({one, two}, "");
    ASSERT_FALSE(several);
    EXPECT_NE(several.error().message.find("--serial SERIAL: A (Pixel), B"), std::string::npos) << several.error().message;
    EXPECT_NE(choose_device({shy}, "").error().message.find("allow USB debugging"), std::string::npos);
    EXPECT_NE(choose_device({one, off}, "D").error().message.find("offline"), std::string::npos);
    EXPECT_NE(choose_device({one}, "Z").error().message.find("adb sees A (Pixel)"), std::string::npos);
    EXPECT_EQ(choose_device({}, "").error().code, ErrorCode::Unavailable);
}

TEST(AdbServerAddress, FollowsTheVariablesOfAdb) {
    unsetenv("ADB_SERVER_SOCKET"), unsetenv("ANDROID_ADB_SERVER_PORT"), unsetenv("ANDROID_ADB_SERVER_ADDRESS");
    EXPECT_EQ(to_string(*adb_server_address("")), "127.0.0.1:5037");
    setenv("ANDROID_ADB_SERVER_PORT", "5099", 1);
    EXPECT_EQ(to_string(*adb_server_address("")), "127.0.0.1:5099");
    setenv("ANDROID_ADB_SERVER_PORT", "none", 1);
    EXPECT_EQ(adb_server_address("").error().code, ErrorCode::InvalidArgument);
    setenv("ADB_SERVER_SOCKET", "tcp:5100", 1);
    EXPECT_EQ(to_string(*adb_server_address("")), "127.0.0.1:5100");
    setenv("ADB_SERVER_SOCKET", "tcp:build-host:5101", 1);
    EXPECT_EQ(to_string(*adb_server_address("")), "build-host:5101");
    setenv("ADB_SERVER_SOCKET", "localfilesystem:/run/adb", 1);
    EXPECT_EQ(to_string(*adb_server_address("")), "unix:/run/adb");
    setenv("ADB_SERVER_SOCKET", "vsock:1", 1);
    EXPECT_FALSE(adb_server_address(""));
    EXPECT_EQ(to_string(*adb_server_address("other:7")), "other:7"); // what is given wins
    unsetenv("ADB_SERVER_SOCKET"), unsetenv("ANDROID_ADB_SERVER_PORT");
}

// Pictures.

std::vector<std::uint8_t> shot(std::uint32_t width, std::uint32_t height, std::uint32_t format, std::vector<std::uint8_t> pixels, bool with_space) {
    std::vector<std::uint8_t> bytes;
    std::vector<std::uint32_t> head{width, height, format};
    if (with_space) {
        head.push_back(1);
    }
    for (const std::uint32_t word : head) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes.push_back(static_cast<std::uint8_t>(word >> shift));
        }
    }
    bytes.insert(bytes.end(), pixels.begin(), pixels.end());
    return bytes;
}

TEST(Framebuffer, ReadsEveryFormatWithAndWithoutColourSpace) {
    struct Case {
        std::uint32_t format;
        std::vector<std::uint8_t> pixel;
        std::vector<std::uint8_t> rgb;
    };
    const std::vector<Case> cases = {{1, {9, 8, 7, 0}, {9, 8, 7}},         {2, {9, 8, 7, 255}, {9, 8, 7}}, {3, {9, 8, 7}, {9, 8, 7}},
                                     {4, {0xFF, 0xFF}, {255, 255, 255}},   {4, {0x00, 0xF8}, {255, 0, 0}}, {5, {7, 8, 9, 255}, {9, 8, 7}},
                                     {43, {0xFF, 0x03, 0x00, 0xC0}, {255, 0, 0}}};
    for (const Case& one : cases) {
        for (const bool with_space : {false, true}) {
            const auto image = decode_framebuffer(shot(1, 1, one.format, one.pixel, with_space));
            ASSERT_TRUE(image) << image.error().message;
            EXPECT_EQ(std::vector(image->bytes().begin(), image->bytes().end()), one.rgb) << one.format;
        }
    }
}

TEST(Framebuffer, RefusesWhatContradictsItself) {
    EXPECT_EQ(decode_framebuffer({}).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(decode_framebuffer(shot(2, 2, 1, {1, 2, 3}, true)).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(decode_framebuffer(shot(0, 2, 1, {}, true)).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(decode_framebuffer(shot(0xFFFFFFFF, 0xFFFFFFFF, 1, {}, true)).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(decode_framebuffer(shot(1, 1, 99, {1, 2, 3, 4}, true)).error().code, ErrorCode::Unsupported);
}

TEST(Framebuffer, KnowsBlack) {
    EXPECT_TRUE(is_black(*decode_framebuffer(shot(2, 1, 1, {0, 0, 0, 0, 1, 0, 0, 255}, true))));
    EXPECT_FALSE(is_black(*decode_framebuffer(shot(2, 1, 1, {0, 0, 0, 0, 9, 0, 0, 255}, true))));
}

// dumpsys.

TEST(DeviceState, ReadsOldAndNewWords) {
    const DeviceState now = parse_device_state("  mWakefulness=Awake\nDisplay Power: state=ON\n      showing=false\n      secure=true\n"
                                               "  Window #3 Window{a1 u0 StatusBar}:\n      fl=NOT_FOCUSABLE SECURE\n  Window #4 Window{b2 u0 com.a/com.a.Main}:\n"
                                               "      fl=LAYOUT_IN_SCREEN HARDWARE_ACCELERATED\n      pfl=SECURE_NOT\n  mCurrentFocus=Window{b2 u0 com.a/com.a.Main}\n"
                                               "  mFocusedApp=ActivityRecord{7 u0 com.a/.Main t5}\n");
    EXPECT_EQ(now.is_awake, std::optional(true));
    EXPECT_EQ(now.is_locked, std::optional(false));
    EXPECT_EQ(now.is_lock_secure, std::optional(true));
    EXPECT_EQ(now.focused_token, "b2");
    EXPECT_EQ(now.package(), "com.a");
    EXPECT_EQ(now.resumed_component, "com.a/.Main");
    EXPECT_FALSE(now.is_focus_secure);
    const DeviceState old = parse_device_state("  Window #1 Window{c3 u0 com.bank/com.bank.Pin}:\n    mAttrs=WM.LayoutParams{(0,0)(fillxfill) ty=1 fl=#81812100 pfl=0x0}\n"
                                               "  mCurrentFocus=Window{c3 u0 com.bank/com.bank.Pin}\n    mShowingLockscreen=true mWakefulness=Asleep\n");
    EXPECT_TRUE(old.is_focus_secure);
    EXPECT_EQ(old.is_locked, std::optional(true));
    EXPECT_EQ(old.is_awake, std::optional(false));
    EXPECT_TRUE(parse_device_state("  mCurrentFocus=null\n").focused_token.empty());
    EXPECT_TRUE(parse_device_state("").package().empty());
}

// uiautomator.

TEST(UiXml, ReadsReferencesAndHalvesOfCharacters) {
    const auto elements = parse_ui_xml("<?xml version='1.0'?><!-- x --><a t=\"&lt;&#xE9;&#128512;&#55357;&#56832;\"><b/></a>");
    ASSERT_TRUE(elements) << elements.error().message;
    EXPECT_EQ((*elements)[0]["t"], "<é😀😀");
    EXPECT_EQ((*elements)[1].parent, 0);
    EXPECT_TRUE((*elements)[1]["nothing"].empty());
}

TEST(UiXml, RefusesHostileText) {
    for (const char* bad : {"", "no xml", "<a", "<a b", "<a b=", "<a b=c>", "<a b=\"x>", "<a>", "</a>", "<a></b>", "<a b='1' b='2'/>", "<a b='&bomb;'/>", "<a b='&#0;'/>",
                            "<a b='&#x110000;'/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "<![CDATA[x]]>", "<a b='&'/>"}) {
        EXPECT_FALSE(parse_ui_xml(bad)) << bad;
    }
    std::string deep;
    for (int i = 0; i <= kXmlDepthMax; ++i) {
        deep += "<n>";
    }
    EXPECT_EQ(parse_ui_xml(deep).error().code, ErrorCode::LimitExceeded);
    std::string wide = "<n>";
    for (std::size_t i = 0; i <= kXmlElementsMax; ++i) {
        wide += "<n/>";
    }
    EXPECT_EQ(parse_ui_xml(wide + "</n>").error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(parse_ui_xml("<n t='" + std::string(kXmlValueBytesMax + 1, 'x') + "'/>").error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(parse_ui_xml(std::string(kXmlBytesMax + 1, ' ')).error().code, ErrorCode::LimitExceeded);
}

TEST(UiTree, NamesRolesMarksAndSecrets) {
    const auto elements = elements_of_dump(
        "<hierarchy rotation='0'><node class='android.widget.FrameLayout' bounds='[0,0][100,200]'>"
        "<node class='android.widget.Button' text='Save' resource-id='a:id/save' clickable='true' enabled='true' bounds='[10,10][50,30]'/>"
        "<node class='android.widget.EditText' text='hunter2' content-desc='PIN' password='true' focused='true' clickable='true' bounds='[10,40][50,60]'/>"
        "<node class='android.widget.EditText' text='Ada' clickable='true' bounds='[10,70][50,90]'/>"
        "<node class='android.widget.LinearLayout' clickable='true' bounds='[0,100][100,120]'><node class='android.widget.TextView' text='Wi-Fi' bounds='[5,100][50,110]'/>"
        "<node class='android.widget.TextView' text='On' bounds='[5,110][50,120]'/></node>"
        "<node class='android.widget.CheckBox' text='Keep' checkable='true' checked='true' enabled='false' bounds='[0,130][10,140]'/>"
        "<node class='android.widget.TextView' text='outside' bounds='[0,300][10,310]'/><node class='x' text='liar' bounds='[0,0][oops'/></node></hierarchy>",
        {100, 200});
    ASSERT_TRUE(elements) << elements.error().message;
    ASSERT_EQ(elements->size(), 7U);
    const Element &save = (*elements)[0], &pin = (*elements)[1], &name = (*elements)[2], &row = (*elements)[3], &keep = (*elements)[6];
    EXPECT_EQ(save.role, "push button");
    EXPECT_EQ(save.mark, 1);
    EXPECT_EQ(save.id, "a:id/save");
    EXPECT_EQ(save.box, (Rect{10, 10, 40, 20}));
    EXPECT_TRUE(pin.is_secret && pin.value_utf8.empty() && pin.is_focused);
    EXPECT_EQ(pin.role, "password text");
    EXPECT_EQ(name.value_utf8, "Ada");
    EXPECT_EQ(row.label_utf8, "Wi-Fi, On");
    EXPECT_EQ((*elements)[4].parent, 3);
    EXPECT_EQ(keep.is_checked, std::optional(true));
    EXPECT_EQ(keep.mark, 0); // it cannot be pressed
    EXPECT_EQ(focused_text(*elements)->label_utf8, "PIN");
}

// Keys.

TEST(Keycodes, TellTheHomeKeyFromTheHomeButton) {
    EXPECT_EQ(keycode_of("Home")->code, 122);
    EXPECT_EQ(keycode_of("XF86HomePage")->code, kKeycodeHome);
    EXPECT_EQ(keycode_of("Return")->code, 66);
    EXPECT_EQ(keycode_of("BackSpace")->code, 67);
    EXPECT_EQ(keycode_of("Delete")->code, 112);
    EXPECT_EQ(keycode_of("a")->code, 29);
    EXPECT_EQ(keycode_of("z")->code, 54);
    EXPECT_EQ(keycode_of("0")->code, 7);
    EXPECT_EQ(keycode_of("F12")->code, 142);
    EXPECT_EQ(keycode_of("KP_9")->code, 153);
    EXPECT_TRUE(keycode_of("Control_L")->is_modifier);
    EXPECT_EQ(keycode_of("exclam")->text, '!');
    EXPECT_EQ(keycode_of("exclam")->code, 0);
    EXPECT_FALSE(keycode_of("F13"));
    EXPECT_FALSE(keycode_of("F0"));
    EXPECT_FALSE(keycode_of("Hyper_L"));
    EXPECT_FALSE(keycode_of(""));
}

// Gestures.

Touch touch(std::initializer_list<std::pair<Point, int>> samples) {
    Touch out;
    for (const auto& [at, ms] : samples) {
        out.push_back({at, milliseconds(ms)});
    }
    return out;
}

TEST(Gestures, BecomeTheCommandsThatAreMeant) {
    const TouchAbility all{};
    EXPECT_EQ(*touch_command(touch({{{5, 6}, 0}, {{6, 6}, 20}}), all), "input tap 5 6");
    EXPECT_EQ(*touch_command(touch({{{5, 6}, 0}, {{5, 6}, 1000}}), all), "input swipe 5 6 5 6 1000");
    EXPECT_EQ(*touch_command(touch({{{5, 6}, 0}, {{5, 6}, 310}}), {.long_press = milliseconds(1500)}), "input swipe 5 6 5 6 1700");
    EXPECT_EQ(*touch_command(touch({{{50, 90}, 0}, {{50, 50}, 60}, {{50, 10}, 500}}), all), "input swipe 50 90 50 10 500");
    EXPECT_EQ(*touch_command(touch({{{50, 90}, 0}, {{50, 10}, 20}}), all), "input swipe 50 90 50 10 300");
    EXPECT_EQ(*touch_command(touch({{{50, 90}, 0}, {{50, 90}, 450}, {{50, 10}, 900}}), all), "input draganddrop 50 90 50 10 900");
    EXPECT_EQ(*touch_command(touch({{{0, 0}, 0}, {{90, 0}, 100}, {{90, 90}, 200}}), all),
              "input motionevent DOWN 0 0 && input motionevent MOVE 90 0 && input motionevent MOVE 90 90; input motionevent UP 90 90");
    EXPECT_EQ(touch_command(touch({{{0, 0}, 0}, {{90, 0}, 100}, {{90, 90}, 200}}), {.has_motion_event = false}).error().code, ErrorCode::Unsupported);
    EXPECT_EQ(taps_command({1, 2}, 2), "input tap 1 2 & sleep 0.1; input tap 1 2; wait");
}

TEST(Gestures, SwipeOppositeToTheWheelAndAwayFromTheEdges) {
    EXPECT_EQ(wheel_command({500, 1000}, 0, 5, {1000, 2000}), "input swipe 500 1500 500 500 600"); // shows what is further down
    EXPECT_EQ(wheel_command({500, 1000}, 0, -5, {1000, 2000}), "input swipe 500 500 500 1500 600");
    EXPECT_EQ(wheel_command({500, 1000}, 5, 0, {1000, 2000}), "input swipe 750 1000 250 1000 600");
    EXPECT_EQ(wheel_command({0, 1999}, 0, 5, {1000, 2000}), "input swipe 100 1799 100 799 600"); // at a corner: moved inside
    EXPECT_EQ(wheel_command({500, 1000}, 0, 8, {1000, 2000}), "input swipe 500 1600 500 400 600 && input swipe 500 1200 500 800 600");
}

// Text.

TEST(TextParts, KeepLinesTabsAndScriptsApart) {
    const auto parts = split_text("ab\n\tcé d");
    ASSERT_TRUE(parts);
    using Kind = TextPart::Kind;
    EXPECT_EQ(*parts, (std::vector<TextPart>{{Kind::Ascii, "ab"}, {Kind::Enter, ""}, {Kind::Tab, ""}, {Kind::Unicode, "cé d"}}));
    EXPECT_TRUE(split_text("")->empty());
    EXPECT_EQ(split_text("a\x01").error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(split_text("a\xFF").error().code, ErrorCode::InvalidArgument);
    EXPECT_FALSE(split_text("\xED\xA0\x80")); // half of a character
    EXPECT_FALSE(split_text("\xC0\x80"));
}

TEST(InputText, QuotesAndSplitsWhatInputWouldChange) {
    EXPECT_EQ(input_text_commands("a b"), std::vector<std::string>{"input text 'a%sb'"});
    EXPECT_EQ(input_text_commands("100%s"), (std::vector<std::string>{"input text '100%'", "input text 's'"}));
    EXPECT_EQ(input_text_commands("it's $HOME;`x`"), std::vector<std::string>{"input text 'it'\\''s%s$HOME;`x`'"});
    EXPECT_TRUE(input_text_commands("").empty());
    EXPECT_EQ(input_text_commands(std::string(kTextPieceCharacters + 1, 'x')).size(), 2U);
}

TEST(Arrival, IsJudgedByWhatTheFieldHeldBefore) {
    EXPECT_EQ(judge_arrival("", "é", "é"), Arrival::Arrived);
    EXPECT_EQ(judge_arrival("Search", "é", "é"), Arrival::Arrived); // a hint went
    EXPECT_EQ(judge_arrival("ab", "aéb", "é"), Arrival::Arrived);
    EXPECT_EQ(judge_arrival("ab", "ab", "é"), Arrival::Unchanged);
    EXPECT_EQ(judge_arrival("é", "é", "é"), Arrival::CannotTell);
    EXPECT_EQ(judge_arrival("ab", "ab?", "é"), Arrival::Differs);
    EXPECT_EQ(judge_arrival("abc", "aéc", "é"), Arrival::Arrived); // over a selection
    EXPECT_EQ(judge_arrival("aa", "aaa", "a"), Arrival::Arrived);
}

// Apps.

TEST(Apps, AreFoundByLabelPackageAndPart) {
    const auto apps = parse_launchable("3 activities found:\n  Activity #0:\n    priority=0 preferredOrder=0\n    com.android.settings/.Settings\n"
                                       "com.android.chrome/com.google.android.apps.chrome.Main\norg.mozilla.firefox/.App\nde.foo.camera/.A\norg.bar.camera/.B\n"
                                       "no component\nx/y\n;rm -rf/.Settings\n");
    ASSERT_EQ(apps.size(), 5U);
    EXPECT_EQ(find_app(apps, "settings")->component, "com.android.settings/.Settings");
    EXPECT_EQ(find_app(apps, "Chrome")->package(), "com.android.chrome");
    EXPECT_EQ(find_app(apps, "Google Chrome")->package(), "com.android.chrome");
    EXPECT_EQ(find_app(apps, "org.mozilla.firefox")->label, "Firefox");
    EXPECT_EQ(find_app(apps, "camera").error().code, ErrorCode::InvalidArgument); // two of them
    EXPECT_EQ(find_app(apps, "Solitaire").error().code, ErrorCode::NotFound);
    EXPECT_EQ(find_app(apps, " ").error().code, ErrorCode::InvalidArgument);
}

TEST(Facts, AreReadFromTheToolsOwnWords) {
    const PhoneFacts now = parse_facts("34\n500\nUsage: input\n draganddrop\n motionevent\n keycombination\n");
    EXPECT_EQ(now.sdk, 34);
    EXPECT_EQ(now.touch.long_press, Duration(milliseconds(500)));
    EXPECT_TRUE(now.touch.has_drag_and_drop && now.touch.has_motion_event && now.has_key_combination);
    const PhoneFacts old = parse_facts("24\nnull\nUsage: input tap swipe\n");
    EXPECT_EQ(old.touch.long_press, Duration(milliseconds(400)));
    EXPECT_FALSE(old.touch.has_drag_and_drop || old.touch.has_motion_event || old.has_key_combination);
}

} // namespace
} // namespace handeye::android
