// SPDX-License-Identifier: Apache-2.0
// The screen has what makes pictures large: small text everywhere, a list that scrolls, a photograph, a window that moves.
#include "tests/agent/recorded_session.h"

#include "agent/manual_action.h"
#include "agent/recorder.h"
#include "agent/session.h"
#include "base/result.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/sim_clock.h"

#include <random>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace handeye::tests {
namespace {

const cv::Scalar kInk(32, 36, 40), kSoft(110, 118, 128), kPaper(252, 252, 252), kBar(58, 66, 82), kMark(255, 236, 179);

class DrawnScreen final : public Platform {
public:
    DrawnScreen(Clock& clock, Size size, bool is_still) : clock_(clock), size_(size), is_still_(is_still), canvas_(size.height_px, size.width_px, CV_8UC3), photo_(200, 300, CV_8UC3) {
        cv::randu(photo_, 0, 255); // the same each time: OpenCV's generator starts from a fixed seed
        cv::GaussianBlur(photo_, photo_, {}, 6);
        cv::normalize(photo_, photo_, 0, 255, cv::NORM_MINMAX);
    }

    Result<DisplayInfo> display() override { return DisplayInfo{.platform = "drawn", .backend = "opencv", .size = size_, .address = {}, .origin = {}, .monitors = {}, .authority_file = {}}; }
    Result<Screenshot> capture() override {
        draw();
        auto image = TRY(Image::from_pixels(size_, PixelFormat::Rgb, {canvas_.datastart, canvas_.dataend}));
        return Screenshot{image, ++captures_, clock_.now()};
    }
    Result<std::vector<Element>> elements() override { return std::vector<Element>{}; }
    Result<std::vector<WindowInfo>> windows() override { return std::vector<WindowInfo>{}; }
    Result<std::optional<Point>> pointer() override { return std::optional(pointer_); }
    Result<void> inject(const InputEvent& event) override {
        if (const auto* move = std::get_if<PointerMove>(&event)) {
            pointer_ = move->to;
        } else if (const auto* button = std::get_if<PointerButton>(&event); button != nullptr && button->edge == Edge::Release) {
            clicks_ += is_still_ ? 0 : 1, has_changed_ = !is_still_;
        }
        return {};
    }
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token) override {
        typed_ = text_utf8, has_changed_ = true;
        return TextResult{.certainty = Certainty::Confirmed, .route = "drawn", .characters_sent = text_utf8.size(), .reason = {}};
    }
    Result<void> perform(const Command&) override { return {}; }
    Result<Settled> settle(const SettleOptions&, std::stop_token) override { return Settled{.is_quiet = true, .has_changed = std::exchange(has_changed_, false), .waited = {}}; }
    Result<void> release_all() override { return {}; }

private:
    void text(cv::Point at, const std::string& words, double scale = 0.4, const cv::Scalar& colour = kInk) {
        cv::putText(canvas_, words, at, cv::FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv::LINE_AA);
    }

    void draw() {
        for (int y = 0; y < canvas_.rows; ++y) {
            canvas_.row(y).setTo(cv::Scalar(40 + y / 12, 70 + y / 16, 110 + y / 10));
        }
        cv::rectangle(canvas_, {0, 0, canvas_.cols, 24}, cv::Scalar(24, 26, 30), cv::FILLED);
        text({12, 16}, fmt::format("Inbox   Reports   Settings          {:02}:{:02}", 9 + clicks_ / 60 % 12, clicks_ % 60), 0.4, kPaper);
        draw_list({24, 44, canvas_.cols * 6 / 10, canvas_.rows - 70});
        draw_side({canvas_.cols * 6 / 10 + 44, 44, canvas_.cols * 4 / 10 - 66, canvas_.rows - 70});
    }

    void window(const cv::Rect& area, const std::string& title) {
        cv::rectangle(canvas_, area, kPaper, cv::FILLED);
        cv::rectangle(canvas_, {area.x, area.y, area.width, 26}, kBar, cv::FILLED);
        text({area.x + 10, area.y + 17}, title, 0.45, kPaper);
    }

    void draw_list(const cv::Rect& area) {
        window(area, "Orders");
        constexpr int kRowPx = 21;
        for (int row = 0; row < (area.height - 60) / kRowPx; ++row) {
            const int line = clicks_ + row;
            const int y = area.y + 40 + row * kRowPx;
            if (row == 3) {
                cv::rectangle(canvas_, {area.x + 2, y - 3, area.width - 4, kRowPx}, kMark, cv::FILLED);
            }
            std::minstd_rand digits(static_cast<unsigned>(line + 1));
            text({area.x + 12, y + 12}, fmt::format("{:06}  {:>8.2f} EUR   {}   {}", 100'000 + line, static_cast<double>(digits() % 1'000'000) / 100, names_[digits() % names_.size()],
                                                    digits() % 3 == 0 ? "open, waits for a second look by the department" : "paid, delivered to the address above"));
        }
    }

