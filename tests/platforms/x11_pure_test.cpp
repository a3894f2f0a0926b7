// SPDX-License-Identifier: Apache-2.0
// The parts of the platform "x11" that need no server: pixels, keysyms, desktop entries, names of platforms.
#include "platforms/open_platform.h"
#include "platforms/x11/headless.h"
#include "platforms/x11/input_merge.h"
#include "platforms/x11/keysyms.h"
#include "platforms/x11/launch.h"
#include "platforms/x11/pixels.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace handeye::x11 {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes rgb(const Result<Image>& image, int x, int y) {
    const Image picture = image.value().to_rgb();
    const auto at = picture.row(y).subspan(static_cast<std::size_t>(x) * 3, 3);
    return {at.begin(), at.end()};
}

/// Keys that are pressed one a millisecond, told in two ways.
struct Merged {
    std::vector<std::pair<unsigned, bool>> told; ///< when, and whether it was recovered
    InputMerge merge{[this](const HeardInput& heard, bool recovered) { told.emplace_back(heard.time_ms, recovered); }};
    static HeardInput key(unsigned time) { return {KeyPress, 38, 0, {}, time}; }
    void raw(unsigned from, unsigned to) {
        for (unsigned time = from; time < to; ++time) {
            merge.add_raw(key(time));
        }
    }
    void recorded(unsigned from, unsigned to) {
        for (unsigned time = from; time < to; ++time) {
            merge.add_recorded(key(time));
        }
        merge.advance();
    }
};

TEST(X11InputMerge, WhatABurstLostIsToldInItsPlaceAndAtItsEnd) {
    Merged of;
    of.recorded(0, 100);
    EXPECT_TRUE(of.told.size() < 100) << "what is raw of them may be older";
    of.recorded(150, 160);
    of.raw(0, 200);
    of.merge.advance();
    EXPECT_EQ(of.told.size(), 160U);
    EXPECT_TRUE(of.merge.is_in_doubt());
    of.merge.settle(of.merge.mark());
    EXPECT_FALSE(of.merge.is_in_doubt());
    ASSERT_EQ(of.told.size(), 200U);
    for (unsigned i = 0; i < 200; ++i) {
        EXPECT_EQ(of.told[i], (std::pair{i, (i >= 100 && i < 150) || i >= 160}));
    }
    of.recorded(160, 161);
    EXPECT_EQ(of.told.size(), 200U) << "late, and told already";
}

TEST(X11InputMerge, AtAHandsPaceARawEventAloneIsNoInput) {
    Merged of;
    of.raw(1, 3);
    of.recorded(2, 3);
    of.recorded(3, 5); // a key that repeats itself
    of.raw(5, 6);
    of.merge.rest();
    of.recorded(5, 6); // late
    EXPECT_EQ(of.told, (std::vector<std::pair<unsigned, bool>>{{2, false}, {3, false}, {4, false}, {5, false}}));
}

TEST(X11InputMerge, AKeyOfTheSameMillisecondIsKnownByWhatIsHeldWithIt) {
    std::vector<std::pair<unsigned, bool>> told; // state, recovered
    InputMerge merge{[&](const HeardInput& heard, bool recovered) { told.emplace_back(heard.state, recovered); }};
    const auto press = [](unsigned state, unsigned time) { return HeardInput{KeyPress, 44, state, {}, time}; };
    for (unsigned i = 0; i < 100; ++i) {
        merge.add_raw(press(0, i));
        merge.add_recorded(press(0, i));
    }
    merge.add_raw(press(0, 500)); // lost by the server
    merge.add_raw(press(ShiftMask, 500));
    merge.add_recorded(press(ShiftMask, 500));
    merge.advance();
    ASSERT_EQ(told.size(), 102U);
    EXPECT_EQ(told[100], (std::pair{0U, true}));
    EXPECT_EQ(told[101], (std::pair{unsigned{ShiftMask}, false}));
}

