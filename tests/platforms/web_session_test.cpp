// SPDX-License-Identifier: Apache-2.0
// A browser's session: tabs and popups, downloads, addresses that are refused, and browsers that die or lie.
#include "tests/platforms/web_fixture.h"

#include "base/file.h"
#include "platforms/probe.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace handeye::web {
namespace {

using nlohmann::json;

TEST_F(WebTest, PopupsComeToTheFrontAndTabsAreSwitched) {
    PageServer server;
    server.put("/popup", "<title>the popup</title><body style='background:#ff0000'>");
    server.put("/", "<title>first page</title><body style='background:#0000ff'><button id=b onclick=\"open('/popup','_blank','width=300,height=200')\">open</button>");
    PlatformOptions options;
    options.web.url = server.url("/");
    open({}, options);
    const auto before = platform_->windows();
    ASSERT_EQ(before->size(), 1U);
    click("b");
    ASSERT_TRUE(wait_for([&] { const auto window = platform_->focused_window(); return window && window->title_utf8 == "the popup"; }));
    const auto red = platform_->capture();
    ASSERT_TRUE(red.has_value()) << red.error().message;
    EXPECT_EQ(red->image.size(), (Size{800, 600}));
    EXPECT_GT(red->image.to_rgb().row(500)[1500], 200);
    EXPECT_EQ(platform_->windows()->size(), 2U);
    ASSERT_TRUE(platform_->perform(FocusWindow{"FIRST"}).has_value());
    EXPECT_EQ(platform_->focused_window()->title_utf8, "first page");
    EXPECT_EQ(platform_->window_at({10, 10})->title_utf8, "first page");
    const auto blue = platform_->capture();
    ASSERT_TRUE(blue.has_value()) << blue.error().message;
    EXPECT_LT(blue->image.to_rgb().row(500)[1500], 50);
    const auto unknown = platform_->perform(FocusWindow{"no such"});
    EXPECT_EQ(unknown.error().code, ErrorCode::NotFound);
    EXPECT_NE(unknown.error().message.find("the popup"), std::string::npos);
    ASSERT_TRUE(platform_->perform(FocusWindow{"popup"}).has_value());
    js("window.close()");
    ASSERT_TRUE(wait_for([&] { return platform_->windows()->size() == 1; }));
    EXPECT_EQ(platform_->focused_window()->title_utf8, "first page");
}

TEST_F(WebTest, NavigatesForwardsBackAndHome) {
    PageServer server;
    server.put("/one", "<title>one</title>");
    server.put("/two", "<title>two</title>");
    PlatformOptions options;
    options.web.url = server.url("/one");
    open({}, options);
    ASSERT_TRUE(platform_->perform(OpenUrl{server.url("/two")}).has_value());
    EXPECT_TRUE(wait_js("document.title === 'two'"));
    ASSERT_TRUE(platform_->perform(NavigateBack{}).has_value());
    EXPECT_TRUE(wait_js("document.title === 'one'"));
    ASSERT_TRUE(platform_->perform(OpenUrl{server.url("/two")}).has_value());
    ASSERT_TRUE(platform_->perform(NavigateHome{}).has_value());
    EXPECT_TRUE(wait_js("document.title === 'one'"));
    const auto nobody = platform_->perform(OpenUrl{"http://127.0.0.1:1/"});
    ASSERT_FALSE(nobody.has_value());
    EXPECT_EQ(nobody.error().code, ErrorCode::Unavailable);
    EXPECT_EQ(platform_->perform(OpenUrl{"file:///etc/passwd"}).error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(platform_->perform(LaunchApp{{"xterm"}}).error().code, ErrorCode::Unsupported);
}

TEST_F(WebTest, DownloadsLieInTheSessionsFolder) {
    PageServer server;
    server.put("/file", {.body = "content of the file", .type = "application/octet-stream", .head = "Content-Disposition: attachment; filename=\"report.bin\"\r\n"});
    server.put("/", "<a id=a href='/file'>get</a>");
    PlatformOptions options;
    options.web.url = server.url("/");
    open({}, options);
    click("a");
    ASSERT_TRUE(wait_for([&] { const auto all = web_->browser().downloads(); return !all.empty() && all.back().state == "completed"; }));
    std::ifstream file(folder() / "downloads" / "report.bin");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "content of the file");
    const auto windows = platform_->windows();
    EXPECT_TRUE(std::any_of(windows->begin(), windows->end(), [](const WindowInfo& window) { return window.window_class == "download" && window.title_utf8.find("report.bin") != std::string::npos; }));
}

TEST_F(WebTest, AWindowWithoutADisplayIsRefusedBeforeABrowserStarts) {
    std::map<std::string, std::string> before;
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY"}) {
        if (const char* const value = std::getenv(name); value != nullptr) {
            before[name] = value;
        }
        ::unsetenv(name);
    }
    PlatformOptions options;
    options.platform = "web";
    const auto opened = open_platform(options, clock_);
    for (const auto& [name, value] : before) {
        ::setenv(name.c_str(), value.c_str(), 1);
    }
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::NotFound);
    EXPECT_NE(opened.error().message.find("--headless 1280x800"), std::string::npos) << opened.error().message;
}

