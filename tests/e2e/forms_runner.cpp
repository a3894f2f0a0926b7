// SPDX-License-Identifier: Apache-2.0
// Runs one form task: display, application, session, comparison.
#include "tests/e2e/forms_runner.h"

#include "agent/recorder.h"
#include "agent/session.h"
#include "base/file.h"
#include "base/json.h"
#include "platforms/guarded_child.h"
#include "platforms/open_platform.h"
#include "platforms/web/platform.h"
#include "platforms/x11/connection.h"
#include "platforms/x11/desktop_settings.h"
#include "platforms/x11/launch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace handeye::e2e {
namespace {

using nlohmann::json;

constexpr int kActionsMax = 14;   // as the card's table counts; one more step says DONE
constexpr int kNewTokensMax = 96; // likewise
constexpr JsonLimits kFileLimits{.bytes_max = 16U << 20U};

/// A folder that goes away with it.
class TempDir {
public:
    TempDir() {
        std::string name =
            (std::filesystem::temp_directory_path() / "handeye-forms-XXXXXX").string();
        path_ = mkdtemp(name.data()) != nullptr ? name : "";
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The real platform; captures show a picture that is not there.
class SubstitutedFrames final : public Platform {
public:
    SubstitutedFrames(Platform& real, Image picture) : real_(real), picture_(std::move(picture)) {}

    Result<Screenshot> capture() override {
        Screenshot shot = TRY(real_.capture());
        shot.image = picture_;
        return shot;
    }
    Result<DisplayInfo> display() override { return real_.display(); }
    Result<std::vector<Element>> elements() override { return real_.elements(); }
    Result<std::vector<WindowInfo>> windows() override { return real_.windows(); }
    Result<std::optional<Point>> pointer() override { return real_.pointer(); }
    Result<void> inject(const InputEvent& event) override { return real_.inject(event); }
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override {
        return real_.type_text(text_utf8, std::move(stop));
    }
    Result<void> perform(const Command& command) override { return real_.perform(command); }
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override {
        return real_.settle(options, std::move(stop));
    }
    Result<void> release_all() override { return real_.release_all(); }

private:
    Platform& real_;
    Image picture_;
};

/// A display of the task's size with the application on it.
struct Stage {
    TempDir dir;
    std::unique_ptr<GuardedChild> server;  // of a surface that is not the platform's own
    std::unique_ptr<x11::DesktopSettings> settings;
    std::unique_ptr<GuardedChild> window_manager;
    std::unique_ptr<GuardedChild> program;
    std::unique_ptr<Platform> platform;
    web::WebPlatform* page = nullptr; // the platform, where it is a browser
    [[nodiscard]] std::filesystem::path out() const { return dir.path() / "out.json"; }
    /// What was done to the form so far, as itself tells it.
    [[nodiscard]] Result<json> outcome() const {
        if (page == nullptr) {
            return read_json(out());
        }
        const web::Tab tab = TRY(page->browser().front());
        const json told = TRY(page->evaluate(tab.session, {}, "document.documentElement.dataset.outcome ?? ''"));
        return told.is_string() ? parse_json(told.get<std::string>()) : Error{ErrorCode::ParseFailed, "the page tells no outcome"};
    }
};

/// The same as on a headless display: the pictures of the training have its title bars.
constexpr std::string_view kOpenboxConfig = R"(<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew></focus>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <theme><name>Clearlooks</name><titleLayout>NLIMC</titleLayout><animateIconify>no</animateIconify></theme>
  <desktops><number>1</number></desktops>
  <mouse>
    <context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context>
  </mouse>
  <menu/>
</openbox_config>
)";

Result<void> start_window_manager(Stage& stage, const Environment& environment, const x11::DisplayAddress& display, Clock& clock) {
    const std::filesystem::path config = stage.dir.path() / "openbox.xml";
    TRY(write_file_atomic(config, kOpenboxConfig));
    const std::string program = TRY(find_program("openbox"));
    stage.window_manager = TRY(GuardedChild::start({program, "--config-file", config.string(), "--sm-disable"}, merged_environment(environment), -1));
    const auto connection = TRY(x11::Connection::open(display));
    const TimePoint deadline = clock.now() + std::chrono::seconds(30);
    for (;;) {
        Atom type = 0;
        int bits = 0;
        unsigned long count = 0, rest = 0;
        unsigned char* value = nullptr;
        XGetWindowProperty(connection->get(), connection->root(), connection->atom("_NET_SUPPORTING_WM_CHECK"), 0, 1, 0, AnyPropertyType, &type, &bits, &count, &rest, &value);
        if (value != nullptr) {
            XFree(value);
            return {};
        }
        if (clock.now() > deadline) {
            return Error{ErrorCode::DeadlineExceeded, "openbox did not come up within 30 s"};
        }
        clock.sleep_for(std::chrono::milliseconds(20), {});
    }
}

/// TigerVNC with a window manager and the application on it.
Result<void> start_vnc(Stage& stage, Size size, const std::vector<std::string>& command, Clock& clock) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return Error{ErrorCode::IoFailed, "no pipe for Xvnc"};
    }
    const FileDescriptor ours(ends[0]);
    FileDescriptor theirs(ends[1]);
    const std::string server = TRY(find_program("Xvnc").with_context("package tigervnc-standalone-server"));
    const std::string geometry = std::to_string(size.width_px) + "x" + std::to_string(size.height_px);
    stage.server = TRY(GuardedChild::start({server, "-displayfd", std::to_string(theirs.get()), "-geometry", geometry, "-depth", "24", "-dpi", "96", "-localhost",
                                                 "-nolisten", "tcp", "-SecurityTypes", "None"},
                                                merged_environment({}), theirs.get()));
    theirs = FileDescriptor();
    std::string number;
    for (char c = 0; ::read(ours.get(), &c, 1) == 1 && c != '\n';) {
        number += c;
    }
    if (number.empty()) {
        return Error{ErrorCode::Unavailable, "Xvnc ended at once"};
    }
    const Environment on_it{{"DISPLAY", ":" + number}, {"XAUTHORITY", (stage.dir.path() / "none").string()}, {"NO_AT_BRIDGE", "1"}, {"GDK_BACKEND", "x11"}};
    stage.settings = TRY(x11::DesktopSettings::announce({":" + number, {}}));
    TRY(start_window_manager(stage, on_it, {":" + number, {}}, clock));
    stage.program = TRY(GuardedChild::start(command, merged_environment(on_it), -1));
    PlatformOptions options{.platform = "vnc"};
    options.attach = "127.0.0.1::" + std::to_string(5900 + std::stoi(number));
    stage.platform = TRY(open_platform(options, clock));
    return {};
}

