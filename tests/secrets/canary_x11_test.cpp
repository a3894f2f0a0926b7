// SPDX-License-Identifier: Apache-2.0
// A secret typed into five programs, by a person while `handeye record` runs and by reference in a task file and by an agent: it
// arrives, and stands in no byte of what handeye wrote: recordings, their logs, standard error, results, reports, every export.
#include "agent/secret_platform.h"
#include "agent/session.h"
#include "base/image_codec.h"
#include "base/log.h"
#include "tests/agent/demonstration_fixture.h"
#include "tests/fakes/scripted_model.h"
#include "tests/secrets/canary_search.h"

#include <algorithm>
#include <fstream>
#include <iostream>

#include <fmt/format.h>

namespace handeye::x11 {
namespace {

using nlohmann::json;

const std::string kSecret = "ZEBRA\"47\\CANARY&\u00f68"; // a German keyboard has all of it
constexpr const char* kCli = HANDEYE_BINARY_DIR "/bin/handeye";

/// What the page in tests/apps tells of its password field.
std::string checksum(const std::u32string& text) {
    std::uint64_t sum = 0;
    for (const char32_t sign : text) {
        sum = (sum * 31 + sign) % 1'000'003;
    }
    return std::to_string(sum);
}

struct App {
    std::string name;
    std::string title;
    std::string field; ///< label of the field that is to be clicked; empty: it has the keyboard
    std::string role;  ///< of that field in a task file
    std::string verify = "masked";
    std::string then;  ///< keys after it; the program tells what it got when they were pressed
    std::function<void()> start;
    std::function<bool()> has_arrived;
    bool tells_of_password = true; ///< by AT-SPI
};

class Canary : public Demonstration {
protected:
    void SetUp() override {
        start_display(true, {1024, 768});
        std::filesystem::create_directories(written());
        for (const char* const variable : {"XDG_STATE_HOME", "XDG_CONFIG_HOME"}) { // what is written there by default is searched, too
            ::setenv(variable, (written() / variable).c_str(), 1);
        }
        std::ofstream(folder() / "secret.txt") << kSecret;
        std::filesystem::permissions(folder() / "secret.txt", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        person().use_layout("de");
    }
    void TearDown() override {
        ASSERT_TRUE(log::set_file({}));
        log::set_level(log::Level::Warn);
        ::unsetenv("XDG_STATE_HOME");
        ::unsetenv("XDG_CONFIG_HOME");
    }
    /// Everything of ours; what the programs got lies beside it.
    [[nodiscard]] std::filesystem::path written() const { return folder() / "written"; }
    [[nodiscard]] std::filesystem::path got() const { return folder() / "got"; }

    App login() {
        return {"login", "handeye login", "Password", "password", "masked", "", [this] { start_app("login_app", {got().string(), "13", "40", "30", "straight"}, Accessible::Yes); },
                [this] { return content(got()).find("password=" + kSecret + "\n") != std::string::npos; }};
    }
    App page() {
        const std::string sum = " | " + checksum(U"ZEBRA\"47\\CANARY&\u00f68") + " | ";
        return {"chromium", "handeye order", "Password", "password", "masked", "", [this] { start_chromium("file://" HANDEYE_SOURCE_DIR "/tests/apps/pages/order.html"); },
                [this, sum] { return wait_for_window(*hand_, "handeye order").title_utf8.find(sum) != std::string::npos; }};
    }
    App terminal() {
        const std::string script = fmt::format("printf '[sudo] password for ada: '; read -rs x; printf %s \"$x\" > {}; cat", got().string());
        return {"xterm", "handeye terminal", "", "", "none", "return", [this, script] { start_app("xterm", {"-u8", "-title", "handeye terminal", "-e", "bash", "-c", script}); },
                [this] { return content(got()) == kSecret; }, false};
    }
    App dialog() {
        const std::string script = fmt::format("zenity --password '--title=handeye dialog' > {0}.new; tr -d '\\n' < {0}.new > {0}", got().string());
        return {"zenity", "handeye dialog", "", "", "masked", "return", [this, script] { start_app("sh", {"-c", script}, Accessible::Yes); },
                [this] { return content(got()) == kSecret; }};
    }
    App editor() {
        const std::filesystem::path letter = folder() / "letter.txt";
        return {"gedit", "letter.txt", "", "", "none", "ctrl+s", [this, letter] {
                    std::ofstream(letter) << "";
                    start_app("gedit", {"--standalone", letter.string()}, Accessible::Yes);
                },
                [this, letter] { return content(letter) == kSecret + "\n"; }, false};
    }

    void start(const App& app) {
        apps_.clear();
        std::filesystem::remove(got());
        app.start();
        hand_ = open();
        wait_for_window(*hand_, app.title);
        ASSERT_TRUE(wait_for([&] { return app.field.empty() || !box_of(app.field).size().is_empty(); }, 60)) << app.name;
        ASSERT_TRUE(wait_for([&] { return !app.field.empty() || (hand_->focused_window() && hand_->focused_window()->title_utf8.find(app.title) != std::string::npos); }));
        ASSERT_TRUE(wait_for([&] { return !app.tells_of_password || !password_box().size().is_empty(); })) << app.name;
        ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(250)}, {}));
    }
    Rect password_box() {
        const auto elements = hand_->elements();
        const auto found = elements ? std::find_if(elements->begin(), elements->end(), [](const Element& element) { return element.is_secret; }) : std::vector<Element>::const_iterator();
        return elements && found != elements->end() ? found->box : Rect();
    }

