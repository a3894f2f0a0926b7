// SPDX-License-Identifier: Apache-2.0
// A waiting approval notifies: a webhook to a real HTTP(S) server, and a notice through a real session bus.
#include "apps/approval_notices.h"
#include "base/json.h"
#include "tests/server/notification_service.h"
#include "tests/server/process.h"
#include "tests/server/server_fixture.h"

#include <cstdlib>

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

const std::string kReceiver = HANDEYE_SOURCE_DIR "/tests/server/rigs/hook_receiver.py";

class Hooks : public ::testing::Test {
protected:
    PrivateFolder folder;
    SystemClock clock;
    NotifySocket inbox{(folder.path() / "inbox").string()};
    std::unique_ptr<Process> receiver;
    std::string port;

    void receive(const std::string& mode, std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"/usr/bin/python3", "-B", kReceiver, folder.path() / "inbox", mode});
        receiver = std::make_unique<Process>(more);
        port = inbox.next();
        ASSERT_NE(port, "");
    }
    [[nodiscard]] WebhookOptions to(const std::string& scheme) const {
        WebhookOptions options{.url = *parse_http_url(fmt::format("{}://127.0.0.1:{}/hook?key=s3cret", scheme, port))};
        options.pause_first = std::chrono::milliseconds(10);
        return options;
    }
    bool make_certificate() const {
        return std::system(fmt::format("cd '{}' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 "
                                       "-subj /CN=hook -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1", folder.path().string()).c_str()) == 0;
    }
};

TEST_F(Hooks, PostJsonToTheUrlAndNowhereElse) {
    receive("ok");
    Webhook hook(to("http"), clock);
    hook.send(R"({"n":1})");
    hook.send(R"({"n":2})");
    for (const char* const body : {R"({"n":1})", R"({"n":2})"}) {
        const json got = json::parse(inbox.next());
        EXPECT_EQ(got["body"], body);
        EXPECT_EQ(got["path"], "/hook?key=s3cret");
        EXPECT_EQ(got["host"], "127.0.0.1:" + port);
        EXPECT_EQ(got["type"], "application/json");
    }
}

TEST_F(Hooks, TryAgainWhatMayPass) {
    receive("busy-once");
    Webhook hook(to("http"), clock);
    hook.send(R"({"n":1})");
    EXPECT_EQ(json::parse(inbox.next())["body"], R"({"n":1})");
    EXPECT_EQ(json::parse(inbox.next())["body"], R"({"n":1})"); // after 503
}

// Each "no" is final: what comes next is the next message.
TEST_F(Hooks, FollowNoRedirectAndTakeNoForAnAnswer) {
    for (const char* const mode : {"redirect", "no"}) {
        receive(mode);
        Webhook hook(to("http"), clock);
        hook.send(R"({"n":1})");
        hook.send(R"({"n":2})");
        EXPECT_EQ(json::parse(inbox.next())["body"], R"({"n":1})") << mode;
        const json second = json::parse(inbox.next());
        EXPECT_EQ(second["body"], R"({"n":2})") << mode;
        EXPECT_EQ(second["path"], "/hook?key=s3cret") << mode;
    }
}

TEST_F(Hooks, AReceiverThatHangsHoldsUpNobody) {
    receive("hang");
    auto options = to("http");
    options.waiting_max = 4;
    const TimePoint begin = std::chrono::steady_clock::now();
    {
        Webhook hook(std::move(options), clock);
        for (int i = 0; i < 100; ++i) {
            hook.send("{}");
        }
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
        EXPECT_NE(inbox.next(), "");
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4)); // its end does not wait for the time-out of 5 s
}

TEST_F(Hooks, HttpsChecksTheCertificate) {
    if (!make_certificate()) {
        GTEST_SKIP() << "the openssl program is not installed";
    }
    receive("ok", {folder.path() / "cert.pem", folder.path() / "key.pem"});
    const auto url = *parse_http_url(fmt::format("https://127.0.0.1:{}/x", port));
    const auto refused = http_post_json(url, "{}", {}, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("certificate does not prove"), std::string::npos) << refused.error().message;
    HttpPostOptions trusting;
    trusting.tls.ca_file = folder.path() / "cert.pem";
    const auto other_name = http_post_json(*parse_http_url(fmt::format("https://localhost:{}/x", port)), "{}", trusting, {});
    EXPECT_FALSE(other_name); // its certificate is for 127.0.0.1
    const auto taken = http_post_json(url, R"({"n":1})", trusting, {});
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(taken->status, 204);
    EXPECT_EQ(json::parse(inbox.next())["body"], R"({"n":1})"); // the first that arrived: nothing was sent before the certificate was believed
}

