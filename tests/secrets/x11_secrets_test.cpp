// SPDX-License-Identifier: Apache-2.0
// A canary typed by reference into real programs on a real display: it arrives exactly, and is found nowhere else.
#include "agent/recorder.h"
#include "agent/report.h"
#include "agent/secret_platform.h"
#include "agent/session.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "base/log.h"
#include "tests/fakes/scripted_model.h"
#include "tests/platforms/x11_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::x11 {
namespace {

const std::string kCanary = "ZEBRA47CANARY";

std::string say(const std::string& call) { return "<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>"; }

/// What chromium's page tells of its field: a checksum, because a title is no place for a password.
std::string checksum(const std::string& text) {
    std::uint32_t sum = 0;
    for (const char c : text) {
        sum = (sum * 31 + static_cast<unsigned char>(c)) % 1'000'003;
    }
    return std::to_string(sum);
}

bool is_installed(const std::string& program) { return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0; }

class X11Secrets : public X11Test {
protected:
    struct App {
        std::string title;
        std::string program;
        std::vector<std::string> arguments;
        bool ends_with_return = false;                        ///< the program tells what it got after Return
        std::function<bool(Platform&)> has_canary = nullptr;  ///< empty: file() holds it
        bool is_readable = false;                             ///< on the screen
    };

    X11Secrets() {
        auto store = std::make_shared<SecretStore>();
        EXPECT_TRUE(store->add({"canary", kCanary, {{.titles = {"handeye*"}}}, false}));
        store_ = store;
        grants_ = std::make_shared<SecretGrants>(store);
        EXPECT_TRUE(grants_->set({"canary"}));
    }
    [[nodiscard]] std::filesystem::path file() const { return folder() / "got"; }
    [[nodiscard]] std::filesystem::path recording() const { return folder() / "recording.handeye"; }

    App entry(bool is_hidden) const {
        return {"handeye entry", "entry_app", {file().string(), is_hidden ? "hidden" : "shown"}, false, nullptr, !is_hidden};
    }
    App terminal() const {
        return {"handeye terminal", "xterm", {"-title", "handeye terminal", "-e", "bash", "-c",
                fmt::format("read -rs x; printf %s \"$x\" > {}", file().string())}, true, nullptr, false};
    }
    App dialog() const {
        return {"handeye dialog", "sh", {"-c", fmt::format("zenity --password '--title=handeye dialog' > {0}.new; tr -d '\\n' < {0}.new > {0}", file().string())}, true, nullptr, false};
    }
    App page() const {
        std::ofstream(folder() / "page.html") << "<title>handeye page</title><input type=password autofocus style='width:90%;font-size:40px' oninput=\""
            "let s=0;for(const c of this.value)s=(s*31+c.charCodeAt(0))%1000003;document.title='handeye page '+s\">";
        return {"handeye page", "chromium", {"--no-sandbox", "--no-first-run", "--disable-gpu", "--user-data-dir=" + (folder() / "profile").string(),
                "--app=file://" + (folder() / "page.html").string()}, false,
                [](Platform& platform) {
                    const auto windows = platform.windows();
                    return windows && std::any_of(windows->begin(), windows->end(), [](const WindowInfo& window) {
                        return window.title_utf8.find(" " + checksum(kCanary)) != std::string::npos;
                    });
                }, false};
    }

    void expect_secret_everywhere_but_in(const App& app) {
        start_display(true, {800, 600});
        ASSERT_TRUE(log::set_file(folder() / "log"));
        log::set_level(log::Level::Debug);
        start_app(app.program, app.arguments);
        SecretPlatform platform(open(), grants_);
        const WindowInfo window = wait_for_window(platform, app.title);
        run_task(app, platform, window);
        const bool has_arrived = wait_for([&] { return app.has_canary ? app.has_canary(platform) : content(file()) == kCanary; });
        ASSERT_TRUE(has_arrived) << app.title << ": " << content(file());
        expect_nothing_written();
        if (!app.ends_with_return) { // those windows are gone
            expect_covered(app);
        }
        log::set_level(log::Level::Warn);
        ASSERT_TRUE(log::set_file({}));
    }

