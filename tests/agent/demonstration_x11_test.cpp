// SPDX-License-Identifier: Apache-2.0
// A second client plays the person at a real GTK window; what it did is recorded, compiled into a task file, and done again on a
// fresh window with another place, font and order. What went into password fields is in no byte of it.
#include "agent/compile.h"
#include "agent/demonstration.h"
#include "agent/recorder.h"
#include "agent/secret_platform.h"
#include "agent/session.h"
#include "agent/task_program.h"
#include "base/hash.h"
#include "base/image_codec.h"
#include "platforms/x11/connection.h"
#include "tests/fakes/scripted_model.h"
#include "tests/platforms/x11_fixture.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::x11 {
namespace {

using nlohmann::json;

const std::string kCanary = "ZEBRA47CANARY";
const std::string kFilled = "name=Ada L\u00f6we\npassword=" + kCanary + "\nagree=1\nclicked=Save\n";

class Demonstration : public X11Test {
protected:
    void SetUp() override { start_display(true, {800, 600}); }
    void TearDown() override {
        stop_.request_stop();
        if (recording_.joinable()) {
            recording_.join();
        }
    }

    [[nodiscard]] std::filesystem::path out() const { return folder() / "out"; }
    [[nodiscard]] std::filesystem::path file() const { return folder() / "shown.handeye"; }