TEST(X11Pixels, CommonLayoutIsCopiedAsBgrx) {
    const Bytes bytes = {1, 2, 3, 0, 4, 5, 6, 0};
    const auto image = image_from_server(bytes, 8, {2, 1}, {});
    ASSERT_TRUE(image);
    EXPECT_EQ(image->format(), PixelFormat::Bgrx);
    EXPECT_EQ(rgb(image, 1, 0), (Bytes{6, 5, 4}));
}

TEST(X11Pixels, PaddingAtRowEndsIsDropped) {
    const Bytes bytes = {1, 2, 3, 0, 99, 99, 99, 99, 4, 5, 6, 0};
    const auto image = image_from_server(bytes, 8, {1, 2}, {});
    ASSERT_TRUE(image);
    EXPECT_EQ(rgb(image, 0, 1), (Bytes{6, 5, 4}));
}

TEST(X11Pixels, MostSignificantByteFirstIsReadInItsOrder) {
    PixelLayout layout;
    layout.is_lsb_first = false;
    const auto image = image_from_server(Bytes{0, 10, 20, 30}, 4, {1, 1}, layout);
    ASSERT_TRUE(image);
    EXPECT_EQ(rgb(image, 0, 0), (Bytes{10, 20, 30}));
}

TEST(X11Pixels, SixteenBitChannelsReachFullRange) {
    const PixelLayout layout{16, true, 0xf800, 0x07e0, 0x001f};
    const auto image = image_from_server(Bytes{0xff, 0xff, 0x00, 0xf8}, 4, {2, 1}, layout);
    ASSERT_TRUE(image);
    EXPECT_EQ(rgb(image, 0, 0), (Bytes{255, 255, 255}));
    EXPECT_EQ(rgb(image, 1, 0), (Bytes{255, 0, 0}));
}

TEST(X11Pixels, TenBitChannelsAreScaledToEight) {
    const PixelLayout layout{32, true, 0x3ff00000, 0x000ffc00, 0x000003ff};
    const auto image = image_from_server(Bytes{0xff, 0x03, 0x00, 0x20}, 4, {1, 1}, layout);
    ASSERT_TRUE(image);
    EXPECT_EQ(rgb(image, 0, 0), (Bytes{128, 0, 255}));
}

