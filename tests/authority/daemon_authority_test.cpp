// SPDX-License-Identifier: Apache-2.0
// The whole `handeyed`, with a scripted engine in its worker process, on an Xvfb: a person's hot key ends its task, a person's hand
// holds it. The person is another client of the X server.
#include "platforms/x11/headless.h"
#include "tests/authority/raw_log.h"
#include "tests/platforms/x11_fixture.h"
#include "tests/server/handeyed_fixture.h"

#include <algorithm>
#include <fstream>
#include <iostream>

namespace handeye::x11 {
namespace {

using nlohmann::json;
using testing::Process;

/// handeyed beside the scripted engine, under the name that it looks for.
class DaemonAuthority : public X11Test {
protected:
    void start() {
        start_display(false, {1000, 1000});
        start_app("event_log_app", {(folder() / "log").string()});
        ASSERT_TRUE(wait_for([&] { return content(folder() / "log").starts_with("ready"); }));
        const std::filesystem::path built = std::filesystem::path(HANDEYE_BINARY_DIR) / "bin", bin = folder() / "bin", model = folder() / "model";
        std::filesystem::create_directories(bin);
        std::filesystem::create_directories(model);
        std::filesystem::copy_file(built / "handeyed", bin / "handeyed");
        std::filesystem::copy_file(built / "handeye-guardian", bin / "handeye-guardian");
        std::filesystem::copy_file(built / "scripted_engine", bin / "handeye-engine");
        std::ofstream(model / "config.json") << "{}";
        std::ofstream(model / "answer") << "Action: left_drag(start_box='[100,100]', end_box='[800,300]', element_info='f')\n";
        std::vector<std::pair<std::string, std::string>> environment{
            {"XDG_RUNTIME_DIR", folder() / "run"}, {"XDG_CONFIG_HOME", folder() / "config"}, {"XDG_STATE_HOME", folder() / "state"},
            {"NOTIFY_SOCKET", folder() / "notify"}};
        for (const auto& variable : display_->environment()) {
            environment.push_back(variable);
        }
        notify_ = std::make_unique<testing::NotifySocket>((folder() / "notify").string());
        daemon_ = std::make_unique<Process>(std::vector<std::string>{bin / "handeyed", "--model", model}, environment);
        ASSERT_TRUE(notify_->wait_for("READY=1"));
        auto socket = WebSocketClient::connect({.unix_path = folder() / "run" / "handeye" / "handeyed.sock"}, {.connect_timeout = std::chrono::seconds(60)});
        ASSERT_TRUE(socket) << socket.error().message;
        client_ = std::make_unique<JsonRpcClient>(std::move(*socket));
        ASSERT_TRUE(client_->identify("a test", "", testing::soon()));
        session_ = call("session.create", {{"platform", "x11"}}).value("session", "");
        ASSERT_FALSE(session_.empty());
        call("events.subscribe", {{"sessions", {session_}}, {"from_seq", 1}});
        auto person = Connection::open(display_->address());
        ASSERT_TRUE(person);
        person_ = *std::move(person);
        log_ = std::make_unique<RawLog>(display_->address());
    }
    json call(const std::string& method, const json& params) {
        const auto reply = client_->request(method, dump_json(params), testing::soon());
        EXPECT_TRUE(reply && !reply->failure) << method << ": " << (reply && reply->failure ? reply->failure->message : "no answer");
        return reply && !reply->failure ? json::parse(reply->result_json) : json::object();
    }
    /// Reads events until one that fits.
    std::optional<json> event(const std::function<bool(const json&)>& fits) {
        for (;;) {
            const auto note = client_->next_notification(testing::soon());
            if (!note) {
                return std::nullopt;
            }
            json params = json::parse(note->params_json);
            if (note->method == "event" && fits(params)) {
                return params;
            }
        }
    }
    std::optional<json> event_of_type(const std::string& type) {
        return event([&](const json& params) { return params.value("type", "") == type; });
    }
    std::optional<json> task_state(const std::string& state) {
        return event([&](const json& params) { return params.value("type", "") == "task.state" && params["data"].value("state", "") == state; });
    }
    /// A task whose hand is in the middle of a drag.
    std::string start_dragging() {
        const std::string task = call("task.run", {{"session", session_}, {"goal", "Drag."}}).value("task", "");
        EXPECT_TRUE(wait_for([&] {
            return std::ranges::any_of(log_->take(), [](const RawEntry& entry) { return entry.what == RawEntry::What::ButtonDown; });
        }));
        return task;
    }
    void tap(const std::vector<KeySym>& keys) {
        ::Display* const display = person_->get();
        for (const KeySym key : keys) {
            XTestFakeKeyEvent(display, XKeysymToKeycode(display, key), 1, CurrentTime);
        }
        for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
            XTestFakeKeyEvent(display, XKeysymToKeycode(display, *key), 0, CurrentTime);
        }
        XSync(display, 0);
    }
    [[nodiscard]] bool is_anything_down() const {
        char keys[32] = {};
        XQueryKeymap(person_->get(), keys);
        ::Window root = 0, child = 0;
        int root_x = 0, root_y = 0, x = 0, y = 0;
        unsigned mask = 0;
        XQueryPointer(person_->get(), person_->root(), &root, &child, &root_x, &root_y, &x, &y, &mask);
        return (mask & (Button1Mask | Button2Mask | Button3Mask)) != 0 || std::any_of(std::begin(keys), std::end(keys), [](char byte) { return byte != 0; });
    }
    /// Since log_->mark().
    void expect_nothing_but_releases() {
        const std::vector<RawEntry> entries = log_->take();
        const auto mark = std::find_if(entries.begin(), entries.end(), [](const RawEntry& entry) { return entry.what == RawEntry::What::Mark; });
        ASSERT_NE(mark, entries.end());
        EXPECT_TRUE(std::all_of(mark + 1, entries.end(), [](const RawEntry& entry) { return entry.is_release(); }));
    }
    static double median_ms(std::vector<Duration> times) {
        std::sort(times.begin(), times.end());
        const double ms = std::chrono::duration<double, std::milli>(times[times.size() / 2]).count();
        std::cout << fmt::format("{:.1f} ms (median), {:.1f} ms (longest of {})\n", ms, std::chrono::duration<double, std::milli>(times.back()).count(), times.size());
        return ms;
    }