    void show_login(const std::string& font, const std::string& x, const std::string& y, const std::string& order) {
        apps_.clear();
        std::filesystem::remove(out());
        start_app("login_app", {out().string(), font, x, y, order}, Accessible::Yes);
        hand_ = open();
        wait_for_window(*hand_, "handeye login");
        ASSERT_TRUE(wait_for([&] { return !box_of("Save").size().is_empty() && !box_of("Password").size().is_empty(); }));
        ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(250)}, {})); // as --launch does
    }

    void record(DemonstrationOptions::UnknownText unknown = DemonstrationOptions::UnknownText::IsSecret) {
        options_.session_id = *make_ulid(clock_.wall_now());
        options_.title_utf8 = "log in";
        options_.unknown_text = unknown;
        is_ready_ = false;
        options_.on_ready = [this] { is_ready_ = true; };
        options_.on_step = [this](int step, const std::string&) { steps_ = step; };
        auto recorder = Recorder::open(file(), options_.session_id);
        ASSERT_TRUE(recorder) << recorder.error().message;
        recorder_ = *std::move(recorder);
        eyes_ = open();
        recording_ = std::thread([this] { report_ = record_demonstration(options_, *eyes_, clock_, *recorder_, stop_.get_token()); });
        ASSERT_TRUE(wait_for([&] { return is_ready_.load(); }));
    }

    void end_recording() {
        press_chord(*hand_, {"Control_L", "Alt_L", "Escape"});
        recording_.join();
        ASSERT_TRUE(report_) << report_.error().message;
        ASSERT_TRUE(recorder_->seal());
        recorder_.reset();
    }

    Rect box_of(const std::string& label) {
        const auto elements = hand_->elements();
        if (!elements) {
            return {};
        }
        const auto found = std::find_if(elements->begin(), elements->end(), [&](const Element& element) { return element.label_utf8 == label && (element.mark > 0 || element.is_secret); });
        return found == elements->end() ? Rect() : found->box;
    }

    /// As a person does: the next thing only once the screen has answered.
    void click_and_see(const std::string& label) {
        const int before = steps_;
        click(*hand_, box_of(label).center());
        ASSERT_TRUE(wait_for([&] { return steps_ > before; })) << label;
    }
    void type(const std::string& text) {
        const auto typed = hand_->type_text(text, {});
        ASSERT_TRUE(typed) << typed.error().message;
        ASSERT_EQ(typed->reason, "");
    }

    [[nodiscard]] bool is_in_a_file(const std::string& text) const {
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

    std::vector<json> actions() {
        std::vector<json> found;
        for (const json& proposed : events_of("action.proposed")) {
            found.push_back(proposed["action"]);
        }
        return found;
    }
    std::vector<json> events_of(const std::string& type) {
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

    CompiledTask compiled() {
        const auto recording = Recording::open(file());
        EXPECT_TRUE(recording) << recording.error().message;
        EXPECT_TRUE(recording->verify_chain());
        EXPECT_TRUE(recording->is_sealed());
        const auto reader = Locator::create({.reader = HANDEYE_BINARY_DIR "/bin/handeye-reader"});
        auto task = compile_task(*recording, {.name = "shown"}, *reader);
        EXPECT_TRUE(task) << task.error().message;
        return task ? *std::move(task) : CompiledTask();
    }

    TaskReport do_again(const CompiledTask& task) {
        auto store = std::make_shared<SecretStore>();
        EXPECT_TRUE(store->add({"password_1", kCanary, {}, true}));
        const auto grants = std::make_shared<SecretGrants>(store);
        EXPECT_TRUE(grants->set({"password_1"}));
        const auto written = write_compiled(task, folder() / "task");
        EXPECT_TRUE(written) << written.error().message;
        auto program = TaskProgram::load(*written, {});
        EXPECT_TRUE(program) << program.error().message << "\n" << task.yaml;
        SecretPlatform platform(open(), grants);
        fakes::ScriptedModel model; // asked nothing
        auto recorder = Recorder::open(folder() / "again.handeye", *make_ulid(clock_.wall_now()));
        SessionOptions options;
        options.secrets = grants;
        auto session = Session::create(options, platform, model, clock_, **recorder);
        EXPECT_TRUE(session) << session.error().message;
        auto report = (*session)->run_program("again", **program, {});
        EXPECT_TRUE(report) << report.error().message;
        return report ? *report : TaskReport();
    }

    std::unique_ptr<Platform> hand_;
    std::unique_ptr<Platform> eyes_;
    std::unique_ptr<Recorder> recorder_;
    DemonstrationOptions options_;
    Result<DemonstrationReport> report_ = DemonstrationReport();
    std::atomic<bool> is_ready_ = false;
    std::atomic<int> steps_ = 0;
    std::stop_source stop_;
    std::thread recording_;
};

TEST_F(Demonstration, IsDoneAgainOnAWindowWithAnotherPlaceFontAndOrder) {
    show_login("13", "40", "30", "straight");
    record();
    click_and_see("Name");
    type("Ada L\u00f6we");
    click_and_see("Agree");
    click_and_see("Password");
    type(kCanary);
    click_and_see("Save");
    end_recording();
    ASSERT_EQ(content(out()), kFilled);
    EXPECT_FALSE(is_in_a_file(kCanary));
    EXPECT_EQ(report_->secrets, std::vector<std::string>{"password_1"});
    EXPECT_TRUE(report_->left_out.empty());
    const std::vector<json> done = actions();
    ASSERT_EQ(done.size(), 6U);
    EXPECT_EQ(done[1]["text"], "Ada L\u00f6we");
    EXPECT_EQ(done[4]["text"], "{{secret:password_1}}");

    const CompiledTask task = compiled();
    EXPECT_NE(task.yaml.find("\"${vars.password_1}\""), std::string::npos) << task.yaml;
    show_login("22", "260", "200", "reversed");
    const TaskReport report = do_again(task);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message << "\n" << task.yaml;
    EXPECT_EQ(content(out()), kFilled);
}

TEST_F(Demonstration, AHurriedPersonsPasswordIsInNoByte) {
    show_login("13", "40", "30", "straight");
    record();
    type("Ada\t" + kCanary + "\n"); // from field to field as fast as the display takes it
    ASSERT_TRUE(wait_for([&] { return content(out()).find(kCanary) != std::string::npos; }));
    end_recording();
    EXPECT_FALSE(is_in_a_file(kCanary));
    const std::vector<json> done = actions();
    ASSERT_EQ(done.size(), 4U);
    EXPECT_EQ(done[1]["keys"], "tab");
    EXPECT_TRUE(done[2]["text"].get<std::string>().starts_with("{{secret:"));
    EXPECT_EQ(done[3]["keys"], "return");
}

TEST_F(Demonstration, ThePictureBeforeIsTheOneThePersonSaw) {
    show_login("13", "40", "30", "straight");
    record();
    const Rect agree = box_of("Agree");
    const Image seen = hand_->capture()->image.cropped(agree);
    click_and_see("Agree");
    const Image ticked = hand_->capture()->image.cropped(agree);
    end_recording();
    const auto recording = Recording::open(file());
    const int step = events_of("action.proposed").back()["step"];
    int compared = 0;
    for (const json& captured : events_of("observation.captured")) {
        if (captured["step"] != step) {
            continue;
        }
        const auto frame = decode_image(*recording->blob(captured["frame"]["sha256"]));
        ASSERT_TRUE(frame) << frame.error().message;
        const Image mine = frame->cropped(agree);
        const Image want = captured["when"] == "before" ? seen : ticked;
        EXPECT_TRUE(*encode_png(mine, 1) == *encode_png(want, 1)) << captured["when"];
        ++compared;
    }
    EXPECT_EQ(compared, 2);
    EXPECT_FALSE(*encode_png(seen, 1) == *encode_png(ticked, 1));
    EXPECT_EQ(events_of("action.executed").back()["points"][0]["element"]["label"], "Agree");
}

TEST_F(Demonstration, EveryKindOfActionIsRecorded) {
    show_login("13", "40", "30", "straight");
    record();
    const Point name = box_of("Name").center();
    const auto button = [&](MouseButton which, Edge edge) { ASSERT_TRUE(hand_->inject(PointerButton{which, edge})); };
    const auto wait_for_step = [&](int before) { ASSERT_TRUE(wait_for([&] { return steps_ > before; })); };
    int before = steps_;
    click(*hand_, name);
    click(*hand_, name);
    wait_for_step(before);
    before = steps_;
    ASSERT_TRUE(hand_->inject(PointerMove{{700, 500}})); // the bare screen
    button(MouseButton::Middle, Edge::Press);
    button(MouseButton::Middle, Edge::Release);
    wait_for_step(before);
    before = steps_;
    ASSERT_TRUE(hand_->inject(PointerMove{{name.x - 40, name.y}}));
    button(MouseButton::Left, Edge::Press);
    ASSERT_TRUE(hand_->inject(PointerMove{{name.x + 40, name.y}}));
    button(MouseButton::Left, Edge::Release);
    wait_for_step(before);
    before = steps_;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(hand_->inject(Wheel{0, 1}));
    }
    wait_for_step(before);
    before = steps_;
    press_chord(*hand_, {"Control_L", "Shift_L", "s"});
    wait_for_step(before);
    end_recording();
    std::vector<std::string> verbs;
    for (const json& action : actions()) {
        verbs.push_back(action["verb"]);
    }
    EXPECT_EQ(verbs, (std::vector<std::string>{"double_click", "middle_click", "drag", "scroll", "key"}));
    EXPECT_EQ(actions().back()["keys"], "ctrl+shift+s");
    EXPECT_EQ(actions()[3]["amount"], 3);
}