TEST(HttpUrls, AreReadStrictly) {
    EXPECT_EQ(origin_of(*parse_http_url("https://hooks.example/a/b?c")), "https://hooks.example:443");
    EXPECT_EQ(parse_http_url("http://[::1]:8080/x")->endpoint.port, 8080);
    EXPECT_EQ(parse_http_url("http://[::1]")->endpoint.port, 80);
    EXPECT_EQ(parse_http_url("http://h?q")->target, "/?q");
    for (const char* const text : {"", "hook", "ftp://h/", "http://", "http:///x", "http://h:0/", "http://h:99999/", "http://user@h/", "http://u:p@h/", "http://h/ x",
                                   "http://h/\nHost: other", "http://h/#f", "http://h\\x/", "https://tls:h:1/x", "http://unix:/run/x", "http://h:80:80/"}) {
        const auto url = parse_http_url(text);
        EXPECT_FALSE(url) << text;
    }
}

class Notices : public ServerTest {
protected:
    static std::string click() { return "Action: left_click(start_box='[500,500]', element_info='OK')"; }
    void serve() {
        ControlServices services;
        services.clock = &clock;
        services.session_defaults.settle = {.quiet = std::chrono::milliseconds(1), .deadline = std::chrono::milliseconds(5)};
        services.session_defaults.policy = *policy_from_json(R"({"rules":[{"name":"clicks","effect":"ask","verbs":["click"]}]})");
        services.on_approval = [this](const ApprovalNotice& notice) { notices.hear(notice); };
        services.on_question = [this](const QuestionNotice& notice) { notices.hear(notice); };
        services.open_platform = [this](const std::string&, const std::string&, std::stop_token) -> Result<std::unique_ptr<Platform>> {
            return std::unique_ptr<Platform>(std::make_unique<fakes::FakePlatform>(
                clock, std::vector<fakes::Scene>{{.frame = fakes::solid_frame({320, 240}, 200, 10, 10)}}));
        };
        auto started = ControlServer::start(options, std::move(services));
        ASSERT_TRUE(started) << started.error().message;
        server = std::move(*started);
        server->set_model(model);
        notices.set_server(server.get());
    }
    void TearDown() override {
        notices.set_server(nullptr);
        server.reset();
    }
    SystemClock notice_clock;
    ApprovalNotices notices{notice_clock};
};

TEST_F(Notices, TheWebhookSaysWhatIsAskedAndNeitherTextNorPicture) {
    NotifySocket inbox((folder.path() / "inbox").string());
    const Process receiver({"/usr/bin/python3", "-B", kReceiver, folder.path() / "inbox", "ok"});
    notices.configure({.notify = ApprovalSettings::Notify::None, .webhook = "http://127.0.0.1:" + inbox.next() + "/h", .webhook_ca = {}});
    serve();
    model.set_answers({click()});
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session, "Tell nobody of canary-4711.");
    const json asked = json::parse(json::parse(inbox.next())["body"].get<std::string>());
    EXPECT_EQ(asked["event"], "approval.requested");
    EXPECT_EQ(asked["session"], session);
    EXPECT_EQ(asked["verb"], "click");
    EXPECT_EQ(asked["action_digest"].get<std::string>().size(), 64U);
    std::vector<std::string> keys;
    for (const auto& [key, value] : asked.items()) {
        keys.push_back(key);
        EXPECT_TRUE(!value.is_string() || value.get<std::string>().find("canary") == std::string::npos);
    }
    EXPECT_EQ(keys, (std::vector<std::string>{"action_digest", "approval", "event", "expires_at", "risk", "rule", "session", "state", "step", "verb"}));
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", asked["approval"]}, {"decision", "deny"}}).kind, "");
    const json settled = json::parse(json::parse(inbox.next())["body"].get<std::string>());
    EXPECT_EQ(settled["event"], "approval.settled");
    EXPECT_EQ(settled["state"], "denied");
    call(*client, "task.cancel", {{"task", task}});
}