    void run_task(const App& app, SecretPlatform& platform, const WindowInfo& window) {
        const auto size = platform.display()->size;
        const auto thousandth = [](int at, int whole) { return at * 1000 / whole; };
        ASSERT_TRUE(wait_for([&] { return platform.settle({}, {})->is_quiet; }));
        before_ = open()->capture()->image;
        window_ = window.area;
        fakes::ScriptedModel model;
        if (app.program == "entry_app") { // the others have put the focus where it belongs themselves
            model.add(say(fmt::format("left_click(start_box='[{},{}]', element_info='Password')", thousandth(window.area.center().x, size.width_px),
                                      thousandth(window.area.center().y, size.height_px))));
        } else {
            ASSERT_TRUE(wait_for([&] { return platform.focused_window() && platform.focused_window()->title_utf8.find(app.title) == 0; }));
        }
        model.add(say("type(content='{{secret:canary}}')"));
        if (app.ends_with_return) {
            model.add(say("key(keys='enter')"));
        }
        model.add(say("DONE()"));
        SessionOptions options{.session_id = "01TEST"};
        options.secrets = grants_;
        options.redactor = std::make_shared<Redactor>(*store_);
        auto recorder = Recorder::open(recording(), "01TEST");
        ASSERT_TRUE(recorder) << recorder.error().message;
        auto session = Session::create(options, platform, model, clock_, **recorder);
        ASSERT_TRUE(session) << session.error().message;
        const auto report = (*session)->run_task("Log in.", {});
        ASSERT_TRUE(report) << report.error().message;
        log::info("test", "typed " + std::string(task_outcome_name(report->outcome)));
        std::string prompts;
        for (const ChatRequest& request : model.requests()) {
            for (const Message& message : request.messages) {
                for (const Part& part : message.parts) {
                    prompts += std::holds_alternative<TextPart>(part) ? std::get<TextPart>(part).text_utf8 : "";
                }
            }
        }
        EXPECT_EQ(prompts.find(kCanary), std::string::npos);
        EXPECT_NE(prompts.find("{{secret:canary}}"), std::string::npos) << "the model is told the name";
    }

    /// Every byte of every file that was written: the recording while it is open (its log beside it), the report, the log.
    void expect_nothing_written(const std::string& secret = kCanary) {
        const auto opened = Recording::open(recording());
        ASSERT_TRUE(opened) << opened.error().message;
        const auto html = render_report_html(*opened);
        ASSERT_TRUE(html) << html.error().message;
        ASSERT_TRUE(write_file_atomic(folder() / "report.html", *html));
        int files = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder())) {
            const std::string name = entry.path().filename().string();
            if (entry.is_regular_file() && !name.starts_with("got")) {
                ++files;
                EXPECT_EQ(content(entry.path()).find(secret), std::string::npos) << name;
            }
        }
        EXPECT_GE(files, 3);
    }

    /// Wherever typing changed the screen, the recorded picture is of one colour; nobody reads the secret there.
    void expect_covered(const App& app) {
        const auto after = open()->capture();
        ASSERT_TRUE(after);
        const Image recorded = last_frame();
        ASSERT_EQ(recorded.size(), after->image.size());
        int changed = 0, open_to_all = 0;
        for (int y = 0; y < recorded.size().height_px; ++y) {
            for (int x = 0; x < recorded.size().width_px; ++x) {
                if (!window_.contains({x, y}) || std::ranges::equal(pixel(before_, x, y), pixel(after->image, x, y))) {
                    continue;
                }
                ++changed;
                open_to_all += std::ranges::all_of(pixel(recorded, x, y), [](std::uint8_t shade) { return shade == 0x60; }) ? 0 : 1;
            }
        }
        EXPECT_LE(open_to_all, kCaretPixelsMax) << "of " << changed;
        EXPECT_GE(changed, app.is_readable ? 300 : 0);
        if (app.is_readable && is_installed("tesseract") && std::getenv("HANDEYE_FULL") != nullptr) {
            EXPECT_NE(read_text(after->image).find("ZEBRA"), std::string::npos) << "else the next lines prove nothing";
            const std::string read = read_text(recorded);
            EXPECT_EQ(read.find("ZEBRA"), std::string::npos) << read;
            EXPECT_EQ(read.find("CANARY"), std::string::npos) << read;
        }
    }

    static std::span<const std::uint8_t> pixel(const Image& image, int x, int y) {
        return image.row(y).subspan(static_cast<std::size_t>(x) * static_cast<std::size_t>(bytes_per_pixel(image.format())), 3);
    }

    Image last_frame() { return frames("after").back(); }

    std::vector<Image> frames(std::string_view when) {
        const auto read = Recording::open(recording());
        const auto events = read->events(1, 1000);
        std::vector<Image> all;
        for (const StoredEvent& event : *events) {
            const auto data = nlohmann::json::parse(event.data_json);
            if (event.type == "observation.captured" && data["when"] == when && data["frame"].is_object()) {
                all.push_back(decode_image(*read->blob(data["frame"]["sha256"].get<std::string>())).value_or(Image()));
            }
        }
        return all;
    }

    static std::optional<Rect> password_box(Platform& platform) {
        const auto elements = platform.elements();
        const auto found = elements ? std::ranges::find(*elements, true, &Element::is_secret) : std::vector<Element>::const_iterator();
        return elements && found != elements->end() ? std::optional(found->box) : std::nullopt;
    }

    static bool is_painted_over(const Image& image, const Rect& box) {
        for (int y = box.y; y < box.y + box.height_px; ++y) {
            for (int x = box.x; x < box.x + box.width_px; ++x) {
                if (!std::ranges::all_of(pixel(image, x, y), [](std::uint8_t shade) { return shade == 0x60; })) {
                    return false;
                }
            }
        }
        return true;
    }

    void run_model(Platform& platform, std::initializer_list<std::string> calls) {
        fakes::ScriptedModel model;
        for (const std::string& call : calls) {
            model.add(say(call));
        }
        SessionOptions options{.session_id = "01TEST"};
        options.redactor = std::make_shared<Redactor>(*store_);
        auto recorder = Recorder::open(recording(), "01TEST");
        ASSERT_TRUE(recorder) << recorder.error().message;
        auto session = Session::create(options, platform, model, clock_, **recorder);
        ASSERT_TRUE(session) << session.error().message;
        const auto report = (*session)->run_task("Log in.", {});
        ASSERT_TRUE(report) << report.error().message;
    }

    std::string read_text(const Image& image) {
        const auto large = scaled(image.to_rgb(), {image.size().width_px * 3, image.size().height_px * 3});
        const auto png = encode_png(*large);
        std::ofstream(folder() / "got.png", std::ios::binary).write(reinterpret_cast<const char*>(png->data()), static_cast<std::streamsize>(png->size()));
        const std::string command = fmt::format("tesseract {0}/got.png {0}/got-ocr --psm 11 >/dev/null 2>&1", folder().string());
        EXPECT_EQ(std::system(command.c_str()), 0);
        return content(folder() / "got-ocr.txt");
    }

    static constexpr int kCaretPixelsMax = 100;
    Rect window_;
    Image before_; // the bare screen before anything was typed
    std::shared_ptr<const SecretStore> store_;
    std::shared_ptr<SecretGrants> grants_;
};

