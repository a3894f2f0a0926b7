// SPDX-License-Identifier: Apache-2.0
// Spans out of events. An event is written when something is over and says how long that took, so a stage's span ends there; a
// stage of which only the length is known follows the one before it. Names: OpenTelemetry's GenAI semantic conventions.
#include "agent/export.h"
#include "agent/report_model.h"
#include "base/hash.h"
#include "base/json.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace report; // NOLINT(google-build-using-namespace): reads the same events

constexpr std::size_t kPageEvents = 256;
constexpr double kNanosPerMs = 1e6;
constexpr double kMsMax = 1e12; // of one stage: a forged number must stay a number

// UTC with milliseconds ("2026-11-21T10:44:40.123Z") in nanoseconds since 1970; 0 where it is none.
std::int64_t wall_ns(const std::string& utc) {
    std::tm time{};
    int ms = 0;
    if (std::sscanf(utc.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec, &ms) != 7 ||
        time.tm_year < 1970 || time.tm_year > 2100) {
        return 0;
    }
    time.tm_year -= 1900;
    time.tm_mon -= 1;
    return (std::int64_t{::timegm(&time)} * 1000 + ms) * 1'000'000;
}

json attribute(const char* key, const std::string& value) { return {{"key", key}, {"value", {{"stringValue", value}}}}; }
json attribute(const char* key, double value) { return {{"key", key}, {"value", {{"doubleValue", value}}}}; }
// OTLP/JSON writes 64-bit integers as text.
json count(const char* key, double value) { return {{"key", key}, {"value", {{"intValue", fmt::format("{:.0f}", value)}}}}; }

struct Span {
    std::string name;
    std::string id;
    std::string parent;
    std::int64_t begin_ns = 0;
    std::int64_t end_ns = 0;
    json attributes = json::array();
    std::string error; ///< why it failed; empty: it did not
    int kind = 1;      ///< internal; 3: a call of the model
};

class Tracer {
public:
    explicit Tracer(const Recording& recording) : session_(recording.session_id()) {}

    void add(const StoredEvent& event) {
        const Result<json> parsed = parse_json(event.data_json, {.bytes_max = 16U << 20U, .depth_max = 64});
        if (!parsed || !parsed->is_object()) {
            return;
        }
        const json& data = *parsed;
        now_ns_ = time_of(event);
        if (event.type == "session.opened") {
            opened_ = data;
        } else if (event.type == "task.started") {
            start_task(data);
        } else if (event.type == "task.finished") {
            finish_task(data);
        } else if (event.type == "task.step_started") {
            start_step(data);
        } else if (!step_.id.empty() && !field_of(data, "input").is_boolean()) { // not what a person does meanwhile
            add_to_step(event.type, data);
        }
    }

    Result<std::string> take() {
        if (!task_.id.empty()) {
            task_.error = "the recording ends before the task does";
            close_step();
            close(task_);
        }
        if (spans_.empty()) {
            return Error{ErrorCode::InvalidArgument, "the recording holds no task, so there is nothing to trace"};
        }
        const json& platform = field_of(opened_, "platform");
        const json resource = json::array({attribute("service.name", "handeye"), attribute("session.id", session_), attribute("handeye.platform", text_of(platform, "name"))});
        const json scope{{"scope", {{"name", "handeye"}}}, {"spans", spans_}};
        return dump_json({{"resourceSpans", json::array({{{"resource", {{"attributes", resource}}}, {"scopeSpans", json::array({scope})}}})}}) + "\n";
    }

private:
    // Monotonic within one run of the program; the wall clock says where that lies.
    std::int64_t time_of(const StoredEvent& event) {
        const std::int64_t wall = wall_ns(event.t_wall);
        const std::int64_t mono = std::clamp<std::int64_t>(event.t_mono_ns, 0, std::int64_t{1} << 61);
        constexpr std::int64_t kApartNs = 5'000'000'000;
        if (!has_base_ || std::abs(base_ns_ + mono - wall) > kApartNs) { // another run, or the clock was set
            base_ns_ = wall - mono;
            has_base_ = true;
        }
        return std::max(now_ns_, base_ns_ + mono);
    }

