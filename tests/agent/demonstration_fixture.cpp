// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/demonstration_fixture.h"

#include "agent/secret_platform.h"
#include "agent/session.h"
#include "base/hash.h"
#include "tests/fakes/scripted_model.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <unistd.h>

namespace handeye::x11 {

using nlohmann::json;

void Demonstration::show_login(const std::string& font, const std::string& x, const std::string& y, const std::string& order) {
    apps_.clear();
    std::filesystem::remove(out());
    start_app("login_app", {out().string(), font, x, y, order}, Accessible::Yes);
    hand_ = open();
    wait_for_window(*hand_, "handeye login");
    ASSERT_TRUE(wait_for([&] { return !box_of("Save").size().is_empty() && !box_of("Password").size().is_empty(); }));
    ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(250)}, {})); // as --launch does
}

void Demonstration::record(DemonstrationOptions::UnknownText unknown) {
    options_.session_id = *make_ulid(clock_.wall_now());
    options_.title_utf8 = "log in";
    options_.unknown_text = unknown;
    is_ready_ = false;
    steps_ = 0;
    options_.on_ready = [this] { is_ready_ = true; };
    options_.on_step = [this](int step, const std::string&) { steps_ = step; };
    auto recorder = Recorder::open(file(), options_.session_id);
    ASSERT_TRUE(recorder) << recorder.error().message;
    recorder_ = *std::move(recorder);
    eyes_ = open();
    recording_ = std::thread([this] { report_ = record_demonstration(options_, *eyes_, clock_, *recorder_, stop_.get_token()); });
    ASSERT_TRUE(wait_for([&] { return is_ready_.load(); }));
}

void Demonstration::end_recording() {
    press_chord(*hand_, {"Control_L", "Alt_L", "Escape"});
    recording_.join();
    ASSERT_TRUE(report_) << report_.error().message;
    ASSERT_TRUE(recorder_->seal());
    recorder_.reset();
}

void Demonstration::stop() {
    stop_.request_stop();
    if (recording_.joinable()) {
        recording_.join();
    }
    stop_ = {};
}

Rect Demonstration::box_of(const std::string& label) {
    const auto elements = hand_->elements();
    if (!elements) {
        return {};
    }
    const auto found = std::find_if(elements->begin(), elements->end(), [&](const Element& element) { return element.label_utf8 == label && (element.mark > 0 || element.is_secret); });
    return found == elements->end() ? Rect() : found->box;
}

void Demonstration::click_and_see(const std::string& label) {
    const int before = steps_;
    click(*hand_, box_of(label).center());
    ASSERT_TRUE(wait_for([&] { return steps_ > before; })) << label;
}

void Demonstration::type(const std::string& text) {
    const auto typed = hand_->type_text(text, {});
    ASSERT_TRUE(typed) << typed.error().message;
    ASSERT_EQ(typed->reason, "");
}

XTestHand& Demonstration::person() {
    if (!person_) {
        person_ = std::make_unique<XTestHand>(display_->address());
    }
    return *person_;
}

void Demonstration::start_chromium(const std::string& address) {
    std::vector<std::string> arguments{"--force-renderer-accessibility", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                                       "--disable-component-update", "--password-store=basic", fmt::format("--user-data-dir={}/profile-{}", folder().string(), ++pages_),
                                       "--app=" + address};
    if (::geteuid() == 0) {
        arguments.insert(arguments.begin(), "--no-sandbox"); // it refuses to start otherwise
    }
    start_app("chromium", arguments, Accessible::Yes);
}

bool Demonstration::is_in_a_file(const std::string& text) const {
    bool found = false;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
        if (entry.path().filename().string().starts_with("shown")) {
            std::ifstream in(entry.path(), std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
            found = found || bytes.find(text) != std::string::npos;
        }
    }
    return found;
}

std::vector<json> Demonstration::actions() {
    std::vector<json> found;
    for (const json& proposed : events_of("action.proposed")) {
        found.push_back(proposed["action"]);
    }
    return found;
}

std::vector<json> Demonstration::events_of(const std::string& type) {
    std::vector<json> found;
    const auto recording = Recording::open(file());
    EXPECT_TRUE(recording) << recording.error().message;
    const auto events = recording->events(1, 10'000);
    EXPECT_TRUE(events) << events.error().message;
    for (const StoredEvent& event : *events) {
        if (event.type == type) {
            found.push_back(json::parse(event.data_json));
        }
    }
    return found;
}

CompiledTask Demonstration::compiled() {
    const auto recording = Recording::open(file());
    EXPECT_TRUE(recording) << recording.error().message;
    EXPECT_TRUE(recording->verify_chain());
    EXPECT_TRUE(recording->is_sealed());
    const auto reader = Locator::create({.reader = HANDEYE_BINARY_DIR "/bin/handeye-reader"});
    auto task = compile_task(*recording, {.name = "shown"}, *reader);
    EXPECT_TRUE(task) << task.error().message;
    return task ? *std::move(task) : CompiledTask();
}

TaskReport Demonstration::do_again(const CompiledTask& task, const std::string& password) {
    auto store = std::make_shared<SecretStore>();
    EXPECT_TRUE(store->add({"password_1", password, {}, true}));
    const auto grants = std::make_shared<SecretGrants>(store);
    EXPECT_TRUE(grants->set({"password_1"}));
    const auto written = write_compiled(task, folder() / fmt::format("task-{}", ++replays_));
    EXPECT_TRUE(written) << written.error().message;
    auto program = TaskProgram::load(*written, {});
    EXPECT_TRUE(program) << program.error().message << "\n" << task.yaml;
    SecretPlatform platform(open(), grants);
    fakes::ScriptedModel model; // asked nothing
    auto recorder = Recorder::open(folder() / fmt::format("again-{}.handeye", replays_), *make_ulid(clock_.wall_now()));
    SessionOptions options;
    options.secrets = grants;
    auto session = Session::create(options, platform, model, clock_, **recorder);
    EXPECT_TRUE(session) << session.error().message;
    auto report = (*session)->run_program("again", **program, {});
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : TaskReport();
}

} // namespace handeye::x11