/// The task stands behind the # of the address, percent-encoded.
std::string page_address(const FormTask& task) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string address = "file://" HANDEYE_FORM_PAGE "#";
    for (const char c : task.spec_json) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0) {
            address += c;
        } else {
            address += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    return address;
}

Result<void> start_web(Stage& stage, const FormTask& task, Clock& clock) {
    PlatformOptions options{.platform = "web", .headless = task.size};
    options.web.url = page_address(task);
    options.web.downloads = stage.dir.path() / "downloads";
    stage.platform = TRY(open_platform(options, clock));
    stage.page = dynamic_cast<web::WebPlatform*>(stage.platform.get());
    if (stage.page == nullptr) {
        return Error{ErrorCode::Internal, "the platform web is none"};
    }
    return {};
}

Result<void> set_up(Stage& stage, const FormTask& task, const FormRun& run, Clock& clock) {
    const std::filesystem::path spec = stage.dir.path() / "spec.json";
    TRY(write_file_atomic(spec, task.spec_json));
    const std::vector<std::string> command{run.app.string(), spec.string(), stage.out().string()};
    if (run.surface == Surface::Vnc) {
        TRY(start_vnc(stage, task.size, command, clock));
    } else if (run.surface == Surface::Web) {
        TRY(start_web(stage, task, clock));
    } else {
        stage.platform = TRY(open_platform({.headless = task.size}, clock));
        TRY(stage.platform->perform(LaunchApp{command}));
    }
    const TimePoint deadline = clock.now() + std::chrono::seconds(30);
    // The application writes its file once its window is shown, the page its outcome once it is built; the picture is then at rest
    // within a few frames.
    while (!stage.outcome()) {
        if (clock.now() > deadline) {
            return Error{ErrorCode::DeadlineExceeded,
                         "the form of " + task.id + " did not come up within 30 s"};
        }
        clock.sleep_for(std::chrono::milliseconds(20), {});
    }
    if (run.surface == Surface::Vnc) { // the server paints its cursor into the picture until the pointer is ours
        TRY(stage.platform->inject(PointerMove{{task.size.width_px - 1, task.size.height_px - 1}}));
    }
    TRY(stage.platform->settle(
        {.quiet = std::chrono::milliseconds(300), .deadline = std::chrono::seconds(5)}, {}));
    return {};
}

