// SPDX-License-Identifier: Apache-2.0
// `handeye doctor`: captures, clicks and types for real into a window of its own, and has the model answer what it must.
#include "actions/execute.h"
#include "actions/resolve.h"
#include "apps/cli/command.h"
#include "apps/cli/model_options.h"
#include "apps/cli/self_check.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "engine/engine.h"
#include "platforms/probe.h"

#include <algorithm>
#include <array>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

/// What is typed into the probe: ASCII, German, Greek, Chinese, an emoji and a combining accent.
constexpr std::string_view kProbeText = "Hello, Wörld! ÄÖÜ Ωμέγα 你好 😀 e\xCC\x81";
constexpr int kClicks = 5;

struct Row {
    std::string check;
    bool pass = false;
    std::string detail; ///< what was found
    std::string fix;    ///< the command that helps; empty when it passed
    std::vector<ScreenCheck> screens; ///< of the model's own check
};

Row passed(std::string check, std::string detail) { return {std::move(check), true, std::move(detail), {}, {}}; }
Row failed(std::string check, std::string detail, std::string fix) {
    return {std::move(check), false, std::move(detail), std::move(fix), {}};
}

Row check_capture(Platform& platform, ProbeWindow& probe, Clock& clock) {
    const TimePoint start = clock.now();
    const Result<Screenshot> shot = platform.capture();
    const double took_ms = std::chrono::duration<double, std::milli>(clock.now() - start).count();
    if (!shot) {
        return failed("capture", shot.error().message, "handeye screenshot -o test.png -v");
    }
    const Rect area = probe.area();
    const Image part = shot->image.to_rgb().cropped({area.x + 4, area.y + 4, 8, 8});
    const std::array<std::uint8_t, 3> want = probe.background_rgb();
    if (part.is_empty() || !std::equal(want.begin(), want.end(), part.bytes().begin())) {
        return failed("capture", "the picture does not show the probe window where it is",
                      "bring the probe window to the front, or use --headless 1280x800");
    }
    const Size size = shot->image.size();
    return passed("capture", fmt::format("{}x{} pixels in {:.1f} ms", size.width_px, size.height_px, took_ms));
}

Row check_clicks(Platform& platform, ProbeWindow& probe, Clock& clock, const std::stop_token& stop) {
    const Rect area = probe.area();
    for (int i = 0; i < kClicks; ++i) {
        const Point at{area.x + area.width_px * (i + 1) / (kClicks + 1), area.y + area.height_px * (kClicks - i) / (kClicks + 1)};
        const Action click = Click{.at = Spot{.units = Units::Pixels, .x = double(at.x), .y = double(at.y)}};
        const Result<DisplayInfo> display = platform.display();
        if (!display) {
            return failed("click", display.error().message, "");
        }
        const Result<Plan> plan = resolve(click, {.picture = display->size, .target = display->size});
        const Result<ActionResult> result = plan ? execute(*plan, platform, clock, {}, stop) : Result<ActionResult>(plan.error());
        if (!result) {
            return failed("click", result.error().message, "check that the XTEST extension is on: xdpyinfo | grep XTEST");
        }
        const std::optional<Point> got = probe.wait_click(std::chrono::seconds(2));
        if (!got || !(*got == at)) {
            return failed("click",
                          got ? fmt::format("a click at ({}, {}) arrived at ({}, {})", at.x, at.y, got->x, got->y)
                              : fmt::format("a click at ({}, {}) did not arrive", at.x, at.y),
                          "another window may cover the probe: use --headless 1280x800");
        }
    }
    return passed("click", fmt::format("{} of {} clicks arrived at their pixel", kClicks, kClicks));
}

Row check_typing(Platform& platform, ProbeWindow& probe, const std::stop_token& stop) {
    if (const Result<void> focus = probe.take_focus(); !focus) {
        return failed("type", focus.error().message, "use --headless 1280x800");
    }
    const Result<TextResult> sent = platform.type_text(kProbeText, stop);
    if (!sent) {
        return failed("type", sent.error().message, "");
    }
    const std::string got = probe.wait_text(kProbeText, std::chrono::seconds(5));
    if (got != kProbeText) {
        return failed("type", fmt::format("typed \"{}\", arrived \"{}\"", kProbeText, got),
                      "an input method may swallow keys: try with ibus or fcitx off");
    }
    return passed("type", fmt::format("{} characters of Unicode arrived exactly, by {}", sent->characters_sent, sent->route));
}

/// One stored answer of the reference implementation: frame.png and prompt.txt in, answer.txt out.
struct Golden {
    std::string name;
    std::string prompt;
    std::optional<Image> frame;
    std::string answer;
};

