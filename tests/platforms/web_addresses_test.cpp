// SPDX-License-Identifier: Apache-2.0
// Which addresses a real browser reaches under lists, in all the ways that a page has: what no interception of requests sees is heard
// by ears of ours at the addresses that it must not reach.
#include "tests/platforms/web_fixture.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace handeye::web {
namespace {

using nlohmann::json;

constexpr std::array kHosts{"127.0.0.1", "127.0.0.2", "::1"};

/// Hears whatever comes to one port of three loopback addresses, by TCP and UDP, and answers what may be HTTP with a short page.
class Ears {
public:
    Ears() {
        for (int attempt = 0; attempt < 50 && !open_all(); ++attempt) {
        }
        EXPECT_EQ(ears_.size(), 2 * kHosts.size());
        thread_ = std::jthread([this](const std::stop_token& stop) { listen_on(stop); });
    }
    [[nodiscard]] int port() const { return port_; }
    /// "tcp 127.0.0.2 GET /path HTTP/1.1", "udp ::1 ", in the order of their coming.
    [[nodiscard]] std::vector<std::string> heard() const {
        const std::lock_guard lock(mutex_);
        return heard_;
    }
    [[nodiscard]] std::string heard_of(const std::string& part) const {
        std::string out;
        for (const std::string& line : heard()) {
            out += line.find(part) != std::string::npos ? line + "\n" : "";
        }
        return out;
    }

private:
    struct Ear {
        FileDescriptor socket;
        std::string name;
        bool is_udp = false;
    };

    bool open_one(const std::string& host, bool is_udp) {
        sockaddr_storage address{};
        socklen_t length = sizeof(sockaddr_in);
        const bool is_v6 = host.find(':') != std::string::npos;
        if (is_v6) {
            auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address);
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons(static_cast<std::uint16_t>(port_));
            inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr);
            length = sizeof(sockaddr_in6);
        } else {
            auto* const v4 = reinterpret_cast<sockaddr_in*>(&address);
            v4->sin_family = AF_INET;
            v4->sin_port = htons(static_cast<std::uint16_t>(port_));
            inet_pton(AF_INET, host.c_str(), &v4->sin_addr);
        }
        Ear ear{FileDescriptor(socket(is_v6 ? AF_INET6 : AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0)), (is_udp ? "udp " : "tcp ") + host, is_udp};
        if (bind(ear.socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || (!is_udp && listen(ear.socket.get(), 64) != 0)) {
            return false;
        }
        if (port_ == 0) {
            getsockname(ear.socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
            port_ = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
        }
        ears_.push_back(std::move(ear));
        return true;
    }

    bool open_all() {
        ears_.clear();
        port_ = 0;
        return std::ranges::all_of(kHosts, [this](const char* host) { return open_one(host, false) && open_one(host, true); });
    }

    void note(const std::string& what) {
        const std::lock_guard lock(mutex_);
        heard_.push_back(what);
    }

    void listen_on(const std::stop_token& stop) {
        std::vector<Ear> callers;
        while (!stop.stop_requested()) {
            std::vector<pollfd> ready;
            for (const auto* list : {&ears_, &callers}) {
                for (const Ear& ear : *list) {
                    ready.push_back({ear.socket.get(), POLLIN, 0});
                }
            }
            poll(ready.data(), ready.size(), 20);
            for (std::size_t i = ready.size(); i-- > 0;) {
                const bool is_caller = i >= ears_.size();
                if (ready[i].revents == 0) {
                    continue;
                }
                Ear& ear = is_caller ? callers[i - ears_.size()] : ears_[i];
                if (!is_caller && !ear.is_udp) {
                    callers.push_back({FileDescriptor(accept4(ear.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)), ear.name, false});
                    note(ear.name + " connected");
                    continue;
                }
                std::array<char, 4096> bytes{};
                const ssize_t got = recv(ear.socket.get(), bytes.data(), bytes.size(), 0);
                const std::string text(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
                note(ear.name + " " + (ear.is_udp ? std::string() : text.substr(0, text.find("\r\n"))));
                if (is_caller) {
                    constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
                    send(ear.socket.get(), kReply.data(), kReply.size(), MSG_NOSIGNAL);
                    callers.erase(callers.begin() + static_cast<std::ptrdiff_t>(i - ears_.size()));
                }
            }
        }
    }

    std::vector<Ear> ears_;
    int port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> heard_;
    std::jthread thread_; // last: it uses everything above
};

/// Tries to reach the ears by all names and all ways, and counts in `left` what has not ended yet.
constexpr const char* kTries = R"(<!doctype html><title>tries</title><script>
let left = 0;
const done = () => { left--; };
for (const host of ['127.0.0.1', '127.0.0.2', '[::1]', 'localhost', 'localhost.', 'a.localhost', 'b.localhost', '[::ffff:127.0.0.2]']) {
    const name = encodeURIComponent(host);
    left += 2;
    const socket = new WebSocket(`ws://${host}:${PORT}/socket-${name}`);
    socket.onclose = done;
    fetch(`http://${host}:${PORT}/fetch-${name}`, {mode: 'no-cors'}).then(done, done);
    if (self.WebTransport) {
        left++;
        const transport = new WebTransport(`https://${host}:${PORT}/`);
        transport.closed.catch(() => {});
        Promise.race([transport.ready, new Promise(end => setTimeout(end, 3000))]).then(done, done);
    }
}
if (self.RTCPeerConnection) {
    left++;
    const urls = [];
    for (const host of ['127.0.0.2', '[::1]']) { urls.push(`turn:${host}:${PORT}`, `turn:${host}:${PORT}?transport=tcp`, `turns:${host}:${PORT}?transport=tcp`); }
    const peer = new RTCPeerConnection({iceServers: [{urls: [`stun:127.0.0.2:${PORT}`, `stun:[::1]:${PORT}`]}, {urls, username: 'a', credential: 'b'}]});
    peer.onicegatheringstatechange = () => { if (peer.iceGatheringState === 'complete') { done(); } };
    peer.createDataChannel('x');
    peer.createOffer().then(offer => peer.setLocalDescription(offer));
}
const guesses = host => [`http://${host}:${PORT}/guess-${encodeURIComponent(host)}`, `/redirect-${encodeURIComponent(host)}`];
const rules = document.createElement('script');
rules.type = 'speculationrules';
rules.textContent = JSON.stringify({prefetch: [{source: 'list', eagerness: 'immediate', urls: [...guesses('127.0.0.1'), ...guesses('127.0.0.2'), ...guesses('[::1]'), '/good-guess']}],
                                    prerender: [{source: 'list', eagerness: 'immediate', urls: ['/redirect-127.0.0.1', '/good-render']}]});
document.head.append(rules);
</script>)";

class WebAddresses : public WebTest {
protected:
    /// Opens the page that tries everything, and waits until it has.
    void try_all(std::vector<std::string> allow, std::vector<std::string> deny) {
        const std::string port = std::to_string(ears_.port());
        std::string page = kTries;
        for (std::size_t at = page.find("PORT"); at != std::string::npos; at = page.find("PORT", at)) {
            const bool is_in_template = page.compare(at - 2, 2, "${") == 0;
            page.replace(at - (is_in_template ? 2 : 0), is_in_template ? 7 : 4, port);
        }
        for (const std::string host : {"127.0.0.1", "127.0.0.2", "[::1]"}) {
            const std::string name = host == "[::1]" ? "%5B%3A%3A1%5D" : host;
            good_.put("/redirect-" + name, {.body = "", .head = "Location: http://" + host + ":" + port + "/redirected-" + name + "\r\n", .status = "302 Found"});
        }
        good_.put("/good-guess", "guess");
        good_.put("/good-render", "render");
        good_.put("/", page);
        PlatformOptions options;
        options.web.url = good_.url("/");
        options.web.allow = std::move(allow);
        options.web.deny = std::move(deny);
        open({}, options);
        EXPECT_TRUE(wait_js("left === 0")) << js("left");
        EXPECT_TRUE(wait_for([&] { return good_.has_seen("/good-guess") && good_.has_seen("/redirect-127.0.0.1"); })) << "the browser guesses nothing";
    }
    void expect_nothing_of(const std::string& part) { EXPECT_EQ(ears_.heard_of(part), ""); }