Result<Image> first_frame(const FormTask& task, const FormRun& run, Clock& clock) {
    Stage stage;
    TRY(set_up(stage, task, run, clock));
    return TRY(stage.platform->capture()).image;
}

Result<Image> white_picture(Size size) {
    const auto bytes = static_cast<std::size_t>(size.area()) * 3;
    return Image::from_pixels(size, PixelFormat::Rgb, std::vector<std::uint8_t>(bytes, 255));
}

std::string first_difference(const json& want, const json& got, TaskOutcome outcome) {
    for (const auto& [part, word] :
         {std::pair{"fields", "field"}, {"checks", "check"}, {"clicked", "button"}}) {
        if (want.value(part, json()) != got.value(part, json())) {
            return word;
        }
    }
    return outcome == TaskOutcome::Done ? "ok" : "end";
}

SessionOptions session_options(const FormRun& run) {
    SessionOptions options;
    options.budget.steps_max = kActionsMax + 1;
    options.max_new_tokens = kNewTokensMax;
    options.thinking_budget = run.thinking_budget;
    options.zoom_below = run.zoom_below;
    return options;
}

} // namespace

Result<std::vector<FormTask>> read_form_tasks(const std::filesystem::path& path) {
    const json list = TRY(read_json(path, kFileLimits));
    std::vector<FormTask> tasks;
    try {
        for (const json& task : list) {
            const json size = task.value("size", json::array({336, 224}));
            std::string layout;
            for (const json& widget : task.at("widgets")) {
                layout += widget.at(0).get<std::string>() + ' ';
            }
            tasks.push_back({.id = task.at("id").get<std::string>(),
                             .goal = task.at("task").get<std::string>(),
                             .spec_json = dump_json(task),
                             .want_json = dump_json(task.at("want")),
                             .size = {size.at(0).get<int>(), size.at(1).get<int>()},
                             .layout = std::move(layout)});
        }
    } catch (const json::exception& problem) {
        return Error{ErrorCode::ParseFailed, path.string() + ": " + problem.what()};
    }
    return tasks;
}

Result<std::vector<std::string>> read_passed_ids(const std::filesystem::path& path) {
    const json file = TRY(read_json(path, kFileLimits));
    std::vector<std::string> ids;
    try {
        for (const json& result : file.at("tasks")) {
            if (result.at("ok").get<bool>()) {
                ids.push_back(result.at("id").get<std::string>());
            }
        }
    } catch (const json::exception& problem) {
        return Error{ErrorCode::ParseFailed, path.string() + ": " + problem.what()};
    }
    return ids;
}

const FormTask& swap_partner(const std::vector<FormTask>& tasks, std::size_t index) {
    std::size_t other = index;
    do {
        other = (other + 1) % tasks.size();
    } while (tasks[other].layout == tasks[index].layout);
    return tasks[other];
}

Result<FormResult> run_form_task(const FormTask& task, const FormTask& other, ChatModel& model,
                                 Clock& clock, const FormRun& run) {
    Image substitute;
    if (run.frames == Frames::Blank) {
        substitute = TRY(white_picture(task.size));
    } else if (run.frames == Frames::Swapped) {
        substitute = TRY(first_frame(other, run, clock));
    }
    Stage stage;
    TRY(set_up(stage, task, run, clock));
    SubstitutedFrames substituted(*stage.platform, substitute);
    Platform& platform = run.frames == Frames::Real ? *stage.platform : substituted;

    const std::filesystem::path folder =
        run.recordings_dir.empty() ? stage.dir.path() : run.recordings_dir;
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    const std::filesystem::path recording = folder / (task.id + ".handeye");
    std::filesystem::remove(recording, ignored);
    const std::unique_ptr<Recorder> recorder = TRY(Recorder::open(recording, task.id));
    const TimePoint begin = clock.now();
    const std::unique_ptr<Session> session =
        TRY(Session::create(session_options(run), platform, model, clock, *recorder));
    const TaskReport report = TRY(session->run_task(task.goal, {}));
    TRY(recorder->seal());

    const json got = TRY(stage.outcome());
    const json want = TRY(parse_json(task.want_json));
    FormResult result{.id = task.id,
                      .kind = first_difference(want, got, report.outcome),
                      .got_json = dump_json(got)};
    result.is_right = result.kind == "ok";
    result.outcome = std::string(task_outcome_name(report.outcome));
    result.steps = report.steps;
    result.wall = clock.now() - begin;
    return result;
}

} // namespace handeye::e2e