    std::unique_ptr<testing::NotifySocket> notify_;
    std::unique_ptr<Process> daemon_;
    std::unique_ptr<JsonRpcClient> client_;
    std::string session_;
    std::unique_ptr<Connection> person_;
    std::unique_ptr<RawLog> log_;
};

TEST_F(DaemonAuthority, TheHotKeyEndsTheTaskAndNothingIsHeld) {
    ASSERT_NO_FATAL_FAILURE(start());
    std::vector<Duration> took;
    for (int round = 0, rounds = count_of(100, 5); round < rounds; ++round) {
        const std::string task = start_dragging();
        const TimePoint pressed = clock_.now();
        tap({XK_Control_L, XK_Alt_L, XK_Escape});
        ASSERT_TRUE(event_of_type("control.stop"));
        took.push_back(clock_.now() - pressed);
        log_->mark();
        EXPECT_EQ(call("task.wait", {{"task", task}}).value("outcome", ""), "stopped");
        expect_nothing_but_releases();
        EXPECT_FALSE(is_anything_down()) << "round " << round;
        call("control.reset_stop", json::object());
    }
    EXPECT_LT(median_ms(took), 50.0);
}

TEST_F(DaemonAuthority, AnotherHandHoldsTheAgentWithinAHundredMilliseconds) {
    ASSERT_NO_FATAL_FAILURE(start());
    std::vector<Duration> took;
    for (int round = 0, rounds = count_of(50, 3); round < rounds; ++round) {
        const std::string task = start_dragging();
        const TimePoint moved = clock_.now();
        XTestFakeMotionEvent(person_->get(), -1, 300 + round, 900, CurrentTime);
        XSync(person_->get(), 0);
        const auto heard = event_of_type("human.input");
        ASSERT_TRUE(heard);
        EXPECT_EQ((*heard)["data"].value("kind", ""), "pointer");
        ASSERT_TRUE(task_state("human"));
        took.push_back(clock_.now() - moved);
        log_->mark();
        EXPECT_EQ(call("task.get", {{"task", task}}).value("state", ""), "human");
        EXPECT_EQ(call("control.status", {{"session", session_}}).value("holder", ""), "human");
        EXPECT_FALSE(is_anything_down()) << "round " << round; // the hand that dragged has let go
        call("task.cancel", {{"task", task}});
        EXPECT_EQ(call("task.wait", {{"task", task}}).value("outcome", ""), "stopped");
        expect_nothing_but_releases();
    }
    EXPECT_LT(median_ms(took), 100.0);
}

} // namespace
} // namespace handeye::x11