TEST_F(Demonstration, WhatHappensInTheOwnTerminalIsLeftOut) {
    show_login("13", "40", "30", "straight");
    options_.is_own_window = [](const WindowInfo& window) { return window.title_utf8 == "handeye login"; };
    record();
    type("handeye record");
    click(*hand_, box_of("Agree").center());
    ASSERT_TRUE(wait_for([&] { return content(out()).find("agree=1") != std::string::npos; }));
    ASSERT_TRUE(hand_->inject(PointerMove{{700, 500}})); // the bare screen
    ASSERT_TRUE(hand_->inject(PointerButton{MouseButton::Middle, Edge::Press}));
    ASSERT_TRUE(hand_->inject(PointerButton{MouseButton::Middle, Edge::Release}));
    ASSERT_TRUE(wait_for([&] { return steps_ == 1; }));
    end_recording();
    ASSERT_EQ(actions().size(), 1U);
    EXPECT_EQ(actions()[0]["verb"], "middle_click");
}

TEST_F(Demonstration, TheTerminalThatRunsTheCommandIsKnownAndEndsIt) {
    start_app("xterm", {"-geometry", "60x8+0+0", "-title", "handeye terminal", "-e", "sh", "-c",
                        fmt::format("'{}/bin/handeye' record -o '{}' 2> '{}/told' > '{}/summary'", HANDEYE_BINARY_DIR, file().string(), folder().string(),
                                    folder().string())});
    start_app("login_app", {out().string(), "13", "300", "300", "straight"}, Accessible::Yes);
    hand_ = open();
    const Point terminal = wait_for_window(*hand_, "handeye terminal").area.center();
    ASSERT_TRUE(wait_for([&] { return content(folder() / "told").find("Ctrl-C here") != std::string::npos && !box_of("Agree").size().is_empty(); })) << content(folder() / "told");
    click(*hand_, terminal);
    type("hello");
    click(*hand_, box_of("Agree").center());
    ASSERT_TRUE(wait_for([&] { return content(folder() / "told").find("   1  left_click") != std::string::npos; })) << content(folder() / "told");
    click(*hand_, terminal);
    press_chord(*hand_, {"Control_L", "c"});
    ASSERT_TRUE(wait_for([&] { return content(folder() / "summary").find("1 step\n") != std::string::npos; })) << content(folder() / "told");
    EXPECT_TRUE(Recording::open(file())->is_sealed());
    ASSERT_EQ(actions().size(), 1U) << content(folder() / "told");
    EXPECT_EQ(events_of("action.executed")[0]["points"][0]["element"]["label"], "Agree");
}