    /// The command, with all that it says in written(); its exit code.
    int handeye(const std::string& arguments, const std::string& log) {
        return std::system(fmt::format("cd '{0}' && '{1}' -v {2} >> '{0}/{3}.out' 2>> '{0}/{3}.err'", written().string(), kCli, arguments, log).c_str());
    }
    std::string said(const std::string& log) const { return content(written() / (log + ".err")) + content(written() / (log + ".out")); }

    void expect_nothing_in_what_was_written(const std::string& when) {
        const std::vector<std::string> found = search_.find_in(written());
        for (const std::string& place : found) {
            ADD_FAILURE() << when << ": " << place;
        }
    }
    /// As many formats as the command knows.
    std::vector<std::string> export_formats() {
        EXPECT_EQ(handeye("export --help", "help"), 0);
        const std::string help = said("help");
        const std::size_t begin = help.find("--to TEXT:{") + 11, end = help.find('}', begin);
        std::vector<std::string> out;
        for (std::size_t at = begin; at < end;) {
            const std::size_t comma = std::min(help.find(',', at), end);
            out.push_back(help.substr(at, comma - at));
            at = comma + 1;
        }
        EXPECT_GE(out.size(), 5U) << help;
        return out;
    }
    void export_all(const std::string& name) {
        EXPECT_EQ(handeye(fmt::format("report {0}.handeye -o {0}.html", name), name), 0) << said(name);
        EXPECT_EQ(handeye(fmt::format("verify {}.handeye", name), name), 0) << said(name);
        for (const std::string& format : export_formats()) {
            for (const char* const more : {"", "--all", "--form 4.5v", "--dialogue"}) {
                if (format == "llamafactory" || *more == '\0') {
                    static_cast<void>(handeye(fmt::format("export {0}.handeye --to {1} {2} -o {0}-{1}{2}", name, format, more), name)); // a recording may lack what a format needs
                }
            }
            std::cout << fmt::format("{} as {}: {}\n", name, format, std::filesystem::exists(written() / fmt::format("{}-{}", name, format)) ? "written" : "refused");
        }
    }

    void expect_person_leaves_nothing(const App& app);
    void expect_task_leaves_nothing(const App& app);
    void expect_agent_leaves_nothing(const App& app);
    void expect_painted_over(const std::filesystem::path& recording, const Rect& box, bool is_gone_at_the_end);

    CanarySearch search_{kSecret, {"ZEBRA", "CANARY"}, HANDEYE_BINARY_DIR "/bin/handeye-reader"};
};

