// SPDX-License-Identifier: Apache-2.0
// Sessions and tasks through the API: they live in the server, stop when told to, and can be followed from any place.
#include "agent/recorder.h"
#include "base/json.h"
#include "tests/server/server_fixture.h"

#include <cstdlib>
#include <random>

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

class Tasks : public ServerTest {};

TEST_F(Tasks, RunToTheirEndAndSaySo) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(session.size(), 26U);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const std::string task = run_task(*client, session);
    const json done = wait_task(*client, task);
    EXPECT_EQ(done["finished"], true);
    EXPECT_EQ(done["outcome"], "done") << done;
    EXPECT_EQ(done["exit_code"], 0);
    const auto finished = event_of_type(*client, "task.finished");
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->at("data").at("task_id"), task);
    EXPECT_EQ(finished->at("data").at("outcome"), "done");
}

TEST_F(Tasks, AnEventHasExactlyTheFieldsOfTheContract) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const auto event = next_event(*client);
    ASSERT_TRUE(event);
    std::set<std::string> fields;
    for (const auto& [name, value] : event->items()) {
        fields.insert(name);
    }
    EXPECT_EQ(fields, (std::set<std::string>{"session", "seq", "t_wall", "t_mono_ns", "type", "data"}));
    EXPECT_EQ(event->at("seq"), 1);
    EXPECT_EQ(event->at("session"), session);
    EXPECT_TRUE(event->at("data").is_object());
}

TEST_F(Tasks, AModelOfTextAloneIsAskedNothing) {
    model.take_its_eyes();
    start();
    const auto client = connect();
    const json done = wait_task(*client, run_task(*client, create_session(*client)));
    EXPECT_EQ(done["outcome"], "failed") << done;
    EXPECT_NE(done["message"].get<std::string>().find("of text alone and sees no screen"), std::string::npos) << done;
    EXPECT_EQ(done["steps"], 0);
}

TEST_F(Tasks, WithoutAModelTheEngineIsMissing) {
    start(false);
    const auto client = connect();
    const std::string session = create_session(*client);
    EXPECT_EQ(call(*client, "task.run", {{"session", session}, {"goal", "g"}}).kind, "engine_missing");
    server->set_model_failed(Error{ErrorCode::NotFound, "no such folder"});
    const Reply failed = call(*client, "task.run", {{"session", session}, {"goal", "g"}});
    EXPECT_EQ(failed.kind, "engine_missing");
    EXPECT_NE(failed.message.find("no such folder"), std::string::npos) << failed.message;
    EXPECT_EQ(call(*client, "connection.info").result["engine"]["state"], "failed");
}

TEST_F(Tasks, WaitWhileTheModelLoads) {
    start(false);
    server->set_model_loading("weights 10 %");
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const std::string task = run_task(*client, session);
    ASSERT_TRUE(event_of_type(*client, "task.state"));
    EXPECT_EQ(call(*client, "task.get", {{"task", task}}).result["state"], "waiting_for_engine");
    server->set_model(model);
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
}

TEST_F(Tasks, CanBeStoppedWhileTheModelLoads) {
    start(false);
    server->set_model_loading("weights 10 %");
    const auto client = connect();
    const std::string task = run_task(*client, create_session(*client));
    EXPECT_EQ(call(*client, "task.cancel", {{"task", task}}).kind, "");
    EXPECT_EQ(wait_task(*client, task)["outcome"], "stopped");
}

TEST_F(Tasks, OneAtATimeInEachSession) {
    start();
    model.hold();
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    ASSERT_TRUE(model.wait_for_calls(1));
    EXPECT_EQ(call(*client, "task.run", {{"session", session}, {"goal", "another"}}).kind, "task_running");
    EXPECT_EQ(call(*client, "screen.capture", {{"session", session}}).kind, "task_running");
    EXPECT_EQ(call(*client, "session.get", {{"session", session}}).result["task"], task);
    model.release();
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done"); // and then the next
}

TEST_F(Tasks, SessionsTakeTurnsAtTheModel) {
    start();
    const auto client = connect();
    std::vector<std::string> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.push_back(run_task(*client, create_session(*client)));
    }
    for (const std::string& task : tasks) {
        EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
    }
}

TEST_F(Tasks, OutliveTheConnectionThatAskedForThem) {
    start();
    model.hold();
    auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    ASSERT_TRUE(model.wait_for_calls(1));
    client.reset();
    model.release();
    client = connect();
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
}