    std::string next_id(std::string_view what) { return to_hex(sha256(fmt::format("{} {} {}", session_, what, ++ids_))).substr(0, 16); }

    void start_task(const json& data) {
        close_step();
        if (!task_.id.empty()) {
            task_.error = "another task began";
            close(task_);
        }
        trace_ = to_hex(sha256(fmt::format("{} task {:.0f} {}", session_, number_of(data, "task"), ++ids_))).substr(0, 32);
        task_ = Span{.name = "invoke_agent handeye", .id = next_id("task"), .begin_ns = now_ns_};
        task_.attributes = json::array({attribute("gen_ai.operation.name", "invoke_agent"), attribute("gen_ai.agent.name", "handeye"), attribute("gen_ai.provider.name", "handeye"),
                                        attribute("gen_ai.conversation.id", session_), attribute("gen_ai.request.model", model()), count("handeye.task", number_of(data, "task"))});
    }

    void finish_task(const json& data) {
        close_step();
        if (task_.id.empty()) {
            return;
        }
        const std::string outcome = text_of(data, "outcome");
        task_.attributes.push_back(attribute("handeye.outcome", outcome));
        task_.attributes.push_back(count("handeye.steps", number_of(data, "steps")));
        task_.error = outcome == "done" ? "" : "the task ended " + outcome; // its message may quote the screen
        close(task_);
    }

    void start_step(const json& data) {
        close_step();
        step_ = Span{.name = fmt::format("step {:.0f}", number_of(data, "step")), .id = next_id("step"), .parent = task_.id, .begin_ns = now_ns_};
        step_.attributes.push_back(count("handeye.step", number_of(data, "step")));
        last_end_ns_ = now_ns_;
        sampling_ = json();
        verb_.clear();
    }

    void add_to_step(const std::string& type, const json& data) {
        if (type == "observation.captured") {
            const double encode = number_of(data, "encode_ms");
            stage(text_of(data, "when") == "after" ? "capture after" : "capture", number_of(data, "capture_ms"), encode);
            stage("record picture", encode);
        } else if (type == "prompt.built") {
            sampling_ = field_of(data, "sampling");
            stage("render", static_cast<double>(now_ns_ - last_end_ns_) / kNanosPerMs);
        } else if (type == "engine.finished") {
            model_call(data);
        } else if (type == "action.proposed") {
            verb_ = text_of(data, "verb");
            stage("parse", static_cast<double>(now_ns_ - last_end_ns_) / kNanosPerMs).error = field_of(data, "action").is_null() ? "no action in the answer" : "";
            flush();
        } else if (type == "action.gated") {
            stage("gate", static_cast<double>(now_ns_ - last_end_ns_) / kNanosPerMs).attributes.push_back(attribute("handeye.gate", text_of(data, "gate")));
            flush();
        } else if (type == "action.executed") {
            act(data);
        } else if (type == "action.verified") {
            stage("verify", static_cast<double>(now_ns_ - last_end_ns_) / kNanosPerMs).attributes.push_back(attribute("handeye.certainty", text_of(data, "certainty")));
            flush();
        } else if (type == "task.step_finished") {
            step_.attributes.push_back(attribute("handeye.result", text_of(data, "result")));
            close_step();
        }
    }

