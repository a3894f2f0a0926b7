// SPDX-License-Identifier: Apache-2.0
// The loop measured by its own recording: the timings of each task.step_finished, plus that event's own commit.
#include "agent/bench_step.h"

#include "agent/frame_encoder.h"
#include "agent/recorder.h"
#include "agent/session.h"
#include "base/file.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 8> kStages{"capture", "render", "parse", "gate", "resolve", "execute", "verify", "record"};

// Takes the model's place in a measurement of everything else: answers at once, a hover that is somewhere else each time.
class FixedAnswer final : public ChatModel {
public:
    FixedAnswer() {
        info_.name = "none: fixed answer";
        info_.prompt = "glm-4.1v";
    }
    Result<Completion> generate(const ChatRequest&, const OnText& on_text, std::stop_token) override {
        ++calls_;
        Completion out;
        out.text_utf8 = fmt::format("<think>Look around.</think><answer>Looking around.\n<|begin_of_box|>hover(start_box='[{},{}]', "
                                    "element_info='')<|end_of_box|>\nMemory:\n[]</answer>",
                                    100 + calls_ * 37 % 800, 100 + calls_ * 53 % 800);
        on_text({out.text_utf8});
        return out;
    }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    ModelInfo info_;
    int calls_ = 0;
};

class MeasuringSink final : public StepSink {
public:
    MeasuringSink(Recorder& recorder, Clock& clock) : recorder_(recorder), clock_(clock) {}

    Result<std::uint64_t> on_event(const SessionEvent& event) override {
        const TimePoint begin = clock_.now();
        const std::uint64_t seq = TRY(recorder_.on_event(event));
        if (event.type == "task.step_finished") {
            const Duration commit = clock_.now() - begin;
            const json timings = TRY(parse_json(event.data_json))["timings_ms"];
            for (const auto& [stage, value] : timings.items()) {
                times_[stage].push_back(std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(value.get<double>())));
            }
            times_["record"].back() += commit;
        }
        return seq;
    }
    [[nodiscard]] const std::map<std::string, std::vector<Duration>>& times() const { return times_; }

private:
    Recorder& recorder_;
    Clock& clock_;
    std::map<std::string, std::vector<Duration>> times_; // by stage, one per step
};

Duration median(std::vector<Duration> values) {
    if (values.empty()) {
        return {};
    }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

Duration worst(const std::vector<Duration>& values) { return values.empty() ? Duration{} : *std::max_element(values.begin(), values.end()); }

Duration measure_copy(const Image& frame, Clock& clock) {
    std::vector<std::uint8_t> to(frame.bytes().size());
    std::vector<Duration> times;
    for (int i = 0; i < 9; ++i) {
        const TimePoint begin = clock.now();
        std::memcpy(to.data(), frame.bytes().data(), to.size());
        times.push_back(clock.now() - begin);
    }
    return median(times);
}

// One sync of as many bytes as a step commits.
Result<Duration> measure_sync(const std::filesystem::path& beside, std::size_t bytes, Clock& clock) {
    const std::filesystem::path path = beside.string() + ".probe";
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot create {}: {}", path.string(), std::strerror(errno))};
    }
    const std::vector<char> data(bytes, 'x');
    std::vector<Duration> times;
    bool is_written = true;
    for (int i = 0; i < 31; ++i) {
        const TimePoint begin = clock.now();
        is_written = is_written && ::write(file.get(), data.data(), data.size()) == static_cast<ssize_t>(data.size()) && ::fdatasync(file.get()) == 0;
        times.push_back(clock.now() - begin);
    }
    ::unlink(path.c_str());
    return is_written ? Result<Duration>(median(times)) : Error{ErrorCode::IoFailed, fmt::format("cannot write {}", path.string())};
}

StageCost make_cost(const std::string& name, const std::vector<Duration>& times, Duration copy, Duration sync) {
    StageCost cost{name, median(times), worst(times), {}, ""};
    if (name == "capture") {
        cost.ceiling = copy;
        cost.ceiling_of = "memcpy of one frame";
    } else if (name == "verify") {
        cost.ceiling = 3 * copy;
        cost.ceiling_of = "memcpy of three frames: one captured, two compared";
    } else if (name == "record") {
        cost.ceiling = sync;
        cost.ceiling_of = "one fdatasync of 64 KiB beside the recording";
    }
    return cost;
}

} // namespace

Result<StepBench> bench_step(Platform& platform, Clock& clock, int steps, const std::filesystem::path& record_file) {
    std::error_code problem;
    if (steps < 1 || std::filesystem::exists(record_file, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("bench step: {} steps into {}, which must be at least 1 and not exist", steps, record_file.string())};
    }
    const Screenshot first = TRY(platform.capture());
    StepBench out;
    out.steps = steps;
    out.frame = first.image.size();
    FrameEncoder encoder;
    const TimePoint begin = clock.now();
    TRY(encoder.encode(first.image));
    out.whole_frame = clock.now() - begin;

    const std::unique_ptr<Recorder> recorder = TRY(Recorder::open(record_file, "bench"));
    MeasuringSink sink(*recorder, clock);
    FixedAnswer model;
    SessionOptions options;
    options.session_id = "bench";
    options.budget.steps_max = steps;
    options.settle.quiet = std::chrono::milliseconds(20);
    {
        const std::unique_ptr<Session> session = TRY(Session::create(options, platform, model, clock, sink));
        const TaskReport report = TRY(session->run_task("Look around.", {}));
        if (report.outcome != TaskOutcome::BudgetExceeded || report.steps != steps) {
            return Error{ErrorCode::Unavailable, fmt::format("the bench ended after {} of {} steps: {}", report.steps, steps, report.message)};
        }
    }
    TRY(recorder->seal());
    const Duration copy = measure_copy(first.image, clock);
    const Duration sync = TRY(measure_sync(record_file, 64U << 10U, clock));
    std::vector<Duration> totals(static_cast<std::size_t>(steps));
    for (const char* stage : kStages) {
        const std::vector<Duration>& times = sink.times().at(stage);
        out.stages.push_back(make_cost(stage, times, copy, sync));
        std::transform(totals.begin(), totals.end(), times.begin(), totals.begin(), std::plus<>());
    }
    out.total_median = median(totals);
    out.total_worst = worst(totals);
    out.settle_median = median(sink.times().at("settle"));
    out.recording_bytes = static_cast<std::uint64_t>(std::filesystem::file_size(record_file, problem));
    return out;
}

} // namespace handeye
