// SPDX-License-Identifier: Apache-2.0
#include "tests/server/server_fixture.h"

#include "base/image_codec.h"
#include "base/json.h"

#include <cstdlib>

namespace handeye::testing {

using nlohmann::json;

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }

PrivateFolder::PrivateFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "handeye-server-XXXXXX").string();
    path_ = ::mkdtemp(name.data()); // 0700
}

PrivateFolder::~PrivateFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

HoldableModel::HoldableModel() {
    info_.name = "scripted";
    info_.family = "glm4v";
    info_.prompt = "glm-4.1v";
    info_.context_tokens_max = 65536;
}

void HoldableModel::set_answers(std::vector<std::string> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
    next_ = 0;
}

void HoldableModel::hold() {
    const std::lock_guard lock(mutex_);
    is_held_ = true;
}

void HoldableModel::release() {
    {
        const std::lock_guard lock(mutex_);
        is_held_ = false;
    }
    changed_.notify_all();
}

bool HoldableModel::wait_for_calls(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, soon(), [&] { return calls_ >= count; });
}

Result<Completion> HoldableModel::generate(const ChatRequest&, const OnText& on_text, std::stop_token stop) {
    Completion out;
    {
        std::unique_lock lock(mutex_);
        out.text_utf8 = next_ < answers_.size() ? answers_[next_++] : "Action: DONE()";
        ++calls_;
        changed_.notify_all();
        lock.unlock();
        on_text({out.text_utf8});
        lock.lock();
        changed_.wait(lock, stop, [&] { return !is_held_; });
    }
    if (stop.stop_requested()) {
        out.stop_reason = StopReason::Cancelled;
    }
    out.usage.prompt_tokens = 10;
    out.usage.completion_tokens = 5;
    return out;
}

ServerTest::ServerTest() {
    options.listen = {{.unix_path = folder.path() / "run" / "d.sock"}, {.host = "127.0.0.1"}};
    options.token = std::string(64, 'a');
    options.sessions_dir = folder.path() / "sessions";
}

void ServerTest::start(bool with_model) {
    ControlServices services;
    services.clock = &clock;
    services.secrets = secrets;
    services.task_files_root = task_files_root;
    services.decode_picture = decode_picture ? decode_picture : [](std::span<const std::uint8_t> bytes, const std::stop_token&) { return decode_image(bytes); };
    services.session_defaults.settle = {.quiet = std::chrono::milliseconds(1), .deadline = std::chrono::milliseconds(5)};
    services.open_platform = [this](const std::string& name, const std::string&, std::stop_token) -> Result<std::unique_ptr<Platform>> {
        if (name != "fake") {
            return Error{ErrorCode::Unavailable, "only the platform fake is here"};
        }
        auto made = std::make_unique<fakes::FakePlatform>(clock, scenes);
        if (prepare_platform) {
            prepare_platform(*made);
        }
        platform = made.get();
        return std::unique_ptr<Platform>(std::move(made));
    };
    auto started = ControlServer::start(options, std::move(services));
    ASSERT_TRUE(started) << started.error().message;
    server = std::move(*started);
    if (with_model) {
        server->set_model(model);
    }
}

Endpoint ServerTest::unix_endpoint() const { return options.listen.front(); }

Endpoint ServerTest::tcp_endpoint() const { return {.host = "127.0.0.1", .port = server->tcp_port()}; }

std::unique_ptr<WebSocketClient> ServerTest::connect_raw(const Endpoint& endpoint, WebSocketOptions wanted) {
    wanted.connect_timeout = std::chrono::seconds(60);
    auto socket = WebSocketClient::connect(endpoint, wanted);
    EXPECT_TRUE(socket) << socket.error().message;
    return socket ? std::move(*socket) : nullptr;
}

std::unique_ptr<JsonRpcClient> ServerTest::connect() {
    auto client = std::make_unique<JsonRpcClient>(connect_raw(unix_endpoint()));
    const auto identified = client->identify("server tests", "", soon());
    EXPECT_TRUE(identified) << identified.error().message;
    return client;
}

Reply ServerTest::call(JsonRpcClient& client, const std::string& method, const json& params) {
    const auto reply = client.request(method, dump_json(params), soon());
    if (!reply) {
        return {{}, "connection", "", reply.error().message, 0};
    }
    if (reply->failure) {
        return {{}, reply->failure->kind, reply->failure->field, reply->failure->message, reply->failure->code};
    }
    return {json::parse(reply->result_json), "", "", "", 0};
}

std::string ServerTest::create_session(JsonRpcClient& client) {
    const Reply reply = call(client, "session.create", {{"platform", "fake"}});
    EXPECT_EQ(reply.kind, "") << reply.message;
    return reply.result.value("session", "");
}

std::string ServerTest::run_task(JsonRpcClient& client, const std::string& session, const std::string& goal) {
    const Reply reply = call(client, "task.run", {{"session", session}, {"goal", goal}});
    EXPECT_EQ(reply.kind, "") << reply.message;
    return reply.result.value("task", "");
}

json ServerTest::wait_task(JsonRpcClient& client, const std::string& task) {
    const Reply reply = call(client, "task.wait", {{"task", task}, {"timeout_ms", 60000}});
    EXPECT_EQ(reply.kind, "") << reply.message;
    return reply.result;
}

std::optional<json> ServerTest::next_event(JsonRpcClient& client) {
    for (;;) {
        const auto note = client.next_notification(soon());
        if (!note) {
            return std::nullopt;
        }
        if (note->method == "event") {
            return json::parse(note->params_json);
        }
    }
}

std::optional<json> ServerTest::event_of_type(JsonRpcClient& client, const std::string& type) {
    for (;;) {
        auto event = next_event(client);
        if (!event || event->at("type") == type) {
            return event;
        }
    }
}

WebSocketClose ServerTest::wait_for_close(WebSocketClient& socket) {
    while (socket.receive(soon())) {
    }
    return socket.close_reason();
}

} // namespace handeye::testing