/// In all pictures that were stored: the field was there from the beginning, and to the end unless the last key closed it.
void Canary::expect_painted_over(const std::filesystem::path& file, const Rect& box, bool is_gone_at_the_end) {
    const auto recording = Recording::open(file);
    ASSERT_TRUE(recording) << recording.error().message;
    const auto events = recording->events(1, 10'000);
    ASSERT_TRUE(events) << events.error().message;
    int pictures = 0, last_step = 0;
    for (const StoredEvent& event : *events) {
        last_step = event.type == "task.step_started" ? json::parse(event.data_json)["step"].get<int>() : last_step;
    }
    for (const StoredEvent& event : *events) {
        const json data = json::parse(event.data_json);
        if (event.type != "observation.captured" || !data["frame"].is_object() || (is_gone_at_the_end && data["step"] == last_step && data["when"] == "after")) {
            continue;
        }
        const auto frame = decode_image(*recording->blob(data["frame"]["sha256"]));
        ASSERT_TRUE(frame) << frame.error().message;
        const Image rgb = frame->to_rgb();
        ++pictures;
        int open_pixels = 0;
        for (int y = box.y; y < box.y + box.height_px; ++y) {
            const auto row = rgb.row(y).subspan(static_cast<std::size_t>(box.x) * 3, static_cast<std::size_t>(box.width_px) * 3);
            open_pixels += static_cast<int>(std::count_if(row.begin(), row.end(), [](std::uint8_t shade) { return shade != 0x60; }));
        }
        EXPECT_EQ(open_pixels, 0) << data["when"] << " of step " << data["step"];
    }
    EXPECT_GT(pictures, 0);
}

void Canary::expect_person_leaves_nothing(const App& app) {
    start(app);
    ASSERT_FALSE(HasFatalFailure());
    const Rect field = app.tells_of_password ? password_box() : Rect();
    start_app("sh", {"-c", fmt::format("cd '{}' && exec '{}' -v record -o person.handeye 2> record.err > record.out", written().string(), kCli)}, Accessible::Yes);
    ASSERT_TRUE(wait_for([&] { return said("record").find("stop with") != std::string::npos; })) << said("record");
    if (!app.field.empty()) {
        person().click(box_of(app.field).center());
        ASSERT_TRUE(wait_for([&] { return said("record").find("   1  left_click") != std::string::npos; })) << said("record");
    }
    person().type(kSecret);
    if (!app.then.empty()) {
        person().chord({"Return"});
    }
    ASSERT_TRUE(wait_for(app.has_arrived)) << app.name << " got " << content(got());
    expect_nothing_in_what_was_written(app.name + ", a person, while it is recorded");
    person().chord({"Control_L", "Alt_L", "Escape"});
    ASSERT_TRUE(wait_for([&] { return said("record").find("do it again:") != std::string::npos; })) << said("record");
    EXPECT_NE(said("record").find(app.tells_of_password ? "{{secret:password_1}}" : "{{secret:text_1}}"), std::string::npos) << said("record");
    if (app.tells_of_password) {
        expect_painted_over(written() / "person.handeye", field, !app.then.empty());
    }
    export_all("person");
    start(app);
    const std::string name = app.tells_of_password ? "password_1" : "text_1";
    EXPECT_EQ(handeye(fmt::format("replay person.handeye --display {} --secret {}=@{}/secret.txt --record replay.handeye --result replay.json --junit replay.xml", display_->address().name,
                                  name, folder().string()), "replay"), 0) << said("replay");
    EXPECT_TRUE(wait_for(app.has_arrived)) << app.name << " got " << content(got());
    export_all("replay");
    expect_nothing_in_what_was_written(app.name + ", a person");
}

void Canary::expect_task_leaves_nothing(const App& app) {
    start(app);
    ASSERT_FALSE(HasFatalFailure());
    std::ofstream task(written() / "task.yaml");
    task << fmt::format("version: 1\nname: canary\nvars:\n  canary: {{type: secret, from: \"file:{}/secret.txt\"}}\nsteps:\n", folder().string());
    const std::string into = app.field.empty() ? "" : fmt::format(", into: {{label: {}, role: {}}}", app.field, app.role);
    task << fmt::format("  - type: {{text: \"${{vars.canary}}\"{}, verify: {}}}\n", into, app.verify);
    task << (app.then.empty() ? "" : fmt::format("  - key: {}\n", app.then));
    task.close();
    EXPECT_EQ(handeye(fmt::format("run task.yaml --display {} --record task.handeye --result task.json --junit task.xml", display_->address().name), "task"), 0) << said("task");
    EXPECT_TRUE(wait_for(app.has_arrived)) << app.name << " got " << content(got());
    EXPECT_EQ(handeye("task explain task.yaml", "task"), 0);
    export_all("task");
    expect_nothing_in_what_was_written(app.name + ", a task file");
}

void Canary::expect_agent_leaves_nothing(const App& app) {
    start(app);
    ASSERT_FALSE(HasFatalFailure());
    ASSERT_TRUE(log::set_file(written() / "agent.log"));
    log::set_level(log::Level::Debug);
    auto store = std::make_shared<SecretStore>();
    ASSERT_TRUE(store->add({"canary", kSecret, {{.titles = {"*" + app.title + "*"}}}, false}));
    const auto grants = std::make_shared<SecretGrants>(store);
    ASSERT_TRUE(grants->set({"canary"}));
    fakes::ScriptedModel model;
    const auto say = [&](const std::string& call) { model.add("<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>"); };
    if (!app.field.empty()) {
        const Point at = box_of(app.field).center();
        say(fmt::format("left_click(start_box='[{},{}]', element_info='{}')", at.x * 1000 / 1024, at.y * 1000 / 768, app.field));
    }
    say("type(content='{{secret:canary}}')");
    if (!app.then.empty()) {
        say(fmt::format("key(keys='{}')", app.then == "return" ? "enter" : app.then));
    }
    say("DONE()");
    SecretPlatform platform(open(), grants);
    auto recorder = Recorder::open(written() / "agent.handeye", "01TEST");
    ASSERT_TRUE(recorder) << recorder.error().message;
    SessionOptions options{.session_id = "01TEST"};
    options.secrets = grants;
    options.redactor = std::make_shared<Redactor>(*store);
    {
        auto session = Session::create(options, platform, model, clock_, **recorder);
        ASSERT_TRUE(session) << session.error().message;
        const auto report = (*session)->run_task("Log in.", {});
        ASSERT_TRUE(report) << report.error().message;
        log::info("test", report->message);
        EXPECT_TRUE(wait_for(app.has_arrived)) << app.name << " got " << content(got()) << ": " << report->message;
    }
    expect_nothing_in_what_was_written(app.name + ", an agent, before the recording is closed");
    ASSERT_TRUE((*recorder)->seal());
    export_all("agent");
    expect_nothing_in_what_was_written(app.name + ", an agent");
}

bool is_brief() { return std::getenv("HANDEYE_FULL") == nullptr; }

TEST_F(Canary, OfAPersonInALoginWindowIsNowhere) { expect_person_leaves_nothing(login()); }
TEST_F(Canary, OfAPersonInAPageInChromiumIsNowhere) { expect_person_leaves_nothing(page()); }
TEST_F(Canary, OfAPersonInATerminalIsNowhere) { expect_person_leaves_nothing(terminal()); }
TEST_F(Canary, OfAPersonInAZenityDialogIsNowhere) { expect_person_leaves_nothing(dialog()); }

TEST_F(Canary, OfATaskFileIsNowhere) {
    for (const App& app : is_brief() ? std::vector<App>{editor()} : std::vector<App>{editor(), login(), page(), terminal(), dialog()}) {
        std::filesystem::remove_all(written());
        std::filesystem::create_directories(written());
        expect_task_leaves_nothing(app);
    }
    EXPECT_GT(search_.pictures_read(), 0U);
}

TEST_F(Canary, OfAnAgentIsNowhere) {
    for (const App& app : is_brief() ? std::vector<App>{editor()} : std::vector<App>{editor(), login(), page(), terminal(), dialog()}) {
        ASSERT_TRUE(log::set_file({}));
        std::filesystem::remove_all(written());
        std::filesystem::create_directories(written());
        expect_agent_leaves_nothing(app);
    }
    EXPECT_GT(search_.pictures_read(), 0U);
}

} // namespace