    void draw_side(const cv::Rect& area) {
        window(area, fmt::format("Order {}", 100'003 + clicks_));
        cv::Mat shown;
        const int shift = clicks_ * 7 % 200;
        photo_.colRange(shift / 2, shift / 2 + 200).copyTo(shown);
        const cv::Rect at(area.x + 12, area.y + 40, std::min(200, area.width - 24), std::min(200, area.height - 60));
        shown({0, 0, at.width, at.height}).copyTo(canvas_(at));
        for (int line = 0; line * 18 + 270 < area.height; ++line) {
            text({area.x + 12, area.y + 264 + line * 18}, fmt::format("{}: {} {}", line + 1, names_[static_cast<std::size_t>(clicks_ * 5 + line * 3) % names_.size()], typed_), 0.38, kSoft);
        }
    }

    Clock& clock_;
    Size size_;
    bool is_still_;
    cv::Mat canvas_;
    cv::Mat photo_;
    std::vector<std::string> names_{"Ada Lovelace", "Grace Hopper", "Konrad Zuse", "Emmy Noether", "Alan Turing", "Radia Perlman", "Edsger Dijkstra"};
    std::string typed_;
    int clicks_ = 0;
    bool has_changed_ = false;
    std::uint64_t captures_ = 0;
    Point pointer_;
};

// Passes everything on. Once an action was denied, a person clicks elsewhere.
class WithPerson final : public StepSink {
public:
    WithPerson(StepSink& sink, Platform& platform, Clock& clock) : sink_(sink), platform_(platform), clock_(clock) {}
    Result<std::uint64_t> on_event(const SessionEvent& event) override {
        const std::uint64_t seq = TRY(sink_.on_event(event));
        if (event.type == "approval.decided" && event.data_json.find(R"("decision":"deny")") != std::string::npos) {
            PolicyGate gate = TRY(PolicyGate::create({}));
            TRY(perform_manually({.action_text = R"({"verb":"click","x":320,"y":200})", .by = "Ada's browser"}, {.platform = platform_, .clock = clock_, .sink = sink_, .gate = gate, .settle = {}}, {}));
        }
        return seq;
    }

private:
    StepSink& sink_;
    Platform& platform_;
    Clock& clock_;
};

std::string answer(const RecordedSession& wanted, int step) {
    const std::string memory = fmt::format("\nMemory:\n[{{\"opened\": {}}}]", step);
    const std::string call = step == wanted.steps ? "DONE()" : step == wanted.odd_step ? "left_click(start_box='[900,80]', element_info='Delete all')" : fmt::format("left_click(start_box='[{},{}]', element_info='line {}')", 100 + step * 37 % 400, 150 + step * 53 % 700, step);
    const std::string body = fmt::format("{} Line {} comes next.\n<|begin_of_box|>{}<|end_of_box|>{}", wanted.thought, step, call, memory);
    const bool has_tags = wanted.prompt != "glm-4.5v";
    return fmt::format("<think>{} So far {} lines are open; the fourth row is the one that is marked, and a click opens it.</think>{}{}{}", wanted.thought, step - 1, has_tags ? "<answer>" : "\n", body,
                       has_tags ? "</answer>" : "");
}

} // namespace

void record_session(const std::filesystem::path& file, const RecordedSession& wanted) {
    fakes::SimClock clock;
    DrawnScreen screen(clock, wanted.size, wanted.is_still);
    fakes::ScriptedModel model;
    model.set_prompt(wanted.prompt);
    model.set_time(clock, std::chrono::milliseconds(840));
    for (int step = 1; step <= wanted.steps; ++step) {
        model.add(answer(wanted, step));
    }
    auto recorder = Recorder::open(file, "01JZZZZZZZZZZZZZZZZZZZZZZZ");
    CHECK(recorder.has_value());
    WithPerson sink(**recorder, screen, clock);
    SessionOptions options{.session_id = "01JZZZZZZZZZZZZZZZZZZZZZZZ"};
    options.budget.steps_max = wanted.steps;
    options.budget.wall_max = std::chrono::hours(24);
    options.budget.tokens_max = 1'000'000'000;
    if (wanted.refuses_second) {
        options.policy.rules = {{.name = "ask once", .effect = Effect::Ask, .verbs = {"click"}, .max_count = 2}};
        options.ask = [](const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token&) {
            announce();
            return request.step == 2 ? ApprovalAnswer{ApprovalDecision::Deny, "Ada", "the other one"} : ApprovalAnswer{ApprovalDecision::Approve, "Ada", ""};
        };
    }
    {
        auto session = Session::create(options, screen, model, clock, sink);
        CHECK(session.has_value());
        CHECK((*session)->run_task(wanted.goal, {}).has_value());
    }
    CHECK((*recorder)->seal().has_value());
}

} // namespace handeye::tests