/// Only what the session made is taken away, and only a folder.
TEST_F(WebTest, ADownloadFolderThatWasThereStays) {
    const auto try_open = [&](const std::filesystem::path& downloads) {
        PlatformOptions options;
        options.platform = "web";
        options.headless = Size{320, 240};
        options.web.downloads = downloads;
        return open_platform(options, clock_);
    };
    const auto own = folder() / "own", made = folder() / "made", file = folder() / "file", link = folder() / "link";
    std::filesystem::create_directory(own);
    std::ofstream(file) << "mine";
    std::filesystem::create_symlink(folder() / "nothing", link);
    EXPECT_TRUE(try_open(own));
    EXPECT_TRUE(std::filesystem::is_directory(own));
    EXPECT_TRUE(try_open(made));
    EXPECT_FALSE(std::filesystem::exists(made)); // nothing was downloaded
    for (const auto& wrong : {file, link}) {
        const auto refused = try_open(wrong);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument);
        EXPECT_NE(refused.error().message.find(wrong.string()), std::string::npos) << refused.error().message;
    }
    EXPECT_EQ(read_file(file, 100).value_or(""), "mine");
    EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(WebTest, WhatListensAndLiesIsATypedError) {
    PageServer server;
    for (const char* body : {R"({"webSocketDebuggerUrl":7})", R"({"webSocketDebuggerUrl":{"a":[]}})", R"({"webSocketDebuggerUrl":null})", "[]", "7", "\"ws://x/y\""}) {
        server.put("/json/version", PageServer::Page{.body = body, .type = "application/json"});
        PlatformOptions options;
        options.platform = "web";
        options.attach = "127.0.0.1:" + std::to_string(server.port());
        const auto opened = open_platform(options, clock_);
        ASSERT_FALSE(opened) << body;
        EXPECT_EQ(opened.error().code, ErrorCode::Unavailable) << opened.error().message;
    }
}