/// Those beside a model, in `eval/golden/`; empty where there are none.
Result<std::vector<Golden>> read_goldens(const std::filesystem::path& folder) {
    constexpr std::size_t kTextBytesMax = 1U << 20U;
    std::vector<Golden> goldens;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
        Golden golden{entry.path().filename().string()};
        golden.prompt = TRY(read_file(entry.path() / "prompt.txt", kTextBytesMax));
        golden.answer = TRY(read_file(entry.path() / "answer.txt", kTextBytesMax));
        golden.answer.resize(std::min(golden.answer.size(), golden.answer.rfind("<|user|>"))); // the stop token, which no text has
        golden.frame = TRY(read_image(entry.path() / "frame.png"));
        goldens.push_back(std::move(golden));
    }
    return goldens;
}

Result<Completion> answer(ChatModel& model, const Golden& golden, const std::stop_token& stop) {
    ChatRequest request;
    request.max_new_tokens = 96;
    Message message;
    message.parts.emplace_back(TextPart{golden.prompt});
    if (golden.frame) {
        message.parts.emplace_back(ImagePart{*golden.frame});
    }
    request.messages.push_back(std::move(message));
    return model.generate(request, {}, stop);
}

/// `is_changed`: packed or adapted while it was loaded, so that some answers may differ from the reference's.
Row check_goldens(ChatModel& model, const std::filesystem::path& checkpoint, bool is_changed, const std::stop_token& stop) {
    Result<std::vector<Golden>> goldens = read_goldens(checkpoint / "eval" / "golden");
    if (!goldens) {
        return failed("engine", goldens.error().message, "");
    }
    const std::size_t count = goldens->size();
    if (goldens->empty()) {
        goldens->push_back({"", "Say hello.", std::nullopt, ""});
    }
    const ModelInfo& info = model.info();
    int tokens = 0;
    std::size_t equal = 0;
    for (const Golden& golden : *goldens) {
        const Result<Completion> reply = answer(model, golden, stop);
        if (!reply) {
            return failed("engine", reply.error().message, "");
        }
        tokens += reply->usage.completion_tokens;
        equal += reply->text_utf8 == golden.answer ? 1 : 0;
        if (count > 0 && !is_changed && reply->text_utf8 != golden.answer) {
            return failed("engine",
                          fmt::format("{}: {} answered \"{}\", the reference \"{}\"", golden.name, info.name, reply->text_utf8, golden.answer),
                          "handeye models verify --model DIR --cases DIR");
        }
    }
    if (count > 0 && equal == 0) {
        return failed("engine", fmt::format("none of {} answers of {} equals the reference's", count, info.name), "handeye models verify --model DIR --cases DIR");
    }
    return passed("engine", fmt::format("{} ({} {}): {} tokens, {}", info.name, info.family, info.weight_format, tokens,
                                        count > 0 ? fmt::format("{} of {} answers equal to the reference's{}", equal, count, is_changed ? "; packing and adapters change some" : "")
                                                  : "no answers of the reference beside this model"));
}

Row check_clicked_screens(ChatModel& model, const std::filesystem::path& checkpoint, bool is_changed, const std::stop_token& stop) {
    const Result<SelfCheck> check = check_screens(model, checkpoint, stop);
    if (!check) {
        return failed("screens", check.error().message, "");
    }
    const bool is_well = is_changed ? 2 * check->passed() >= check->screens.size() : check->passed() == check->screens.size();
    Row row = is_well ? passed("screens", to_text(*check, is_changed))
                      : failed("screens", to_text(*check, is_changed), is_changed ? "handeye doctor, without packing and adapters" : fmt::format("cd '{}' && sha256sum -c SHA256SUMS; where that says OK, report the CPU (lscpu) with this line", checkpoint.string()));
    row.screens = check->screens;
    return row;
}

void check_model(const std::string& model_option, const ModelOptions& extra, const std::stop_token& stop, std::vector<Row>& rows) {
    const Result<LocalCheckpoint> checkpoint = find_model(model_option);
    if (!checkpoint) {
        rows.push_back(failed("engine", checkpoint.error().message, "handeye doctor --model DIR"));
        return;
    }
    EngineOptions engine;
    if (const Result<void> put = put_model_options(extra, *checkpoint, engine); !put) {
        rows.push_back(failed("engine", put.error().message, ""));
        return;
    }
    const Result<std::unique_ptr<ChatModel>> model = open_engine(engine);
    if (!model) {
        rows.push_back(failed("engine", model.error().message, ""));
        return;
    }
    const bool is_changed = !extra.quantize.empty() || !extra.adapters.empty() || extra.kv_cache == "8bit";
    rows.push_back(check_goldens(**model, checkpoint->path, is_changed, stop));
    rows.push_back(check_clicked_screens(**model, checkpoint->path, is_changed, stop));
}

