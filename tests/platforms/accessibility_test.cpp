// SPDX-License-Identifier: Apache-2.0
// The parts of the accessibility tree's reading that need no screen: hostile text, addresses, and which window is which.
#include "platforms/x11/accessibility_bus.h"
#include "platforms/x11/accessibility_place.h"
#include "platforms/x11/accessibility_roles.h"

#include <gtest/gtest.h>

namespace handeye::x11 {
namespace {

TEST(AccessibleText, IsCutAtACharacterAndHoldsNoControlBytes) {
    EXPECT_EQ(clean_text("Grüße", 100), "Grüße");
    EXPECT_EQ(clean_text("Grüße", 3), "Gr");
    EXPECT_EQ(clean_text("a\x1b[31m\x01\x7f", 100), "a [31m  ");
    EXPECT_EQ(clean_text("a\nb\tc", 100), "a\nb\tc");
    EXPECT_EQ(clean_text(std::string(10U << 20U, 'x'), 256).size(), 256U);
}

TEST(AccessibleText, WhatIsNotUtf8IsReplaced) {
    const std::string mark = "\xEF\xBF\xBD";
    EXPECT_EQ(clean_text("\xff", 100), mark);
    EXPECT_EQ(clean_text("a\xC3", 100), "a" + mark);
    EXPECT_EQ(clean_text("\xC0\xAF", 100), mark + mark);         // overlong
    EXPECT_EQ(clean_text("\xED\xA0\x80", 100), mark + mark + mark); // half of a surrogate pair
    EXPECT_EQ(clean_text("\xF4\x90\x80\x80", 100).size(), 12U);  // beyond Unicode
    EXPECT_EQ(clean_text("\xF0\x9F\x98\x80", 100), "😀");
}

TEST(AccessibilityAddress, OnlySocketsOfThisMachineAreConnectedTo) {
    EXPECT_TRUE(is_socket_address("unix:path=/run/user/1000/at-spi/bus_0,guid=5d"));
    EXPECT_TRUE(is_socket_address("unix:abstract=/tmp/dbus-x"));
    for (const char* refused : {"unixexec:path=/bin/sh,argv1=-c,argv2=id", "tcp:host=example.org,port=1", "unix:tmpdir=/tmp", "", "unix:path=/a;unixexec:path=/b",
                                "x-machine-unix:pid=1", "unix:path=/a b"}) {
        EXPECT_FALSE(is_socket_address(refused)) << refused;
    }
    EXPECT_FALSE(is_socket_address("unix:path=/" + std::string(600, 'a')));
}

StackedWindow shown(std::uint64_t id, int pid, const std::string& title, Rect area, Rect outer = {}) {
    StackedWindow window;
    window.info.id = id;
    window.info.pid = pid;
    window.info.title_utf8 = title;
    window.info.area = area;
    window.outer = outer.size().is_empty() ? area : outer;
    return window;
}

TEST(AccessiblePlace, ScreenCoordinatesAreTakenAsTheyAreWithOrWithoutTheFrame) {
    const std::vector<StackedWindow> stack = {shown(1, 7, "Editor", {101, 120, 640, 480}, {100, 100, 642, 501})};
    for (const Rect& told : {Rect{100, 100, 642, 501}, Rect{101, 120, 640, 480}}) {
        const auto place = place_toplevel(told, "Editor", 7, Coordinates::Screen, stack);
        ASSERT_TRUE(place);
        EXPECT_EQ(place->to_root({110, 130, 20, 10}), (Rect{110, 130, 20, 10}));
    }
}

TEST(AccessiblePlace, WindowCoordinatesStartWithinTheBorderThatTheProgramDraws) {
    std::vector<StackedWindow> stack = {shown(1, 7, "Calculator", {910, 0, 365, 496})};
    auto place = place_toplevel({0, 0, 355, 486}, "Calculator", 7, Coordinates::Window, stack);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->to_root({15, 11, 63, 24}), (Rect{930, 16, 63, 24}));
    stack.front().info.area = {890, 10, 407, 538}; // with a shadow, as under a compositor
    stack.front().shadow = {23, 23, 20, 26};
    place = place_toplevel({0, 0, 361, 492}, "Calculator", 7, Coordinates::Window, stack);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->to_root({0, 0, 1, 1}), (Rect{913, 30, 1, 1}));
}

TEST(AccessiblePlace, LogicalPixelsOfAScaledProgramBecomeThoseOfTheScreen) {
    const std::vector<StackedWindow> stack = {shown(1, 7, "Editor", {200, 100, 1280, 960})};
    const auto place = place_toplevel({100, 50, 640, 480}, "Editor", 7, Coordinates::Screen, stack);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->to_root({110, 60, 20, 10}), (Rect{220, 120, 40, 20}));
}