TEST_F(X11Secrets, AReadableFieldGetsItAndNothingElseDoes) { expect_secret_everywhere_but_in(entry(false)); }

TEST_F(X11Secrets, ATerminalGetsItAndNothingElseDoes) { expect_secret_everywhere_but_in(terminal()); }

TEST_F(X11Secrets, APasswordFieldGetsItAndNothingElseDoes) {
    if (std::getenv("HANDEYE_FULL") == nullptr) {
        GTEST_SKIP() << "in the full count";
    }
    expect_secret_everywhere_but_in(entry(true));
}

TEST_F(X11Secrets, AZenityDialogGetsItAndNothingElseDoes) {
    if (std::getenv("HANDEYE_FULL") == nullptr || !is_installed("zenity")) {
        GTEST_SKIP() << "in the full count, where zenity is installed";
    }
    expect_secret_everywhere_but_in(dialog());
}

TEST_F(X11Secrets, APasswordFieldOfAPageGetsItAndNothingElseDoes) {
    if (std::getenv("HANDEYE_FULL") == nullptr || !is_installed("chromium")) {
        GTEST_SKIP() << "in the full count, where chromium is installed";
    }
    expect_secret_everywhere_but_in(page());
}

TEST_F(X11Secrets, APasswordDialogOfAnotherProgramIsKnown) { // by AT-SPI: nobody clicks, the dialog has the focus by itself
    start_display(true, {800, 600});
    ASSERT_TRUE(log::set_file(folder() / "log"));
    start_app("zenity", {"--password", "--title=handeye dialog"}, Accessible::Yes);
    SecretPlatform platform(open(), grants_);
    std::optional<Rect> box;
    ASSERT_TRUE(wait_for([&] { return (box = password_box(platform)).has_value(); }));
    ASSERT_TRUE(wait_for([&] { return platform.focused_window() && platform.focused_window()->title_utf8 == "handeye dialog"; }));
    ASSERT_TRUE(wait_for([&] { return platform.settle({}, {})->is_quiet; }));
    const Image empty = open()->capture()->image.cropped(*box);
    ASSERT_TRUE(open()->type_text("hunter2hunter", {})); // a person
    ASSERT_TRUE(wait_for([&] { return open()->capture()->image.cropped(*box).content_hash() != empty.content_hash(); })) << "else the next lines prove nothing";
    run_model(platform, {"type(content='swordfish88')", "DONE()"});
    for (const char* when : {"before", "after"}) {
        const std::vector<Image> recorded = frames(when);
        EXPECT_FALSE(recorded.empty()) << when;
        for (const Image& frame : recorded) {
            EXPECT_TRUE(is_painted_over(frame, *box)) << when;
        }
    }
    expect_nothing_written("swordfish88");
    expect_nothing_written("hunter2hunter");
    ASSERT_TRUE(log::set_file({}));
}

TEST_F(X11Secrets, AWindowThatNoRuleNamesGetsNothing) {
    start_display(true, {800, 600});
    start_app("xterm", {"-title", "another window", "-e", "bash", "-c", fmt::format("touch {0}.ready; read -rs x; printf %s \"$x\" > {0}", file().string())});
    SecretPlatform platform(open(), grants_);
    wait_for_window(platform, "another window");
    ASSERT_TRUE(wait_for([&] { return platform.focused_window() && platform.focused_window()->title_utf8 == "another window"; }));
    const auto typed = platform.type_text("{{secret:canary}}\n", {});
    ASSERT_FALSE(typed);
    EXPECT_EQ(typed.error().code, ErrorCode::PermissionDenied);
    EXPECT_NE(typed.error().message.find("\"canary\""), std::string::npos);
    ASSERT_TRUE(platform.type_text("\n", {}));
    ASSERT_TRUE(wait_for([&] { return content(file()).empty(); })) << "Return alone has arrived";
}

} // namespace
} // namespace handeye::x11
