// SPDX-License-Identifier: Apache-2.0
// Pixels, sizes, passwords, encryption, clipboards, and servers that go away and come back.
#include "platforms/vnc/link.h"
#include "platforms/vnc/password.h"
#include "platforms/x11/connection.h"
#include "tests/platforms/vnc_fixture.h"

#include <cstdlib>

#include <X11/extensions/Xrandr.h>
#include <fmt/format.h>

namespace handeye::vnc {
namespace {

constexpr Rect kPaint{100, 60, 300, 200};

struct Colour {
    int red, green, blue;
    bool operator==(const Colour&) const = default;
};

Colour at(const Image& image, int x, int y) {
    const auto row = image.row(y);
    const auto i = static_cast<std::size_t>(x) * 3;
    return {row[i], row[i + 1], row[i + 2]};
}

class VncSession : public VncTest {
protected:
    void start_paint(const std::string& mode = "still") {
        start_app("paint_app", {mode, std::to_string(kPaint.x), std::to_string(kPaint.y), std::to_string(kPaint.width_px), std::to_string(kPaint.height_px)});
    }
    Image capture_when(Platform& platform, int x, int y, Colour want) {
        Image image;
        EXPECT_TRUE(wait_for([&] {
            const auto shot = platform.capture();
            image = shot ? shot->image.to_rgb() : Image();
            return image.size().width_px > x && image.size().height_px > y && at(image, x, y) == want;
        })) << "the pixel never came";
        return image;
    }
    /// What `xrandr --size` does.
    void resize_display(Size size) {
        const auto connection = x11::Connection::open({});
        ASSERT_TRUE(connection) << connection.error().message;
        ::Display* const display = (*connection)->get();
        XRRScreenConfiguration* const config = XRRGetScreenInfo(display, DefaultRootWindow(display));
        int count = 0, found = -1;
        const XRRScreenSize* const sizes = XRRConfigSizes(config, &count);
        for (int i = 0; i < count; ++i) {
            found = sizes[i].width == size.width_px && sizes[i].height == size.height_px ? i : found;
        }
        ASSERT_GE(found, 0) << "the server has no such size";
        EXPECT_EQ(XRRSetScreenConfig(display, config, DefaultRootWindow(display), found, RR_Rotate_0, CurrentTime), RRSetConfigSuccess);
        XRRFreeScreenConfigInfo(config);
        XSync(display, False);
    }
    void expect_refused(const PlatformOptions& options, ErrorCode code, const std::string& words) {
        const auto platform = try_open(options);
        ASSERT_FALSE(platform);
        EXPECT_EQ(platform.error().code, code) << platform.error().message;
        EXPECT_NE(platform.error().message.find(words), std::string::npos) << platform.error().message;
    }
    /// In the form of VNC's own password files.
    std::string store_password(const std::string& password) {
        const std::string file = (folder() / "vnc-password").string();
        EXPECT_EQ(std::system(fmt::format("x11vnc -storepasswd {} {} >/dev/null 2>&1", password, file).c_str()), 0);
        return file;
    }
    void make_certificate() {
        const std::string command = fmt::format("cd {} && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
                                                "-addext subjectAltName=DNS:localhost >/dev/null 2>&1",
                                                folder().string());
        ASSERT_EQ(std::system(command.c_str()), 0);
    }
    std::string by_name() const { return "localhost" + attach_.substr(attach_.find(':')); }
};

class VncPixels : public VncSession, public ::testing::WithParamInterface<Server> {};

TEST_P(VncPixels, CapturedPixelsAreThoseOfTheDesktop) {
    start_server(GetParam());
    start_paint();
    const auto platform = open();
    ASSERT_TRUE(platform);
    const Image image = capture_when(*platform, 399, 259, {299 & 255, 199, 77});
    ASSERT_EQ(image.size(), (Size{1024, 768}));
    for (int y = 0; y < kPaint.height_px; ++y) {
        for (int x = 0; x < kPaint.width_px; ++x) {
            ASSERT_EQ(at(image, kPaint.x + x, kPaint.y + y), (Colour{x & 255, y & 255, 77})) << x << ", " << y;
        }
    }
}

TEST_P(VncPixels, AStillScreenIsQuiet) {
    start_server(GetParam());
    start_paint();
    const auto platform = open();
    ASSERT_TRUE(platform);
    capture_when(*platform, 399, 259, {299 & 255, 199, 77});
    // On a busy machine the server may send the last of the first picture late; a still screen is one that ends that.
    bool has_changed = true;
    for (int tries = 0; has_changed && tries < 20; ++tries) {
        ASSERT_TRUE(platform->settle({.quiet = std::chrono::milliseconds(300), .deadline = std::chrono::seconds(20)}, {}));
        ASSERT_TRUE(platform->capture());
        const auto still = platform->settle({.quiet = std::chrono::milliseconds(80), .deadline = std::chrono::seconds(20)}, {});
        ASSERT_TRUE(still) << still.error().message;
        EXPECT_TRUE(still->is_quiet);
        has_changed = still->has_changed;
    }
    EXPECT_FALSE(has_changed);
}

INSTANTIATE_TEST_SUITE_P(Servers, VncPixels, ::testing::Values(Server::TigerVnc, Server::X11Vnc),
                         [](const auto& param) { return param.param == Server::TigerVnc ? "TigerVnc" : "X11Vnc"; });

/// Not x11vnc: it may not notice a small square that turns for seconds.
TEST_F(VncSession, ASpinnerReachesTheDeadline) {
    start_server(Server::TigerVnc);
    start_paint("spinner");
    const auto platform = open();
    ASSERT_TRUE(platform);
    capture_when(*platform, 399, 259, {299 & 255, 199, 77});
    const auto restless = platform->settle({.quiet = std::chrono::milliseconds(500), .deadline = std::chrono::milliseconds(1500)}, {});
    ASSERT_TRUE(restless) << restless.error().message;
    EXPECT_FALSE(restless->is_quiet);
    EXPECT_TRUE(restless->has_changed);
}

TEST_F(VncSession, AllFourCornersAreReachedAfterAResize) {
    start_server(Server::TigerVnc);
    const auto platform = open();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->capture());
    resize_display({800, 600});
    ASSERT_TRUE(wait_for([&] { return platform->inject(PointerMove{{1000, 700}}).has_value() == false; }));
    const auto former = platform->inject(PointerMove{{10, 10}}); // measured on what is not there any more
    ASSERT_FALSE(former);
    EXPECT_EQ(former.error().code, ErrorCode::OutOfBounds);
    EXPECT_NE(former.error().message.find("800x600 now and was 1024x768"), std::string::npos) << former.error().message;
    const auto shot = platform->capture();
    ASSERT_TRUE(shot) << shot.error().message;
    ASSERT_EQ(shot->image.size(), (Size{800, 600}));
    start_event_log();
    for (const Point corner : {Point{0, 0}, Point{799, 0}, Point{0, 599}, Point{799, 599}}) {
        x11::click(*platform, corner);
        log_ending_with(fmt::format("release 1 {} {}", corner.x, corner.y));
    }
    EXPECT_FALSE(platform->inject(PointerMove{{800, 0}}));
    EXPECT_FALSE(platform->inject(PointerMove{{0, 600}}));
}

/// Size, picture and frame of input are of one moment, whatever the desktop has become since.
TEST_F(VncSession, TheSizeThatIsToldIsThatOfTheLastPicture) {
    start_server(Server::TigerVnc);
    const auto platform = open();
    ASSERT_TRUE(platform);
    EXPECT_EQ(platform->display()->size, (Size{1024, 768})); // before the first picture: what that will be
    ASSERT_TRUE(platform->capture());
    for (const Size size : {Size{800, 600}, Size{1280, 720}, Size{640, 480}}) {
        const Size before = platform->display()->size;
        resize_display(size);
        ASSERT_TRUE(wait_for([&] { return !platform->inject(PointerMove{{10, 10}}); })); // the platform has heard of it
        EXPECT_EQ(platform->display()->size, before);
        EXPECT_EQ(platform->windows()->front().area.size(), before);
        EXPECT_EQ(platform->display()->monitors.front().area.size(), before);
        const auto measured_before = platform->inject(PointerMove{{10, 10}}); // display() alone makes no new frame
        ASSERT_FALSE(measured_before);
        EXPECT_EQ(measured_before.error().code, ErrorCode::OutOfBounds);
        const auto shot = platform->capture();
        ASSERT_TRUE(shot) << shot.error().message;
        EXPECT_EQ(shot->image.size(), size);
        EXPECT_EQ(platform->display()->size, size);
        EXPECT_TRUE(platform->inject(PointerMove{{size.width_px - 1, size.height_px - 1}}));
    }
}

/// What a server paints of its pointer lies over what an agent has to read.
TEST_F(VncSession, ThePointerIsNotInTheFirstPicture) {
    start_server(Server::TigerVnc);
    const Rect middle{500, 370, 60, 40};
    start_app("paint_app", {"still", std::to_string(middle.x), std::to_string(middle.y), std::to_string(middle.width_px), std::to_string(middle.height_px)});
    const auto connection = x11::Connection::open({});
    ASSERT_TRUE(connection) << connection.error().message;
    ::Display* const display = (*connection)->get();
    constexpr unsigned kLeftPointer = 68; // XC_left_ptr
    XDefineCursor(display, DefaultRootWindow(display), XCreateFontCursor(display, kLeftPointer));
    XSync(display, False);
    const auto painted_over = [&](Platform& platform) {
        int count = 0;
        const auto shot = platform.capture();
        EXPECT_TRUE(shot) << shot.error().message;
        const Image image = shot ? shot->image.to_rgb() : Image();
        for (int y = 0; shot && y < middle.height_px; ++y) {
            for (int x = 0; x < middle.width_px; ++x) {
                count += at(image, middle.x + x, middle.y + y) == Colour{x & 255, y & 255, 77} ? 0 : 1;
            }
        }
        return count;
    };
    const auto watcher = open({.vnc = {.view_only = true}});
    ASSERT_TRUE(watcher);
    ASSERT_TRUE(wait_for([&] { // the window is there, and the server's pointer over it: this is the server that the test means
        const int count = painted_over(*watcher);
        return count > 20 && count < 1000;
    }));
    const auto platform = open();
    ASSERT_TRUE(platform);
    EXPECT_EQ(painted_over(*platform), 0);
    EXPECT_EQ(*platform->pointer(), (Point{512, 384}));

    const auto pointer = [&] {
        ::Window root = 0, child = 0;
        Point at;
        int x = 0, y = 0;
        unsigned mask = 0;
        XQueryPointer(display, DefaultRootWindow(display), &root, &child, &at.x, &at.y, &x, &y, &mask);
        return at;
    };
    XWarpPointer(display, 0, DefaultRootWindow(display), 0, 0, 0, 0, 30, 40); // a person's
    XSync(display, False);
    const auto looker = open({.vnc = {.view_only = true}}); // what `handeye screenshot` does
    ASSERT_TRUE(looker && looker->capture());
    EXPECT_EQ(pointer(), (Point{30, 40}));
    const auto worker = open();
    ASSERT_TRUE(worker && worker->capture());
    EXPECT_EQ(pointer(), (Point{512, 384}));
}

TEST_F(VncSession, NobodyThereIsUnavailable) {
    expect_refused({.attach = "127.0.0.1::1"}, ErrorCode::Unavailable, "127.0.0.1::1");
    expect_refused({.attach = "/nonexistent/socket"}, ErrorCode::Unavailable, "No such file");
    expect_refused({.attach = "host.invalid:1"}, ErrorCode::NotFound, "host.invalid");
    expect_refused({.attach = "a b"}, ErrorCode::InvalidArgument, "blanks");
}

TEST_F(VncSession, AUnixSocketIsAsGoodAsAPort) {
    const std::string path = (folder() / "rfb").string();
    start_server(Server::TigerVnc, {1024, 768}, {"-rfbunixpath", path});
    const auto platform = open({.attach = path});
    ASSERT_TRUE(platform);
    EXPECT_TRUE(platform->capture());
}

TEST_F(VncSession, PasswordsAreAskedForCheckedAndNeverShown) {
    start_server(Server::TigerVnc, {640, 480}, {"-SecurityTypes", "VncAuth", "-PasswordFile", store_password("richtig")});
    expect_refused({}, ErrorCode::PermissionDenied, "--password-file");
    const auto wrong = try_open({.vnc = {.password_file = write_private("wrong", "falsch8\n")}});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(wrong.error().message.find("falsch8"), std::string::npos) << wrong.error().message;
    const auto open_file = write_private("open", "richtig\n");
    std::filesystem::permissions(open_file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    expect_refused({.vnc = {.password_file = open_file}}, ErrorCode::PermissionDenied, "chmod 600");
    expect_refused({.vnc = {.password_file = write_private("key", "-----BEGIN\nsecret\n")}}, ErrorCode::InvalidArgument, "one line");
    expect_refused({.vnc = {.password_file = folder() / "none"}}, ErrorCode::NotFound, "password file");
    const auto platform = open({.vnc = {.password_file = write_private("right", "richtig\n")}});
    ASSERT_TRUE(platform);
    EXPECT_TRUE(platform->capture());
    expect_refused({.vnc = {.password_file = write_private("right", "richtig\n"), .tls = "require"}}, ErrorCode::PermissionDenied, "--tls require");
}

TEST_F(VncSession, WhoIsAStrangerUsesThePasswordOfThisServerAlone) {
    start_server(Server::TigerVnc, {640, 480}, {"-SecurityTypes", "VncAuth", "-PasswordFile", store_password("richtig")});
    const auto stored = write_private(describe(*parse_address(attach_)), "richtig\n");
    const auto platform = open({.vnc = {.password_file = stored, .bound_passwords = folder()}});
    ASSERT_TRUE(platform);
    EXPECT_TRUE(platform->capture());
    expect_refused({.vnc = {.password_file = write_private("right", "richtig\n"), .bound_passwords = folder()}}, ErrorCode::PermissionDenied, "which alone");
    ::setenv("HANDEYE_VNC_PASSWORD", "richtig", 1);
    expect_refused({.vnc = {.bound_passwords = folder()}}, ErrorCode::PermissionDenied, "asks for a password");
    EXPECT_TRUE(open({})); // a person's own
    EXPECT_STREQ(::getenv("HANDEYE_VNC_PASSWORD"), "");
    take_password_from_environment(); // an empty one is none
    EXPECT_TRUE(open({}));
    forget_password_of_environment();
    expect_refused({}, ErrorCode::PermissionDenied, "--password-file");
}

TEST_F(VncSession, TlsIsUsedWhereTheServerOffersIt) {
    start_server(Server::TigerVnc, {640, 480}, {"-SecurityTypes", "TLSVnc,VncAuth", "-PasswordFile", store_password("richtig")});
    const auto platform = open({.vnc = {.password_file = write_private("right", "richtig\n"), .tls = "require"}});
    ASSERT_TRUE(platform);
    EXPECT_EQ(platform->display()->backend, "rfb over tls");
    EXPECT_TRUE(platform->capture());
    const auto typed = platform->type_text("abc", {});
    EXPECT_TRUE(typed) << typed.error().message;
    expect_refused({.vnc = {.password_file = write_private("right", "richtig\n"), .tls = "verify"}}, ErrorCode::PermissionDenied, "encryption");
}

TEST_F(VncSession, ACertificateIsVerifiedAgainstItsAuthority) {
    make_certificate();
    start_server(Server::TigerVnc, {640, 480},
                 {"-SecurityTypes", "X509None", "-X509Cert", (folder() / "cert.pem").string(), "-X509Key", (folder() / "key.pem").string()});
    const auto platform = open({.attach = by_name(), .vnc = {.tls = "verify", .ca_file = folder() / "cert.pem"}});
    ASSERT_TRUE(platform);
    EXPECT_TRUE(platform->capture());
    expect_refused({.attach = by_name(), .vnc = {.tls = "verify"}}, ErrorCode::PermissionDenied, "ertificate");
    expect_refused({.attach = attach_, .vnc = {.tls = "verify", .ca_file = folder() / "cert.pem"}}, ErrorCode::PermissionDenied, "match hostname");
}

TEST_F(VncSession, AViewOnlySessionRefusesEveryInput) {
    start_server(Server::TigerVnc);
    const auto platform = open({.vnc = {.view_only = true}});
    ASSERT_TRUE(platform);
    EXPECT_TRUE(platform->capture());
    const auto typed = platform->type_text("x", {});
    ASSERT_FALSE(typed);
    EXPECT_EQ(typed.error().code, ErrorCode::PermissionDenied);
    for (const InputEvent& event : std::vector<InputEvent>{PointerMove{{1, 1}}, PointerButton{}, Wheel{0, 1}, Key{"a", Edge::Press}}) {
        const auto sent = platform->inject(event);
        ASSERT_FALSE(sent);
        EXPECT_EQ(sent.error().code, ErrorCode::PermissionDenied);
        EXPECT_NE(sent.error().message.find("--view-only"), std::string::npos);
    }
    EXPECT_EQ(platform->perform(NavigateBack{}).error().code, ErrorCode::PermissionDenied);
    EXPECT_TRUE(platform->release_all());
}

TEST_F(VncSession, WhatAServerCannotDoSaysSo) {
    start_server(Server::TigerVnc);
    const auto platform = open();
    ASSERT_TRUE(platform);
    for (const Command& command : std::vector<Command>{LaunchApp{{"xterm"}}, FocusWindow{"x"}, OpenUrl{"https://example.org"}, NavigateHome{}}) {
        const auto done = platform->perform(command);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, ErrorCode::Unsupported);
    }
    const auto windows = platform->windows();
    ASSERT_TRUE(windows);
    ASSERT_EQ(windows->size(), 1U);
    EXPECT_EQ(windows->front().title_utf8, "handeye test");
    EXPECT_EQ(platform->clipboard().error().code, ErrorCode::Unsupported);
    ASSERT_TRUE(platform->inject(PointerMove{{12, 34}}));
    EXPECT_EQ(*platform->pointer(), (Point{12, 34}));
}

TEST_F(VncSession, AServerThatComesBackIsFoundAgainAndHoldsNothing) {
    start_server(Server::TigerVnc);
    const auto platform = open();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->capture());
    ASSERT_TRUE(platform->inject(Key{"Shift_L", Edge::Press}));
    ASSERT_TRUE(platform->inject(PointerButton{MouseButton::Left, Edge::Press}));
    stop_server();
    ASSERT_TRUE(wait_for([&] { return !platform->inject(PointerMove{{5, 5}}); }));
    const auto input = platform->inject(Key{"a", Edge::Press});
    ASSERT_FALSE(input);
    EXPECT_EQ(input.error().code, ErrorCode::Unavailable) << input.error().message;
    EXPECT_NE(input.error().message.find("capture again"), std::string::npos) << input.error().message;
    const auto lost = platform->capture();
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, ErrorCode::Unavailable);
    EXPECT_NE(lost.error().message.find("was lost"), std::string::npos) << lost.error().message;
    EXPECT_NE(lost.error().message.find("attempt"), std::string::npos) << lost.error().message;
    EXPECT_FALSE(platform->release_all()); // it cannot be reached
    start_xvnc_again();
    ASSERT_TRUE(wait_for([&] { return platform->capture().has_value(); }));
    EXPECT_TRUE(platform->release_all());
    start_event_log();
    EXPECT_EQ(count_down(), 0);
    x11::click(*platform, {50, 50});
    log_ending_with("release 1 50 50");
}

TEST_F(VncSession, TheServersClipboardIsRead) {
    start_server(Server::TigerVnc);
    start_app("entry_app", {(folder() / "content").string()});
    ASSERT_TRUE(wait_for([&] { return content(folder() / "content").empty(); }));
    const auto platform = open();
    ASSERT_TRUE(platform);
    ASSERT_TRUE(platform->settle({.quiet = std::chrono::milliseconds(500), .deadline = std::chrono::seconds(20)}, {}));
    x11::click(*platform, {60, 20});
    const auto typed = platform->type_text("grüße 字", {});
    ASSERT_TRUE(typed) << typed.error().message;
    ASSERT_TRUE(wait_for([&] { return content(folder() / "content") == "grüße 字"; }));
    ASSERT_TRUE(wait_for([&] { // the notice of it and its text are two messages
        x11::press_chord(*platform, {"Control_L", "a"});
        x11::press_chord(*platform, {"Control_L", "c"});
        return platform->clipboard().value_or(std::string()) == "grüße 字";
    }));
}

} // namespace
} // namespace handeye::vnc