TEST_F(Tasks, AGoalIsMeasuredInBytesWhereItIsAskedFor) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto goal_of = [](int letters) {
        std::string goal;
        for (int i = 0; i < letters; ++i) {
            goal += "\u00e9"; // two bytes
        }
        return goal;
    };
    const Reply refused = call(*client, "task.run", {{"session", session}, {"goal", goal_of(60'001)}});
    EXPECT_EQ(refused.kind, "invalid_params");
    EXPECT_EQ(refused.field, "goal");
    EXPECT_EQ(wait_task(*client, run_task(*client, session, goal_of(32'768)))["outcome"], "done");
}

TEST_F(Tasks, RequestKeyMakesARepetitionHarmless) {
    start();
    const auto client = connect();
    const json create{{"platform", "fake"}, {"request_key", "c"}};
    const std::string session = call(*client, "session.create", create).result["session"];
    EXPECT_EQ(call(*client, "session.create", create).result["session"], session);
    EXPECT_EQ(call(*client, "session.create", {{"platform", "other"}, {"request_key", "c"}}).kind, "request_key_reused");
    const json run{{"session", session}, {"goal", "g"}, {"request_key", "k"}};
    const std::string task = call(*client, "task.run", run).result["task"];
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(call(*client, "task.run", run).result["task"], task);
    }
    json other = run;
    other["goal"] = "something else";
    EXPECT_EQ(call(*client, "task.run", other).kind, "request_key_reused");
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
    EXPECT_EQ(call(*client, "task.run", run).result["task"], task); // also once it has finished
}

TEST_F(Tasks, WaitGivesUpAtItsTimeout) {
    start();
    model.hold();
    const auto client = connect();
    const std::string task = run_task(*client, create_session(*client));
    const Reply reply = call(*client, "task.wait", {{"task", task}, {"timeout_ms", 1}});
    EXPECT_EQ(reply.result["finished"], false);
    model.release();
    EXPECT_EQ(wait_task(*client, task)["finished"], true);
}

TEST_F(Tasks, UnknownIdsAreNamed) {
    start();
    const auto client = connect();
    EXPECT_EQ(call(*client, "task.get", {{"task", "T"}}).kind, "no_such_task");
    EXPECT_EQ(call(*client, "task.wait", {{"task", "T"}}).kind, "no_such_task");
    EXPECT_EQ(call(*client, "session.get", {{"session", "S"}}).kind, "no_such_session");
    EXPECT_EQ(call(*client, "task.run", {{"session", "S"}, {"goal", "g"}}).kind, "no_such_session");
    EXPECT_EQ(call(*client, "events.subscribe", {{"sessions", {"../../etc/passwd"}}}).kind, "no_such_session");
    EXPECT_EQ(call(*client, "recording.blob", {{"session", "../x"}, {"hash", std::string(64, '0')}}).kind, "no_such_session");
    EXPECT_EQ(call(*client, "recording.blob", {{"session", "S"}, {"hash", std::string(64, 'Z')}}).field, "hash");
    EXPECT_EQ(call(*client, "events.unsubscribe", {{"subscription", "sub-9"}}).kind, "no_such_subscription");
}

TEST_F(Tasks, APolicyWithAnUnknownVerbIsRefused) {
    start();
    const auto client = connect();
    const Reply reply = call(*client, "task.run",
                             {{"session", create_session(*client)}, {"goal", "g"}, {"policy", {{"deny_verbs", {"teleport"}}}}});
    EXPECT_EQ(reply.field, "policy");
    EXPECT_NE(reply.message.find("teleport"), std::string::npos) << reply.message;
}

TEST_F(Tasks, TheBudgetOfTheRequestHolds) {
    start();
    model.set_answers(std::vector<std::string>(10, "Action: left_click(start_box='[500,500]', element_info='x')"));
    const auto client = connect();
    const Reply reply = call(*client, "task.run",
                             {{"session", create_session(*client)}, {"goal", "g"}, {"budget", {{"max_steps", 2}}}});
    const json done = wait_task(*client, reply.result["task"]);
    EXPECT_EQ(done["outcome"], "budget_exceeded") << done;
    EXPECT_EQ(done["steps"], 2);
}

TEST_F(Tasks, APlatformThatCannotOpenIsTheAnswerToCreate) {
    start();
    const Reply reply = call(*connect(), "session.create", {{"platform", "vnc"}});
    EXPECT_EQ(reply.kind, "backend_unavailable");
    EXPECT_NE(reply.message.find("only the platform fake"), std::string::npos) << reply.message;
}

TEST_F(Tasks, CaptureShowsTheTarget) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const json full = call(*client, "screen.capture", {{"session", session}}).result;
    EXPECT_EQ(full["width_px"], 320);
    EXPECT_EQ(full["height_px"], 240);
    EXPECT_EQ(full["base64"].get<std::string>().substr(0, 11), "iVBORw0KGgo"); // the PNG signature
    const json small = call(*client, "screen.capture", {{"session", session}, {"max_px", 32}, {"format", "jpeg"}}).result;
    EXPECT_EQ(small["width_px"], 32);
    EXPECT_EQ(small["height_px"], 24);
    EXPECT_EQ(small["media_type"], "image/jpeg");
}

TEST_F(Tasks, BlobsOfEventsCanBeFetched) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    (void)run_task(*client, session);
    const auto event = event_of_type(*client, "observation.captured");
    ASSERT_TRUE(event);
    const std::string text = event->dump();
    const std::size_t at = text.find("\"sha256\":\"");
    ASSERT_NE(at, std::string::npos) << text;
    const std::string hash = text.substr(at + 10, 64);
    const json blob = call(*client, "recording.blob", {{"session", session}, {"hash", hash}}).result;
    EXPECT_EQ(blob["base64"].get<std::string>().substr(0, 11), "iVBORw0KGgo") << blob.dump().substr(0, 200);
    EXPECT_EQ(call(*client, "recording.blob", {{"session", session}, {"hash", std::string(64, '0')}}).kind, "not_found");
}

TEST_F(Tasks, ClosedSessionsAreSealedAndStillReadable) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done");
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    EXPECT_EQ(call(*client, "session.close", {{"session", session}}).kind, "");
    const auto closed = event_of_type(*client, "session.closed");
    ASSERT_TRUE(closed);
    server.reset();
    const auto recording = Recording::open(options.sessions_dir / (session + ".handeye"));
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_TRUE(recording->is_sealed());
    const auto chain = recording->verify_chain();
    ASSERT_TRUE(chain) << chain.error().message;
    EXPECT_EQ(*chain, closed->at("seq"));
    start(); // another run of the daemon reads it too
    const auto later = connect();
    ASSERT_EQ(call(*later, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    EXPECT_EQ(next_event(*later)->at("seq"), 1);
    EXPECT_TRUE(event_of_type(*later, "session.closed"));
}

TEST_F(Tasks, ProgressIsToldToWhoAsks) {
    start();
    model.hold();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"progress", true}}).kind, "");
    (void)run_task(*client, session);
    for (;;) {
        const auto note = client->next_notification(soon());
        ASSERT_TRUE(note) << note.error().message;
        if (note->method == "engine.progress") {
            EXPECT_EQ(json::parse(note->params_json)["tail"], "Action: DONE()");
            break;
        }
    }
    model.release();
}

TEST_F(Tasks, ShutdownStopsThemAndTellsTheClients) {
    start();
    model.hold();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    (void)run_task(*client, session);
    ASSERT_TRUE(model.wait_for_calls(1));
    server.reset();
    const auto finished = event_of_type(*client, "task.finished");
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->at("data").at("outcome"), "stopped");
    EXPECT_TRUE(event_of_type(*client, "session.closed"));
    EXPECT_EQ(wait_for_close(client->socket()).code, 1001);
    EXPECT_TRUE(Recording::open(options.sessions_dir / (session + ".handeye"))->is_sealed());
}