TEST_F(Demonstration, ATerminalTellsNothingSoItsTextIsASecretUnlessAskedFor) {
    for (const auto unknown : {DemonstrationOptions::UnknownText::IsSecret, DemonstrationOptions::UnknownText::IsPlain}) {
        std::filesystem::remove(file());
        apps_.clear();
        start_app("xterm", {"-title", "handeye terminal", "-e", "cat"});
        hand_ = open();
        wait_for_window(*hand_, "handeye terminal");
        ASSERT_TRUE(wait_for([&] { return hand_->focused_window() && hand_->focused_window()->title_utf8 == "handeye terminal"; }));
        steps_ = 0;
        record(unknown);
        type(kCanary);
        end_recording();
        const bool is_secret = unknown == DemonstrationOptions::UnknownText::IsSecret;
        ASSERT_FALSE(actions().empty());
        EXPECT_EQ(actions().back()["text"], is_secret ? "{{secret:text_1}}" : kCanary);
        EXPECT_EQ(report_->secrets.size(), is_secret ? 1U : 0U);
    }
}

// A terminal that asks for a password opens over the form, and takes the keyboard in the middle of a name.
TEST_F(Demonstration, AWindowThatTakesTheKeyboardMeanwhileIsNoPartOfTheField) {
    show_login("13", "40", "30", "straight");
    record();
    type("user");
    start_app("xterm", {"-title", "handeye terminal", "-geometry", "60x20+40+30", "-e", "cat"});
    ASSERT_TRUE(wait_for([&] { return hand_->focused_window() && hand_->focused_window()->title_utf8 == "handeye terminal"; }));
    type(kCanary);
    end_recording();
    EXPECT_FALSE(is_in_a_file(kCanary));
    const std::vector<json> done = actions();
    ASSERT_EQ(done.size(), 2U);
    EXPECT_EQ(done[0]["text"], "user");
    EXPECT_TRUE(done[1]["text"].get<std::string>().starts_with("{{secret:"));
}

