// SPDX-License-Identifier: Apache-2.0
#include "tests/platforms/web_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace handeye::web {

using nlohmann::json;

PageServer::PageServer() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

PageServer::~PageServer() {
    thread_.request_stop();
    thread_.join();
    close(listener_);
}

void PageServer::put(const std::string& path, Page page) {
    const std::lock_guard lock(mutex_);
    pages_[path] = std::move(page);
}

std::string PageServer::url(const std::string& path, const std::string& host) const { return "http://" + host + ":" + std::to_string(port_) + path; }

std::vector<std::string> PageServer::seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
}

bool PageServer::has_seen(const std::string& part) const {
    const auto lines = seen();
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

void PageServer::serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd ready{listener_, POLLIN, 0};
        if (poll(&ready, 1, 20) > 0) {
            const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection >= 0) {
                connections_.emplace_back([this, connection] { answer(connection); });
            }
        }
    }
    connections_.clear();
}

void PageServer::answer(int connection) {
    const timeval patience{5, 0}; // a browser also opens connections that it asks nothing on
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::string request;
    char part[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = recv(connection, part, sizeof part, 0);
        if (got <= 0) {
            close(connection);
            return;
        }
        request.append(part, static_cast<std::size_t>(got));
    }
    const std::string line = request.substr(0, request.find("\r\n"));
    const std::size_t begin = line.find(' ') + 1;
    std::string path = line.substr(begin, line.find(' ', begin) - begin);
    if (path.starts_with("http://")) { // asked as a proxy
        path = path.substr(path.find('/', 7));
    }
    const std::size_t host = request.find("Host: ");
    Page page{.body = "nothing here", .type = "text/plain", .head = {}, .status = "404 Not Found"};
    {
        const std::lock_guard lock(mutex_);
        seen_.push_back(line + " " + (host == std::string::npos ? std::string() : request.substr(host + 6, request.find("\r\n", host) - host - 6)));
        if (const auto found = pages_.find(path); found != pages_.end()) {
            page = found->second;
        }
    }
    const std::string reply = "HTTP/1.1 " + page.status + "\r\nContent-Type: " + page.type + "\r\nContent-Length: " + std::to_string(page.body.size()) +
                              "\r\nConnection: close\r\n" + page.head + "\r\n" + page.body;
    for (std::size_t sent = 0; sent < reply.size();) {
        const ssize_t n = send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        sent += static_cast<std::size_t>(n);
    }
    close(connection);
}

std::string page_url(const std::string& html) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string url = "data:text/html;charset=utf-8,";
    for (const char c : html) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0) {
            url += c;
        } else {
            url += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    return url;
}

std::mt19937 seeded_generator() {
    const char* given = std::getenv("HANDEYE_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    std::cout << "HANDEYE_SEED=" << seed << "\n";
    return std::mt19937(seed);
}

WebTest::WebTest() {
    std::string path = std::filesystem::temp_directory_path() / "handeye-test-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
}

WebTest::~WebTest() {
    platform_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void WebTest::open(const std::string& html, PlatformOptions options, Size size) {
    options.platform = "web";
    if (options.attach.empty()) {
        options.headless = size;
    }
    if (options.web.downloads.empty()) {
        options.web.downloads = folder_ / "downloads";
    }
    if (options.web.url.empty() && !html.empty()) {
        options.web.url = page_url(html);
    }
    auto opened = open_platform(options, clock_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    platform_ = std::move(*opened);
    web_ = dynamic_cast<WebPlatform*>(platform_.get());
    ASSERT_NE(web_, nullptr);
    if (!options.web.url.empty()) {
        ASSERT_TRUE(wait_js("document.readyState === 'complete'"));
    }
}

json WebTest::js(const std::string& expression) {
    const auto tab = web_->browser().front();
    if (!tab) {
        return {};
    }
    const auto reply = web_->browser().cdp().call(tab->session, "Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}},
                                                  std::chrono::seconds(20));
    return reply ? reply->value("result", json::object()).value("value", json()) : json();
}

bool WebTest::wait_for(const std::function<bool()>& condition, int seconds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

bool WebTest::wait_js(const std::string& expression) {
    return wait_for([&] { return js(expression) == true; });
}

Point WebTest::middle(const std::string& id) {
    const json box = js("(() => { const r = document.getElementById('" + id + "').getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2, devicePixelRatio]; })()");
    EXPECT_TRUE(box.is_array()) << id;
    const double scale = box[2].get<double>();
    return {static_cast<int>(box[0].get<double>() * scale), static_cast<int>(box[1].get<double>() * scale)};
}

void WebTest::click(Point at) {
    for (const InputEvent& event : {InputEvent(PointerMove{at}), InputEvent(PointerButton{MouseButton::Left, Edge::Press}), InputEvent(PointerButton{MouseButton::Left, Edge::Release})}) {
        const auto sent = platform_->inject(event);
        ASSERT_TRUE(sent.has_value()) << sent.error().message;
    }
}

void WebTest::press(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
        const auto sent = platform_->inject(Key{key, Edge::Press});
        ASSERT_TRUE(sent.has_value()) << sent.error().message;
    }
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        const auto sent = platform_->inject(Key{*key, Edge::Release});
        ASSERT_TRUE(sent.has_value()) << sent.error().message;
    }
}

void WebTest::drag(Point from, Point to) {
    constexpr int kSteps = 10;
    ASSERT_TRUE(platform_->inject(PointerMove{from}).has_value());
    ASSERT_TRUE(platform_->inject(PointerButton{MouseButton::Left, Edge::Press}).has_value());
    for (int i = 1; i <= kSteps; ++i) {
        ASSERT_TRUE(platform_->inject(PointerMove{{from.x + (to.x - from.x) * i / kSteps, from.y + (to.y - from.y) * i / kSteps}}).has_value());
    }
    const auto released = platform_->inject(PointerButton{MouseButton::Left, Edge::Release});
    ASSERT_TRUE(released.has_value()) << released.error().message;
}

TextResult WebTest::type(const std::string& text) {
    const auto typed = platform_->type_text(text, {});
    EXPECT_TRUE(typed.has_value()) << typed.error().message;
    return typed.value_or(TextResult{});
}

Element WebTest::marked(const std::string& label) {
    const auto elements = platform_->elements();
    EXPECT_TRUE(elements.has_value()) << elements.error().message;
    std::string labels;
    for (const Element& element : elements.value_or(std::vector<Element>{})) {
        if (element.label_utf8 == label) {
            return element;
        }
        labels += "\"" + element.label_utf8 + "\" ";
    }
    ADD_FAILURE() << "no element \"" << label << "\" among " << labels;
    return {};
}

} // namespace handeye::web