TEST_F(Notices, TheDesktopShowsItAndItsOnlyButtonDenies) {
    NotificationService service(folder.path() / "bus");
    if (!service.is_running()) {
        GTEST_SKIP() << "dbus-daemon is not installed";
    }
    notices.configure({.notify = ApprovalSettings::Notify::Desktop, .webhook = {}, .webhook_ca = {}});
    serve();
    model.set_answers({click()});
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    const auto shown = service.next_notice();
    ASSERT_TRUE(shown);
    EXPECT_NE(shown->body.find("click"), std::string::npos) << shown->body;
    EXPECT_EQ(shown->actions, (std::vector<std::string>{"deny", "Deny"})); // nothing there can approve
    EXPECT_GT(shown->life_ms, 0);
    const json pending = call(*client, "approval.list").result["approvals"];
    ASSERT_EQ(pending.size(), 1U);
    EXPECT_NE(shown->body.find(pending[0]["approval"].get<std::string>()), std::string::npos);
    service.press(shown->id, "approve"); // a button that was never there
    service.press(shown->id, "deny");
    EXPECT_EQ(service.next_closed(), shown->id); // settled: taken away
    const json record = call(*client, "approval.get", {{"approval", pending[0]["approval"]}}).result;
    EXPECT_EQ(record["state"], "denied");
    call(*client, "task.cancel", {{"task", task}});
}

TEST_F(Notices, WhatATaskFileAsksIsShownWithoutAButtonAndPostedWithoutItsWords) {
    NotificationService service(folder.path() / "bus");
    if (!service.is_running()) {
        GTEST_SKIP() << "dbus-daemon is not installed";
    }
    NotifySocket inbox((folder.path() / "inbox").string());
    const Process receiver({"/usr/bin/python3", "-B", kReceiver, folder.path() / "inbox", "ok"});
    notices.configure({.notify = ApprovalSettings::Notify::Desktop, .webhook = "http://127.0.0.1:" + inbox.next() + "/h", .webhook_ca = {}});
    serve();
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string file = "version: 1\nname: asks\nsteps:\n  - ask: {question: \"Is canary-4711 right?\", as: word}\n";
    ASSERT_EQ(call(*client, "task.run_file", {{"session", session}, {"file", "asks.yaml"}, {"files", {{"asks.yaml", file}}}}).kind, "");
    const auto shown = service.next_notice();
    ASSERT_TRUE(shown);
    EXPECT_TRUE(shown->body.starts_with("Is canary-4711 right?\n")) << shown->body;
    EXPECT_TRUE(shown->actions.empty());
    const std::string posted = json::parse(inbox.next())["body"];
    EXPECT_EQ(posted.find("canary"), std::string::npos) << posted;
    const json asked = json::parse(posted);
    EXPECT_EQ(asked["event"], "question.asked");
    EXPECT_NE(shown->body.find(asked["question"].get<std::string>()), std::string::npos);
    EXPECT_EQ(call(*client, "question.answer", {{"question", asked["question"]}, {"answer", "yes"}}).kind, "");
    EXPECT_EQ(service.next_closed(), shown->id);
    const json settled = json::parse(json::parse(inbox.next())["body"].get<std::string>());
    EXPECT_EQ(settled["event"], "question.settled");
    EXPECT_EQ(settled["state"], "answered");
}

TEST_F(Notices, WithoutABusEverythingElseGoesOn) {
    ::setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all", 1);
    notices.configure({.notify = ApprovalSettings::Notify::Desktop, .webhook = {}, .webhook_ca = {}});
    serve();
    model.set_answers({click()});
    const auto client = connect();
    const std::string task = run_task(*client, create_session(*client));
    ASSERT_TRUE(model.wait_for_calls(1));
    json pending = json::array();
    for (const TimePoint deadline = soon(); pending.empty() && std::chrono::steady_clock::now() < deadline;) {
        pending = call(*client, "approval.list").result["approvals"];
    }
    ASSERT_EQ(pending.size(), 1U);
    EXPECT_EQ(call(*client, "approval.decide", {{"approval", pending[0]["approval"]}, {"decision", "approve"}}).kind, "");
    call(*client, "task.cancel", {{"task", task}});
}

} // namespace
} // namespace handeye::testing