class StopAll : public ServerTest {};

TEST_F(StopAll, StopsTheModelsAnswerAndLatches) {
    start();
    model.hold();
    const auto client = connect();
    const auto other = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    ASSERT_TRUE(model.wait_for_calls(1));
    const Reply stopped = call(*other, "control.stop_all", {{"reason", "test"}});
    EXPECT_EQ(stopped.result["stopped_tasks"], 1);
    EXPECT_EQ(stopped.result["latched"], true);
    EXPECT_EQ(wait_task(*client, task)["outcome"], "stopped");
    EXPECT_EQ(wait_task(*client, task)["exit_code"], 3);
    EXPECT_EQ(call(*client, "task.run", {{"session", session}, {"goal", "g"}}).kind, "stop_latched");
    EXPECT_EQ(call(*client, "control.reset_stop").kind, "");
    model.release();
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done");
}

TEST_F(StopAll, LetsGoOfKeysBetweenTwoEvents) {
    std::set<std::string> held_at_stop;
    std::size_t events_at_stop = 0;
    prepare_platform = [&](fakes::FakePlatform& fake) {
        fake.set_before_inject([this, &held_at_stop, &events_at_stop, &fake](std::size_t count) {
            if (events_at_stop == 0 && !fake.held().empty()) { // a key is down: the worst moment
                held_at_stop = fake.held();
                events_at_stop = count;
                server->stop_all("test");
            }
        });
    };
    start();
    model.set_answers({"Action: key(keys='ctrl+shift+a')"});
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    const std::string task = run_task(*client, session);
    EXPECT_EQ(wait_task(*client, task)["outcome"], "stopped");
    EXPECT_FALSE(held_at_stop.empty());
    EXPECT_TRUE(platform->held().empty());
    EXPECT_GE(platform->releases(), 1U);
    std::size_t presses_after = 0;
    for (std::size_t i = events_at_stop + 1; i < platform->events().size(); ++i) {
        const auto* const key = std::get_if<Key>(&platform->events()[i]);
        presses_after += key != nullptr && key->edge == Edge::Press ? 1 : 0;
    }
    EXPECT_EQ(presses_after, 0U);
    const auto stop = event_of_type(*client, "control.stop");
    ASSERT_TRUE(stop);
    EXPECT_EQ(stop->at("data").at("reason"), "test");
}