    void model_call(const json& data) {
        Span& call = stage("chat " + model(), number_of(data, "wall_ms"));
        call.kind = 3;
        const json& usage = field_of(data, "usage");
        call.attributes = json::array({attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.provider.name", "handeye"), attribute("gen_ai.request.model", model()),
                                       attribute("gen_ai.conversation.id", session_), count("gen_ai.request.max_tokens", number_of(opened_, "max_new_tokens")),
                                       attribute("gen_ai.request.temperature", number_of(sampling_, "temperature")), attribute("gen_ai.request.top_p", number_of(sampling_, "top_p")),
                                       count("gen_ai.request.seed", number_of(sampling_, "seed"))});
        if (const json& error = field_of(data, "error"); error.is_object()) {
            call.error = text_of(error, "code", "error");
            call.attributes.push_back(attribute("error.type", call.error));
        } else {
            call.attributes.push_back(count("gen_ai.usage.input_tokens", number_of(usage, "prompt_tokens")));
            call.attributes.push_back(count("gen_ai.usage.output_tokens", number_of(usage, "completion_tokens")));
            const json reason{{"stringValue", text_of(data, "stop_reason")}};
            call.attributes.push_back({{"key", "gen_ai.response.finish_reasons"}, {"value", {{"arrayValue", {{"values", json::array({reason})}}}}}});
        }
        flush();
    }

    void act(const json& data) {
        const double settle = number_of(data, "settle_ms");
        Span& input = stage("execute_tool " + verb_, number_of(data, "input_ms"), settle);
        input.attributes = json::array({attribute("gen_ai.operation.name", "execute_tool"), attribute("gen_ai.tool.name", verb_), attribute("gen_ai.tool.type", "function"),
                                        attribute("handeye.certainty", text_of(data, "certainty")), count("handeye.events_sent", number_of(data, "events_sent"))});
        input.error = text_of(data, "certainty") == "refused" ? "refused" : "";
        stage("settle", settle);
    }

    std::string model() const { return text_of(field_of(opened_, "model"), "name", "none"); }

    // A stage that took `ms` and was over `before_ms` before now. Written when the next one begins.
    Span& stage(const std::string& name, double ms, double before_ms = 0) {
        flush();
        const auto ns = [](double value) { return static_cast<std::int64_t>(std::clamp(value, 0.0, kMsMax) * kNanosPerMs); };
        const std::int64_t end = std::max(step_.begin_ns, now_ns_ - ns(before_ms));
        last_end_ns_ = now_ns_;
        stage_ = Span{.name = name, .id = next_id("stage"), .parent = step_.id, .begin_ns = std::max(step_.begin_ns, end - ns(ms)), .end_ns = end};
        return stage_;
    }

    void flush() {
        if (!stage_.id.empty()) {
            write(std::exchange(stage_, {}));
        }
    }

    void close_step() {
        flush();
        if (!step_.id.empty()) {
            close(step_);
        }
    }

    void close(Span& span) {
        span.end_ns = now_ns_;
        write(std::exchange(span, {}));
    }

    void write(const Span& span) {
        json out{{"traceId", trace_}, {"spanId", span.id}, {"name", span.name}, {"kind", span.kind}, {"attributes", span.attributes}};
        out["startTimeUnixNano"] = std::to_string(span.begin_ns);
        out["endTimeUnixNano"] = std::to_string(span.end_ns);
        if (!span.parent.empty()) {
            out["parentSpanId"] = span.parent;
        }
        out["status"] = span.error.empty() ? json{{"code", 1}} : json{{"code", 2}, {"message", span.error}};
        spans_.push_back(std::move(out));
    }

    std::string session_;
    json opened_;
    json spans_ = json::array();
    Span task_;
    Span step_;
    Span stage_;
    json sampling_;
    std::string verb_;
    std::string trace_;
    std::int64_t base_ns_ = 0;
    bool has_base_ = false;
    std::int64_t now_ns_ = 0;
    std::int64_t last_end_ns_ = 0;
    std::uint64_t ids_ = 0;
};

} // namespace

Result<std::string> export_otel(const Recording& recording) {
    Tracer tracer(recording);
    for (std::uint64_t next = 1;;) {
        const std::vector<StoredEvent> page = TRY(recording.events(next, kPageEvents));
        if (page.empty()) {
            return tracer.take();
        }
        for (const StoredEvent& event : page) {
            tracer.add(event);
        }
        next = page.back().seq + 1;
    }
}

} // namespace handeye