    PageServer good_;
    Ears ears_;
};

TEST_F(WebAddresses, AnAllowedHostIsTheOnlyOneReached) {
    try_all({"127.0.0.1"}, {});
    expect_nothing_of("127.0.0.2");
    expect_nothing_of("::1");
    expect_nothing_of("localhost");
    EXPECT_NE(ears_.heard_of("tcp 127.0.0.1 GET /socket-127.0.0.1"), "");
}

TEST_F(WebAddresses, AnAllowedPortIsTheOnlyOneReached) {
    try_all({"127.0.0.1:" + std::to_string(good_.port())}, {});
    expect_nothing_of("");
}

TEST_F(WebAddresses, DeniedHostsAreReachedByNoneOfTheirNames) {
    try_all({}, {"127.0.0.2", "[::1]", "localhost"});
    expect_nothing_of("127.0.0.2");
    expect_nothing_of("::1");
    expect_nothing_of("localhost");
    EXPECT_NE(ears_.heard_of("tcp 127.0.0.1 GET /socket-127.0.0.1"), "");
    EXPECT_NE(ears_.heard_of("tcp 127.0.0.1 GET /guess-127.0.0.1"), "");
}

TEST_F(WebAddresses, ADeniedPortIsNotReached) {
    try_all({}, {"127.0.0.2:" + std::to_string(ears_.port()), "[::1]:1", "localhost:" + std::to_string(ears_.port())});
    expect_nothing_of("127.0.0.2");
    expect_nothing_of("localhost");
    EXPECT_NE(ears_.heard_of("tcp ::1 GET /socket-%5B%3A%3A1%5D"), "");
}

TEST_F(WebAddresses, AnAllowedIPv6AddressIsLoaded) {
    try_all({"[0:0::1]", "127.0.0.1"}, {});
    expect_nothing_of("127.0.0.2");
    expect_nothing_of("localhost");
    EXPECT_NE(ears_.heard_of("tcp ::1 GET /socket-%5B%3A%3A1%5D"), "");
    const auto opened = platform_->perform(OpenUrl{"http://[::1]:" + std::to_string(ears_.port()) + "/page"});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_TRUE(wait_js("document.body.textContent === 'hi'"));
}

TEST_F(WebAddresses, APortOfEveryHostBelowOneIsNotTakenIntoAnAllowList) {
    PlatformOptions options{.platform = "web", .headless = Size{300, 200}};
    options.web.allow = {"*.example.org:8443"};
    const auto opened = open_platform(options, clock_);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(opened.error().message.find("*.example.org:8443"), std::string::npos) << opened.error().message;
}

} // namespace
} // namespace handeye::web