class Events : public ServerTest {
protected:
    /// A task of many steps.
    std::string run_long_task(JsonRpcClient& client, const std::string& session, int steps) {
        std::vector<std::string> answers;
        for (int i = 0; i < steps; ++i) {
            answers.push_back(fmt::format("Action: left_click(start_box='[{},{}]', element_info='b{}')", 100 + i * 37 % 800, 100 + i * 53 % 800, i));
        }
        model.set_answers(std::move(answers));
        return run_task(client, session);
    }
};

TEST_F(Events, CutAnywhereTheUnionIsWhatWasSentWithoutRepetition) {
    const int cuts = std::getenv("HANDEYE_FULL") != nullptr ? 1000 : 20;
    const auto seed = static_cast<unsigned>(std::chrono::steady_clock::now().time_since_epoch().count());
    std::mt19937 random(seed);
    SCOPED_TRACE(fmt::format("seed {}, {} cuts", seed, cuts));
    start();
    const auto control = connect();
    const std::string session = create_session(*control);
    std::map<std::uint64_t, std::string> received;
    std::uint64_t next_seq = 1;
    bool is_running = false; // by what was received: until task.finished, more events come
    for (int cut = 0; cut < cuts; ++cut) {
        if (!is_running) {
            (void)run_long_task(*control, session, 12);
            is_running = true;
        }
        auto follower = connect();
        ASSERT_EQ(call(*follower, "events.subscribe", {{"sessions", {session}}, {"from_seq", next_seq}}).kind, "");
        const std::size_t take = random() % 12;
        for (std::size_t i = 0; i < take && is_running; ++i) {
            const auto event = next_event(*follower);
            ASSERT_TRUE(event);
            const auto seq = event->at("seq").get<std::uint64_t>();
            ASSERT_EQ(seq, next_seq); // in order, no gap, no repetition
            received[seq] = event->dump();
            next_seq = seq + 1;
            is_running = event->at("type") != "task.finished";
        }
    }
    (void)call(*control, "session.close", {{"session", session}});
    bool is_closed = false;
    auto last = connect();
    ASSERT_EQ(call(*last, "events.subscribe", {{"sessions", {session}}, {"from_seq", next_seq}}).kind, "");
    while (!is_closed) {
        const auto event = next_event(*last);
        ASSERT_TRUE(event);
        ASSERT_EQ(event->at("seq"), next_seq);
        received[next_seq++] = event->dump();
        is_closed = event->at("type") == "session.closed";
    }
    const auto recording = Recording::open(options.sessions_dir / (session + ".handeye"));
    ASSERT_TRUE(recording);
    const auto stored = recording->events(1, 100'000);
    ASSERT_TRUE(stored);
    ASSERT_EQ(stored->size(), received.size());
    for (const StoredEvent& event : *stored) {
        const json sent = json::parse(received.at(event.seq));
        EXPECT_EQ(sent.at("type"), event.type);
        EXPECT_EQ(sent.at("t_wall"), event.t_wall);
        EXPECT_EQ(sent.at("t_mono_ns"), event.t_mono_ns);
        EXPECT_EQ(sent.at("data"), json::parse(event.data_json));
    }
}

TEST_F(Events, OnlyTheTypesThatWereNamed) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"types", {"task.started", "task.finished"}}}).kind, "");
    (void)wait_task(*client, run_task(*client, session));
    EXPECT_EQ(next_event(*client)->at("type"), "task.started");
    EXPECT_EQ(next_event(*client)->at("type"), "task.finished");
}