/// Another desktop's looks, for programs that start from here on.
class ForeignLooks {
public:
    explicit ForeignLooks(const std::filesystem::path& folder) {
        for (const char* const version : {"gtk-3.0", "gtk-4.0"}) {
            std::filesystem::create_directories(folder / version);
            std::ofstream(folder / version / "settings.ini") << "[Settings]\ngtk-font-name=DejaVu Sans 15\n";
        }
        ::setenv("XDG_CONFIG_HOME", folder.c_str(), 1);
        ::setenv("GTK_THEME", "Adwaita:dark", 1);
    }
    ~ForeignLooks() {
        ::unsetenv("GTK_THEME");
        ::unsetenv("XDG_CONFIG_HOME");
    }
    ForeignLooks(const ForeignLooks&) = delete;
    ForeignLooks& operator=(const ForeignLooks&) = delete;
};

class DemonstrationOfReal : public Demonstration {
protected:
    void show(const std::string& program, const std::vector<std::string>& arguments, const std::string& title, const std::string& button) {
        apps_.clear();
        start_app(program, arguments, Accessible::Yes);
        hand_ = open();
        window_ = wait_for_window(*hand_, title).id;
        ASSERT_TRUE(wait_for([&] { return !box_of(button).size().is_empty(); })) << button;
        button_ = box_of(button);
        ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(250)}, {}));
    }
    void move_window(Point to) {
        auto other = Connection::open(display_->address());
        ASSERT_TRUE(other);
        XMoveWindow((*other)->get(), window_, to.x, to.y);
        ASSERT_TRUE((*other)->sync("test"));
        ASSERT_TRUE(hand_->settle({.quiet = std::chrono::milliseconds(250)}, {}));
    }
    void wait_and_click(const std::string& label) {
        ASSERT_TRUE(wait_for([&] { return !box_of(label).size().is_empty(); })) << label;
        click_and_see(label);
    }

    std::uint64_t window_ = 0;
    Rect button_; ///< where it was at first
};

TEST_F(DemonstrationOfReal, MousepadWritesTheSameFileInTheDarkWithALargerFont) {
    const std::filesystem::path text = folder() / "letter.txt";
    std::ofstream(text) << "Old words.";
    show("mousepad", {"--disable-server", text.string()}, "Mousepad", "Edit");
    record();
    wait_and_click("Edit");
    wait_and_click("Select All");
    type("Gr\u00fc\u00dfe, 12 \u20ac");
    press_chord(*hand_, {"Control_L", "s"});
    ASSERT_TRUE(wait_for([&] { return content(text).starts_with("Gr\u00fc\u00dfe, 12 \u20ac"); })) << content(text);
    end_recording();
    const std::string written = content(text);
    const CompiledTask task = compiled();
    const Rect edit = button_;

    std::ofstream(text) << "Other words, and more of them.";
    const ForeignLooks dark(folder() / "config");
    show("mousepad", {"--disable-server", text.string()}, "Mousepad", "Edit");
    move_window({130, 90});
    EXPECT_GT(button_.width_px, edit.width_px); // the looks took effect
    const TaskReport report = do_again(task);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message << "\n" << task.yaml;
    EXPECT_EQ(content(text), written);
}

TEST_F(DemonstrationOfReal, ACalculatorsResultIsTheSameInTheDarkWithALargerFont) {
    if (std::getenv("HANDEYE_FULL") == nullptr) {
        GTEST_SKIP() << "in the full count";
    }
    const auto shows = [&](const std::string& value) {
        const auto elements = hand_->elements();
        return elements && std::any_of(elements->begin(), elements->end(), [&](const Element& e) { return e.role == "text" && e.value_utf8 == value; });
    };
    show("gnome-calculator", {}, "Calculator", "7");
    record();
    for (const char* const button : {"7", "\u00d7", "8", "="}) {
        wait_and_click(button);
    }
    ASSERT_TRUE(wait_for([&] { return shows("56"); }));
    end_recording();
    const CompiledTask task = compiled();

    const ForeignLooks dark(folder() / "config");
    show("gnome-calculator", {}, "Calculator", "7");
    move_window({200, 60});
    EXPECT_FALSE(shows("56"));
    const TaskReport report = do_again(task);
    EXPECT_EQ(report.outcome, TaskOutcome::Done) << report.message << "\n" << task.yaml;
    EXPECT_TRUE(wait_for([&] { return shows("56"); }));
}

} // namespace
} // namespace handeye::x11