// The search itself: each spelling is found in a file, in an event and in a text blob of a recording.
TEST(CanarySearch, FindsEverySpelling) {
    char name[] = "/tmp/handeye-canary-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    const std::filesystem::path folder = name;
    CanarySearch search(kSecret, {"ZEBRA"}, HANDEYE_BINARY_DIR "/bin/handeye-reader");
    std::ofstream(folder / "clean.txt") << "nothing of it, and base64: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=";
    EXPECT_TRUE(search.find_in(folder).empty());
    for (const Spelling& spelling : spellings_of(kSecret)) {
        ASSERT_GE(spelling.bytes.size(), 5U) << spelling.name;
        std::ofstream(folder / "a.bin", std::ios::binary) << "before" << spelling.bytes << "after";
        EXPECT_FALSE(search.find_in(folder).empty()) << spelling.name;
    }
    std::filesystem::remove(folder / "a.bin");
    auto recorder = Recorder::open(folder / "a.handeye", "01TEST");
    ASSERT_TRUE(recorder);
    ASSERT_TRUE((*recorder)->on_event({.type = "note", .data_json = json{{"text", "\u00fc" + kSecret}}.dump()}));
    EXPECT_FALSE(search.find_in(folder).empty());
    recorder->reset();
    std::filesystem::remove_all(folder);
}

} // namespace handeye::x11