TEST_F(Events, AllSessionsIncludesThoseToCome) {
    start();
    const auto client = connect();
    ASSERT_EQ(call(*client, "events.subscribe").kind, "");
    const std::string session = create_session(*client);
    const auto event = next_event(*client);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->at("session"), session);
    EXPECT_EQ(event->at("seq"), 1);
}

TEST_F(Events, AfterUnsubscribeNothingComes) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const Reply subscribed = call(*client, "events.subscribe", {{"sessions", {session}}});
    ASSERT_EQ(call(*client, "events.unsubscribe", {{"subscription", subscribed.result["subscription"]}}).kind, "");
    (void)wait_task(*client, run_task(*client, session));
    ASSERT_EQ(call(*client, "connection.ping").kind, "");
    EXPECT_EQ(client->next_notification(std::chrono::steady_clock::now()).error().code, ErrorCode::DeadlineExceeded);
}

TEST_F(Events, MaxLagSkipsAndSaysWhat) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    (void)wait_task(*client, run_task(*client, session));
    const auto last_seq = call(*client, "session.get", {{"session", session}}).result["last_seq"].get<std::uint64_t>();
    ASSERT_GT(last_seq, 5U);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"max_lag", 3}}).kind, "");
    const auto gap = client->next_notification(soon());
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->method, "events.gap");
    EXPECT_EQ(json::parse(gap->params_json)["from"], 1);
    EXPECT_EQ(json::parse(gap->params_json)["to"], last_seq - 3);
    EXPECT_EQ(next_event(*client)->at("seq"), last_seq - 2);
}

TEST_F(Events, AReaderThatStopsIsClosed4008WhileOthersGoOn) {
    options.queue_bytes_max = 64U << 10U;
    options.write_timeout = std::chrono::milliseconds(200);
    start();
    const auto good = connect();
    // A client whose own queue is tiny stops reading the socket; the kernel's buffers fill, then the server's queue.
    WebSocketOptions narrow;
    narrow.inbox_bytes_max = 1;
    auto slow = std::make_unique<JsonRpcClient>(connect_raw(unix_endpoint(), narrow));
    ASSERT_TRUE(slow->identify("slow", "", soon()));
    const std::string payload(1024, 'x');
    const std::string request = R"({"jsonrpc":"2.0","id":1,"method":"connection.ping","params":{"payload":")" + payload + "\"}}";
    bool is_cut = false;
    for (int i = 0; i < 200'000 && !is_cut; ++i) {
        const auto sent = slow->socket().send_text(request, soon());
        is_cut = !sent;
        if (i % 500 == 0) {
            is_cut = is_cut || call(*good, "connection.info").result["connections"] == 1;
        }
    }
    EXPECT_TRUE(is_cut);
    EXPECT_EQ(call(*good, "connection.ping").kind, "");
}

TEST_F(Events, ASlowReaderOfEventsLosesNothing) {
    options.queue_bytes_max = 8U << 10U; // a few events
    options.write_timeout = std::chrono::minutes(10);
    start();
    const auto control = connect();
    const std::string session = create_session(*control);
    WebSocketOptions narrow;
    narrow.inbox_bytes_max = 1;
    JsonRpcClient follower(connect_raw(unix_endpoint(), narrow));
    const auto identified = follower.identify("slow", "", soon());
    ASSERT_TRUE(identified) << identified.error().message;
    ASSERT_EQ(call(follower, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}}).kind, "");
    (void)wait_task(*control, run_long_task(*control, session, 10));
    (void)call(*control, "session.close", {{"session", session}});
    std::uint64_t expected = 1;
    for (;;) {
        const auto event = next_event(follower);
        ASSERT_TRUE(event);
        ASSERT_EQ(event->at("seq"), expected++);
        if (event->at("type") == "session.closed") {
            break;
        }
    }
}

} // namespace
} // namespace handeye::testing