TEST(X11Pixels, RefusesShortDataAndUnknownDepths) {
    EXPECT_EQ(image_from_server(Bytes(7), 8, {2, 1}, {}).error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(image_from_server(Bytes(16), 4, {2, 2}, {}).error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(image_from_server(Bytes(8), 8, {0, 1}, {}).error().code, ErrorCode::OutOfBounds);
    EXPECT_EQ(image_from_server(Bytes(8), 8, {2, 1}, {8, true, 0, 0, 0}).error().code, ErrorCode::Unsupported);
}

TEST(X11Keysyms, NamesAndSingleCharactersAreKeys) {
    EXPECT_EQ(keysym_of_name("Return").value(), KeySym{XK_Return});
    EXPECT_EQ(keysym_of_name("a").value(), KeySym{XK_a});
    EXPECT_EQ(keysym_of_name("ä").value(), KeySym{XK_adiaeresis});
    EXPECT_EQ(keysym_of_name("U0434").value(), KeySym{0x1000434});
    EXPECT_EQ(keysym_of_name("字").value(), KeySym{0x1005b57});
}

TEST(X11Keysyms, UnknownNamesAreNamedInTheError) {
    for (const std::string name : {"", "Retrun", "ab", "\x01", "\xff"}) {
        const auto keysym = keysym_of_name(name);
        ASSERT_FALSE(keysym) << name;
        EXPECT_EQ(keysym.error().code, ErrorCode::InvalidArgument);
    }
    EXPECT_NE(keysym_of_name("Retrun").error().message.find("\"Retrun\""), std::string::npos);
}

TEST(X11Keysyms, OldKeysymsMeanTheirCharacters) {
    EXPECT_EQ(character_of_keysym(XK_Cyrillic_de), U'д');
    EXPECT_EQ(character_of_keysym(XK_EuroSign), U'€');
    EXPECT_EQ(character_of_keysym(XK_Lstroke), U'Ł');
    EXPECT_EQ(character_of_keysym(0x101f600), U'😀');
    EXPECT_EQ(character_of_keysym(XK_F1), U'\0');
    EXPECT_EQ(character_of_keysym(XK_dead_acute), U'\0');
}

TEST(X11Keysyms, DecodesUtf8AndRefusesWhatIsNone) {
    EXPECT_EQ(decode_utf8("aä字😀").value(), (std::vector<char32_t>{U'a', U'ä', U'字', U'😀'}));
    EXPECT_TRUE(decode_utf8("").value().empty());
    for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe5\xad", "ab\xf8"}) {
        EXPECT_FALSE(decode_utf8(bad)) << bad;
    }
}

TEST(X11Launch, ExecLinesFollowTheQuotingRules) {
    EXPECT_EQ(split_exec("prog --flag %U"), (std::vector<std::string>{"prog", "--flag"}));
    EXPECT_EQ(split_exec("\"/opt/my prog\" \"a \\\"b\\\"\" 100%%"),
              (std::vector<std::string>{"/opt/my prog", "a \"b\"", "100%"}));
    EXPECT_TRUE(split_exec("  ").empty());
}

TEST(X11Launch, DesktopEntriesAreFoundByTheirNameInAnyCase) {
    const auto root = std::filesystem::temp_directory_path() / ("handeye-entries-" + std::to_string(getpid()));
    std::filesystem::create_directories(root / "applications");
    std::ofstream(root / "applications" / "org.example.Tool.desktop")
        << "[Desktop Entry]\nName=Fancy Tool\nExec=/bin/true --x %f\n[Desktop Action new]\nExec=/bin/false\n";
    setenv("XDG_DATA_HOME", root.c_str(), 1);
    const auto argv = find_desktop_entry("fancy tool");
    std::filesystem::remove_all(root);
    ASSERT_TRUE(argv) << argv.error().message;
    EXPECT_EQ(*argv, (std::vector<std::string>{"/bin/true", "--x"}));
    EXPECT_EQ(find_desktop_entry("no such tool").error().code, ErrorCode::NotFound);
}

TEST(X11Launch, RefusesWhatIsNoProgram) {
    EXPECT_EQ(launch({}, {}).error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(launch({"no-such-program-here"}, {}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(launch({std::string(HANDEYE_SOURCE_DIR) + "/LICENSE"}, {}).error().code, ErrorCode::NotFound);
}

TEST(X11Open, DisplayThatIsNotThereIsNamed) {
    SystemClock clock;
    PlatformOptions options;
    options.display = ":4321";
    const auto platform = open_platform(options, clock);
    ASSERT_FALSE(platform);
    EXPECT_EQ(platform.error().code, ErrorCode::Unavailable);
    EXPECT_NE(platform.error().message.find("\":4321\""), std::string::npos) << platform.error().message;
}

TEST(X11Open, WithoutDisplayTheRowSaysSo) {
    unsetenv("DISPLAY");
    const auto rows = list_platforms();
    ASSERT_FALSE(rows.empty());
    EXPECT_EQ(rows[0].name, "x11");
    EXPECT_FALSE(rows[0].is_available);
    EXPECT_NE(rows[0].detail.find("DISPLAY is not set"), std::string::npos) << rows[0].detail;
}

TEST(X11Open, UnknownPlatformListsTheKnownOnes) {
    SystemClock clock;
    PlatformOptions options;
    options.platform = "x12";
    const auto platform = open_platform(options, clock);
    ASSERT_FALSE(platform);
    EXPECT_TRUE(platform.error().message.starts_with("unknown platform \"x12\"; this build has x11")) << platform.error().message;
}

TEST(X11Headless, RefusesSizesOutsideItsLimits) {
    SystemClock clock;
    for (const Size size : {Size{0, 0}, Size{63, 800}, Size{20000, 800}, Size{-5, -5}}) {
        const auto display = HeadlessDisplay::start({size, false}, clock);
        ASSERT_FALSE(display);
        EXPECT_EQ(display.error().code, ErrorCode::InvalidArgument);
    }
}

} // namespace
} // namespace handeye::x11