TEST_F(WebTest, RefusedAddressesAreNotAskedFor) {
    PageServer good, bad;
    bad.put("/secret", "<title>bad</title>");
    const std::string refused = bad.url("/secret", "localhost");
    good.put("/redirect", {.body = "", .head = "Location: " + refused + "\r\n", .status = "302 Found"});
    good.put("/worker.js", {.body = "fetch('" + bad.url("/from-worker", "localhost") + "').catch(()=>0).then(()=>postMessage('tried'))", .type = "text/javascript"});
    good.put("/", "<title>good</title><a id=a href='" + refused + "'>there</a><img src='" + bad.url("/pixel", "localhost") + "'><iframe src='" + bad.url("/frame", "localhost") + "'></iframe>"
                  "<iframe id=d src='data:text/html,data frame'></iframe><script>worker='';w=new Worker('/worker.js');w.onmessage=e=>worker=e.data;socket='';s=new WebSocket('" +
                  "ws://localhost:" + std::to_string(bad.port()) + "/socket');s.onerror=()=>socket='failed';fetched='';fetch('" + bad.url("/fetched", "localhost") + "').catch(()=>fetched='failed');"
                  "popup=()=>open('" + bad.url("/popup", "localhost") + "')</script><button id=p onclick='popup()'>popup</button>");
    PlatformOptions options;
    options.web.url = good.url("/");
    options.web.allow = {"127.0.0.1"};
    open({}, options);
    EXPECT_TRUE(wait_js("worker === 'tried' && fetched === 'failed' && socket === 'failed'")) << js("[worker,fetched,socket].join()");
    click("p");
    ASSERT_TRUE(wait_for([&] { return platform_->windows()->size() == 2; })); // the popup itself comes, and loads nothing
    ASSERT_TRUE(platform_->perform(FocusWindow{"good"}).has_value());
    click("a");
    ASSERT_TRUE(wait_js("document.title !== 'good'"));
    const auto redirected = platform_->perform(OpenUrl{good.url("/redirect")});
    ASSERT_FALSE(redirected.has_value());
    EXPECT_EQ(redirected.error().code, ErrorCode::PermissionDenied);
    EXPECT_NE(redirected.error().message.find("allow lists 127.0.0.1 only"), std::string::npos) << redirected.error().message;
    const auto direct = platform_->perform(OpenUrl{refused});
    ASSERT_FALSE(direct.has_value());
    EXPECT_EQ(direct.error().code, ErrorCode::PermissionDenied);
    EXPECT_EQ(platform_->perform(OpenUrl{"data:text/html,x"}).error().code, ErrorCode::PermissionDenied);
    EXPECT_TRUE(good.has_seen("/redirect"));
    EXPECT_TRUE(bad.seen().empty()) << bad.seen().front();
}

TEST_F(WebTest, ADenyListHoldsBehindAProxyToo) {
    PageServer proxy; // answers for every host
    proxy.put("/", "<title>through the proxy</title><img src='http://denied.test/pixel'>");
    setenv("http_proxy", proxy.url("").c_str(), 1);
    PlatformOptions options;
    options.web.url = "http://open.test/";
    options.web.deny = {"denied.test"};
    open({}, options);
    unsetenv("http_proxy");
    EXPECT_EQ(js("document.title"), "through the proxy");
    EXPECT_EQ(platform_->perform(OpenUrl{"http://www.denied.test/"}).error().code, ErrorCode::PermissionDenied);
    ASSERT_TRUE(wait_js("document.readyState === 'complete'"));
    EXPECT_TRUE(proxy.has_seen("open.test"));
    EXPECT_FALSE(proxy.has_seen("denied.test"));
}

TEST_F(WebTest, PermissionsAreDeniedUnlessGranted) {
    open("<script>state='';navigator.geolocation.getCurrentPosition(()=>state='given',e=>state='refused '+e.code);note='';Notification.requestPermission().then(p=>note=p)</script>");
    EXPECT_TRUE(wait_js("state === 'refused 1'")) << js("state");
    EXPECT_TRUE(wait_js("note !== 'granted'"));
}

TEST_F(WebTest, AKilledBrowserIsATypedErrorAndLeavesNothing) {
    open("<input id=i>");
    const int pid = web_->browser().pid();
    click("i");
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    ASSERT_TRUE(wait_for([&] { return !platform_->capture().has_value(); }));
    for (const auto& result : {platform_->capture().error(), platform_->inject(PointerMove{{1, 1}}).error(), platform_->elements().error(), platform_->settle({}, {}).error()}) {
        EXPECT_EQ(result.code, ErrorCode::Unavailable) << result.message;
        EXPECT_FALSE(result.message.empty());
    }
    EXPECT_FALSE(platform_->launch_failure().empty());
    static_cast<void>(platform_->release_all()); // returns
    platform_.reset();
    EXPECT_TRUE(wait_for([&] { return kill(-pid, 0) != 0; })) << "processes of the browser are left";
}

TEST_F(WebTest, ACrashedTabIsToldAndTheSessionGoesOn) {
    open("<title>doomed</title>");
    web_->browser().cdp().post(web_->browser().front()->session, "Page.crash", json::object());
    ASSERT_TRUE(wait_for([&] { return !platform_->capture().has_value(); }));
    const auto crashed = platform_->capture();
    EXPECT_EQ(crashed.error().code, ErrorCode::Unavailable);
    EXPECT_NE(crashed.error().message.find("crashed"), std::string::npos) << crashed.error().message;
    const auto opened = platform_->perform(OpenUrl{page_url("<title>alive</title>")});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_TRUE(wait_js("document.title === 'alive'"));
    EXPECT_TRUE(platform_->capture().has_value());
}