/// None is no failure: a screen may show none, and what works by pixels works without.
Row check_elements(Platform& platform, Clock& clock) {
    const TimePoint start = clock.now();
    const Result<std::vector<Element>> elements = platform.elements();
    const double took_ms = std::chrono::duration<double, std::milli>(clock.now() - start).count();
    if (!elements) {
        return failed("elements", elements.error().message, "");
    }
    if (elements->empty()) {
        return passed("elements", "none to prove it with: no program shown tells what it shows; `handeye platforms` says whether accessibility (AT-SPI) is on");
    }
    return passed("elements", fmt::format("{} told by programs in {:.1f} ms", elements->size(), took_ms));
}

/// Where no window of ours can be shown: what the platform or a look and a motion can prove all the same, and that it is no more.
void add_without_probe(Platform& platform, Clock& clock, const Error& why, std::vector<Row>& rows) {
    const std::vector<ProbeFact> facts = platform.probe_facts();
    for (const ProbeFact& fact : facts) {
        rows.push_back({fact.check, fact.is_proven, fact.detail, fact.fix, {}});
    }
    if (!facts.empty()) {
        rows.push_back(check_elements(platform, clock));
        return;
    }
    if (why.code != ErrorCode::Unsupported) {
        rows.push_back(failed("probe window", why.message, ""));
        return;
    }
    rows.push_back(passed("probe window", fmt::format("none, so that where clicks land and what typing types is NOT shown here: {}", why.message)));
    const TimePoint start = clock.now();
    const Result<Screenshot> shot = platform.capture();
    const double took_ms = std::chrono::duration<double, std::milli>(clock.now() - start).count();
    if (!shot) {
        rows.push_back(failed("capture", shot.error().message, ""));
        return;
    }
    const Size size = shot->image.size();
    rows.push_back(passed("capture", fmt::format("{}x{} pixels in {:.1f} ms", size.width_px, size.height_px, took_ms)));
    const Result<void> moved = platform.inject(PointerMove{{size.width_px / 2, size.height_px / 2}});
    const Result<Settled> settled = moved ? platform.settle({}, {}) : Result<Settled>(moved.error());
    rows.push_back(settled ? passed("pointer", "moved to the middle; the target took it") : failed("pointer", settled.error().message, ""));
}

std::vector<Row> check_platform(const TargetSpec& target, const std::stop_token& stop) {
    SystemClock clock;
    std::vector<Row> rows;
    const Result<std::unique_ptr<Platform>> platform = open_target(target, clock, stop);
    if (!platform) {
        rows.push_back(failed("display", platform.error().message, target.platform == "x11" ? "handeye doctor --headless 1280x800" : ""));
        return rows;
    }
    const Result<DisplayInfo> display = (*platform)->display();
    if (!display) {
        rows.push_back(failed("display", display.error().message, ""));
        return rows;
    }
    rows.push_back(passed("display", fmt::format("{} {}x{} by {}, {} monitor(s)", display->platform,
                                                 display->size.width_px, display->size.height_px, display->backend,
                                                 display->monitors.size())));
    const Result<std::unique_ptr<ProbeWindow>> probe = (*platform)->open_probe();
    if (!probe) {
        add_without_probe(**platform, clock, probe.error(), rows);
        return rows;
    }
    rows.push_back(check_capture(**platform, **probe, clock));
    rows.push_back(check_clicks(**platform, **probe, clock, stop));
    rows.push_back(check_typing(**platform, **probe, stop));
    rows.push_back(check_elements(**platform, clock));
    const Result<void> released = (*platform)->release_all();
    rows.push_back(released ? passed("release", "no key or button is held")
                            : failed("release", released.error().message, ""));
    return rows;
}

} // namespace

Runner declare_doctor(CLI::App& app) {
    struct Options {
        TargetSpec target;
        std::string model;
        ModelOptions extra;
    };
    auto options = std::make_shared<Options>();
    add_target_options(app, options->target);
    app.add_option("--model", options->model, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelHelp));
    add_model_options(app, options->extra);
    return [options](const Context& context) -> Result<int> {
        std::vector<Row> rows = check_platform(options->target, context.stop);
        check_model(options->model, options->extra, context.stop, rows);
        bool all = true;
        nlohmann::json out = nlohmann::json::array();
        for (const Row& row : rows) {
            all = all && row.pass;
            out.push_back({{"check", row.check}, {"pass", row.pass}, {"detail", row.detail}});
            if (!row.fix.empty()) {
                out.back()["fix"] = row.fix;
            }
            for (const ScreenCheck& screen : row.screens) {
                out.back()["screens"].push_back({{"name", screen.name}, {"pass", screen.pass}, {"said", screen.said}, {"box", screen.box}, {"seconds", screen.seconds}});
            }
            if (!context.json) {
                print(fmt::format("{:<4} {:<13} {}", row.pass ? "ok" : "NO", row.check, row.detail));
                if (!row.fix.empty()) {
                    print(fmt::format("     {:<13} try: {}", "", row.fix));
                }
            }
        }
        if (context.json) {
            print_json({{"checks", out}, {"pass", all}});
        }
        return all ? 0 : 5;
    };
}

} // namespace handeye::cli
