// SPDX-License-Identifier: Apache-2.0
// A Chromium of its own for each test, with pages from here and from a small server of ours.
#pragma once

#include "platforms/open_platform.h"
#include "platforms/web/platform.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

/// Answers GET requests on a port of 127.0.0.1, one connection at a time for each request.
class PageServer {
public:
    struct Page {
        std::string body;
        std::string type = "text/html; charset=utf-8";
        std::string head;   ///< further header lines, each with its line end
        std::string status = "200 OK";
    };
    PageServer();
    ~PageServer();
    void put(const std::string& path, Page page);
    void put(const std::string& path, const std::string& html) { put(path, Page{.body = html}); }
    [[nodiscard]] std::string url(const std::string& path, const std::string& host = "127.0.0.1") const;
    [[nodiscard]] int port() const { return port_; }
    /// Request lines and hosts so far: "GET /path localhost:1234".
    [[nodiscard]] std::vector<std::string> seen() const;
    [[nodiscard]] bool has_seen(const std::string& part) const;

private:
    void serve(const std::stop_token& stop);
    void answer(int connection);

    int listener_ = -1;
    int port_ = 0;
    mutable std::mutex mutex_;
    std::map<std::string, Page> pages_;
    std::vector<std::string> seen_;
    std::vector<std::jthread> connections_;
    std::jthread thread_;
};

class WebTest : public ::testing::Test {
protected:
    WebTest();
    ~WebTest() override;
    /// Opens the platform on this HTML (or on options.web.url), headless.
    void open(const std::string& html, PlatformOptions options = {}, Size size = {800, 600});
    /// What an expression yields in the page's own world, as its scripts see it.
    nlohmann::json js(const std::string& expression);
    /// Waits until the expression is true there; false after 30 s.
    bool wait_js(const std::string& expression);
    bool wait_for(const std::function<bool()>& condition, int seconds = 30);
    /// The middle of an element, by its id, in captured pixels.
    Point middle(const std::string& id);
    void click(Point at);
    void click(const std::string& id) { click(middle(id)); }
    void press(const std::vector<std::string>& keys);
    void drag(Point from, Point to);
    TextResult type(const std::string& text);
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    /// The marked element of this label.
    Element marked(const std::string& label);

    SystemClock clock_;
    std::unique_ptr<Platform> platform_;
    WebPlatform* web_ = nullptr; ///< the same

private:
    std::filesystem::path folder_;
};

/// A data: address of this page.
std::string page_url(const std::string& html);
inline int count_of(int full, int brief) { return std::getenv("HANDEYE_FULL") != nullptr ? full : brief; }
/// A generator whose seed is printed; HANDEYE_SEED repeats a run.
std::mt19937 seeded_generator();

} // namespace handeye::web