TEST(AccessiblePlace, WindowsOfOtherProgramsAndOtherDisplaysAreNotMistaken) {
    const std::vector<StackedWindow> stack = {shown(1, 7, "Editor", {100, 100, 640, 480}), shown(2, 8, "Editor", {100, 100, 640, 480})};
    EXPECT_EQ(place_toplevel({100, 100, 640, 480}, "Editor", 7, Coordinates::Screen, stack)->window, 0);
    EXPECT_EQ(place_toplevel({100, 100, 640, 480}, "Editor", 8, Coordinates::Screen, stack)->window, 1);
    EXPECT_FALSE(place_toplevel({100, 100, 640, 480}, "Other", 9, Coordinates::Screen, stack)); // a program without a window here
    EXPECT_FALSE(place_toplevel({500, 500, 100, 100}, "Editor", 7, Coordinates::Screen, stack));
    EXPECT_FALSE(place_toplevel({0, 0, 100, 100}, "Other", 7, Coordinates::Window, stack));
}

TEST(AccessiblePlace, OfSeveralWindowsOfAGtk4ProgramTheTitleDecides) {
    const std::vector<StackedWindow> stack = {shown(1, 7, "One", {0, 0, 300, 200}), shown(2, 7, "Two", {500, 0, 300, 200})};
    EXPECT_EQ(place_toplevel({0, 0, 300, 200}, "One", 7, Coordinates::Window, stack)->window, 0);
    EXPECT_EQ(place_toplevel({0, 0, 300, 200}, "Two", 7, Coordinates::Window, stack)->window, 1);
}

TEST(AccessiblePlace, AnOpenMenuOfGtk4IsWhereItsOwnWindowIs) {
    std::vector<StackedWindow> stack = {shown(1, 7, "Calculator", {457, 164, 365, 496}), shown(2, 7, "gnome-calculator", {538, 188, 285, 418})};
    stack.back().is_popup = true;
    const Placement parent{0, {462, 169}, 1};
    const auto menu = place_popup({201, 6, 285, 418}, 7, parent, stack);
    ASSERT_TRUE(menu);
    EXPECT_EQ(menu->window, 1);
    EXPECT_EQ(menu->to_root({243, 46, 201, 32}), (Rect{580, 228, 201, 32}));
    EXPECT_FALSE(place_popup({201, 6, 284, 418}, 7, parent, stack));
    EXPECT_FALSE(place_popup({201, 6, 285, 418}, 8, parent, stack)); // of another program
    stack.back() = shown(3, 7, "gnome-calculator", {623, 213, 114, 30});
    stack.back().is_popup = true;
    const auto tip = place_popup({11, 7, 92, 16}, 7, parent, stack);
    ASSERT_TRUE(tip);
    EXPECT_EQ(tip->to_root({11, 7, 92, 16}), (Rect{634, 220, 92, 16}));
}

TEST(AccessiblePlace, AnItemOfAMenuIsInTheTopmostMenuThatHoldsIt) {
    std::vector<StackedWindow> stack = {shown(1, 7, "Editor", {0, 0, 640, 480}), shown(2, 7, "", {100, 20, 135, 50}), shown(3, 7, "", {200, 40, 135, 50})};
    EXPECT_EQ(menu_window({100, 20, 135, 25}, 7, stack), -1); // none of them is a menu
    stack[1].is_popup = stack[2].is_popup = true;
    EXPECT_EQ(menu_window({100, 20, 135, 25}, 7, stack), 1);
    EXPECT_EQ(menu_window({200, 45, 30, 20}, 7, stack), 2);
    EXPECT_EQ(menu_window({0, 0, 40, 20}, 7, stack), -1);
    EXPECT_EQ(menu_window({100, 20, 135, 25}, 8, stack), -1);
}

TEST(AccessibleRoles, HaveAtSpisNames) {
    EXPECT_EQ(role_name(43), "push button");
    EXPECT_EQ(role_name(7), "check box");
    EXPECT_EQ(role_name(79), "entry");
    EXPECT_EQ(role_name(kRolePasswordText), "password text");
    EXPECT_EQ(role_name(130), "switch");
    EXPECT_EQ(role_name(0xffffffffU), "unknown");
    EXPECT_FALSE(holds_text(kRolePasswordText));
    EXPECT_TRUE(can_act_on(kRolePasswordText));
    EXPECT_FALSE(can_act_on(kRoleLabel));
}

} // namespace
} // namespace handeye::x11