TEST_F(WebTest, AttachesToARunningBrowserAndLeavesItRunning) {
    open("<title>theirs</title>");
    const std::string address = platform_->display()->address;
    {
        SystemClock clock;
        PlatformOptions options{.platform = "web", .attach = address};
        auto second = open_platform(options, clock);
        ASSERT_TRUE(second.has_value()) << second.error().message;
        EXPECT_TRUE(wait_for([&] { const auto window = (*second)->focused_window(); return window && window->title_utf8 == "theirs"; }));
        EXPECT_TRUE((*second)->capture().has_value());
    }
    EXPECT_TRUE(platform_->capture().has_value());
    PageServer other;
    const auto wrong = open_platform({.platform = "web", .attach = "127.0.0.1:" + std::to_string(other.port())}, clock_);
    ASSERT_FALSE(wrong.has_value());
    EXPECT_EQ(wrong.error().code, ErrorCode::Unavailable);
}

// Whoever closes does so in the middle of what the browser tells: here a page whose every request is asked about.
TEST_F(WebTest, ClosesWhileTheBrowserGoesOnTelling) {
    PageServer server;
    server.put("/", "<script>const more=()=>fetch('http://127.0.0.1:1/').catch(()=>0).then(more);for(let i=0;i<64;++i)more()</script>");
    PlatformOptions options;
    options.web.url = server.url("/");
    open({}, options);
    PlatformOptions attached{.platform = "web", .attach = platform_->display()->address};
    attached.web.allow = {"allowed.test"};
    for (int i = 0; i < count_of(300, 50); ++i) {
        auto second = open_platform(attached, clock_);
        ASSERT_TRUE(second.has_value()) << second.error().message;
        auto* const web = dynamic_cast<WebPlatform*>(second->get());
        ASSERT_NE(web, nullptr);
        for (int told = 0; told < 5 * i % 16; ++told) {
            web->browser().wait_for_change(clock_.now() + std::chrono::seconds(5), {});
        }
    }
    EXPECT_TRUE(platform_->capture().has_value());
}

TEST_F(WebTest, ProbesItself) {
    open("<title>before</title>");
    {
        auto probe = platform_->open_probe();
        ASSERT_TRUE(probe.has_value()) << probe.error().message;
        const auto shot = platform_->capture();
        ASSERT_TRUE(shot.has_value());
        const Rect area = (*probe)->area();
        const auto pixel = shot->image.to_rgb().cropped({area.x + 4, area.y + 4, 1, 1});
        EXPECT_TRUE(std::ranges::equal(pixel.bytes(), (*probe)->background_rgb()));
        click(Point{area.x + 7, area.y + 9});
        EXPECT_EQ((*probe)->wait_click(std::chrono::seconds(10)), std::optional(Point{area.x + 7, area.y + 9}));
        ASSERT_TRUE((*probe)->take_focus().has_value());
        type("Grüße 😀");
        EXPECT_EQ((*probe)->wait_text("Grüße 😀", std::chrono::seconds(10)), "Grüße 😀");
    }
    EXPECT_TRUE(wait_for([&] { const auto window = platform_->focused_window(); return window && window->title_utf8 == "before"; }));
}

TEST_F(WebTest, APageThatHangsOrFloodsEndsInATypedError) {
    open("<button id=b onclick='for(;;);'>hang</button><button id=n>n</button>");
    const Point at = middle("b");
    ASSERT_TRUE(platform_->inject(PointerMove{at}).has_value());
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Left, Edge::Press}).has_value());
    const auto hung = platform_->inject(PointerButton{MouseButton::Left, Edge::Release}); // its handler never ends
    EXPECT_FALSE(hung.has_value());
    EXPECT_EQ(hung.error().code, ErrorCode::DeadlineExceeded);
    EXPECT_NE(hung.error().message.find("hang"), std::string::npos) << hung.error().message;
}

} // namespace
} // namespace handeye::web
