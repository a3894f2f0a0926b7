// SPDX-License-Identifier: Apache-2.0
#include "agent/events.h"

#include "agent/history.h"
#include "agent/target_facts.h"
#include "base/hash.h"
#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::events {
namespace {

using nlohmann::json;

constexpr std::size_t kOpsMax = 400; // of a plan; a drag has about 20, repeated keys may have more

double ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

json size_json(Size size) { return {{"width", size.width_px}, {"height", size.height_px}}; }
json point_json(Point point) { return {{"x", point.x}, {"y", point.y}}; }
json rect_json(Rect rect) { return {{"x", rect.x}, {"y", rect.y}, {"width", rect.width_px}, {"height", rect.height_px}}; }
json frame_point_json(const FramePoint& p) { return {{"x", p.point.x}, {"y", p.point.y}, {"frame", size_json(p.frame)}}; }

json spot_json(const Spot& spot) {
    json out{{"units", spot.units == Units::Thousandths ? "thousandths" : "pixels"}, {"x", spot.x}, {"y", spot.y}};
    if (spot.box) {
        out["box"] = {spot.box->x0, spot.box->y0, spot.box->x1, spot.box->y1};
    }
    return out;
}

json blob_json(const Blob& blob) {
    return {{"sha256", blob.sha256_hex}, {"media_type", blob.media_type}, {"bytes", blob.bytes->size()}};
}

json sampling_json(const SamplingOptions& s) {
    return {{"temperature", s.temperature}, {"top_p", s.top_p}, {"top_k", s.top_k},
            {"repetition_penalty", s.repetition_penalty}, {"seed", s.seed}};
}

json at_json(At at) { return {{"task", at.task}, {"step", at.step}}; }

json attempt_json(At at) {
    json out = at_json(at);
    out["attempt"] = at.attempt;
    return out;
}

SessionEvent event(std::string_view type, const json& data, Durability durability = Durability::Written) {
    SessionEvent out;
    out.type = type;
    out.data_json = dump_json(data);
    out.durability = durability;
    return out;
}

std::string_view button_name(MouseButton button) {
    switch (button) {
    case MouseButton::Left: return "left";
    case MouseButton::Middle: return "middle";
    case MouseButton::Right: return "right";
    }
    return "";
}

std::string_view edge_name(Edge edge) { return edge == Edge::Press ? "press" : "release"; }

struct OpToJson {
    json operator()(const InputEvent& input) const { return std::visit(*this, input); }
    json operator()(const PointerMove& op) const { return {{"move", point_json(op.to)}}; }
    json operator()(const PointerButton& op) const { return {{"button", button_name(op.button)}, {"edge", edge_name(op.edge)}}; }
    json operator()(const Wheel& op) const { return {{"wheel", {{"right", op.right_notches}, {"down", op.down_notches}}}}; }
    json operator()(const Key& op) const { return {{"key", op.keysym}, {"edge", edge_name(op.edge)}}; }
    json operator()(const Pause& op) const { return {{"pause_ms", ms(op.duration)}}; }
    json operator()(const TypeOp& op) const { return {{"type", op.text_utf8}}; }
    json operator()(const Command& command) const { return std::visit(*this, command); }
    json operator()(const LaunchApp& op) const { return {{"launch", op.argv}}; }
    json operator()(const FocusWindow& op) const { return {{"focus", op.title}}; }
    json operator()(const NavigateBack&) const { return {{"navigate", "back"}}; }
    json operator()(const NavigateHome&) const { return {{"navigate", "home"}}; }
    json operator()(const OpenUrl& op) const { return {{"open_url", op.url}}; }
};

json usage_json(const Usage& usage) {
    return {{"prompt_tokens", usage.prompt_tokens}, {"image_tokens", usage.image_tokens},
            {"completion_tokens", usage.completion_tokens}, {"reused_tokens", usage.reused_tokens},
            {"thinking_forced_close", usage.thinking_forced_close}};
}

json timings_json(const StepTimings& t) {
    return {{"capture", ms(t.capture)}, {"render", ms(t.render)},   {"generate", ms(t.generate)}, {"parse", ms(t.parse)},
            {"gate", ms(t.gate)},       {"resolve", ms(t.resolve)}, {"execute", ms(t.execute)},   {"settle", ms(t.settle)},
            {"verify", ms(t.verify)},   {"record", ms(t.record)}};
}

// The step in one word: what became of the action, or why there was none.
std::string_view step_result(const Step& step) {
    if (!step.interrupted.empty()) {
        return "interrupted";
    }
    if (!step.parsed) {
        return "no_action";
    }
    if (step.gate.gate == Gate::Deny) {
        return "denied";
    }
    return step.plan.ops.empty() && step.result.certainty == Certainty::Unverifiable ? "said" : certainty_name(step.result.certainty);
}

} // namespace

Blob text_blob(std::string_view text_utf8) {
    auto bytes = std::make_shared<const std::vector<std::uint8_t>>(text_utf8.begin(), text_utf8.end());
    return {to_hex(sha256(text_utf8)), "text/plain", std::move(bytes)};
}

namespace {
std::string_view role_name(Role role) {
    switch (role) {
    case Role::System: return "system";
    case Role::User: return "user";
    case Role::Assistant: return "assistant";
    case Role::Observation: return "observation";
    }
    return "";
}
} // namespace

std::string prompt_text(const ChatRequest& request) {
    const auto picture = [](const Image& image) { return fmt::format("<picture {}x{}>", image.size().width_px, image.size().height_px); };
    std::string out;
    for (const Message& message : request.messages) {
        if (request.messages.size() > 1) {
            out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n\n", role_name(message.role));
        }
        for (const Part& part : message.parts) {
            if (const auto* text = std::get_if<TextPart>(&part)) {
                out += text->text_utf8;
            } else if (const auto* image = std::get_if<ImagePart>(&part)) {
                out += picture(image->image);
            } else {
                for (const Image& frame : std::get<VideoPart>(part).frames) {
                    out += picture(frame);
                }
            }
        }
    }
    return out;
}

SessionEvent session_opened(const std::string& session_id, const SessionOptions& o, const DisplayInfo& display, const ModelInfo& model) {
    json monitors = json::array();
    for (const Monitor& monitor : display.monitors) {
        monitors.push_back({{"name", monitor.name}, {"area", rect_json(monitor.area)}, {"primary", monitor.is_primary}});
    }
    json data{
        {"session", session_id},
        {"platform", {{"name", display.platform}, {"backend", display.backend}, {"size", size_json(display.size)}, {"monitors", monitors}}},
        {"model", {{"name", model.name}, {"family", model.family}, {"weight_format", model.weight_format},
                   {"parameters", model.parameters}, {"context_tokens_max", model.context_tokens_max}, {"digest", o.model_digest}}},
        {"prompt", o.prompt},
        {"surface", surface_name(o.surface.value_or(Surface::Desktop))},
        {"budget", {{"steps_max", o.budget.steps_max}, {"wall_ms_max", ms(o.budget.wall_max)},
                    {"tokens_max", o.budget.tokens_max}, {"parse_failures_max", o.budget.parse_failures_max}}},
        {"policy", json::parse(policy_to_json(o.policy), nullptr, false)},
        {"sampling", sampling_json(o.sampling)},
        {"retry_sampling", sampling_json(o.retry_sampling)},
        {"max_new_tokens", o.max_new_tokens},
        {"thinking_budget", o.thinking_budget ? json(*o.thinking_budget) : json()},
    };
    return event("session.opened", data, Durability::Synced);
}

SessionEvent session_closed(int tasks) { return event("session.closed", {{"tasks", tasks}}, Durability::Synced); }

SessionEvent task_started(int task, const std::string& goal_utf8) {
    return event("task.started", {{"task", task}, {"goal", goal_utf8}}, Durability::Synced);
}

SessionEvent task_step_started(At at) { return event("task.step_started", at_json(at)); }

SessionEvent observation_captured(At at, std::string_view when, const Captured& captured) {
    json data = at_json(at);
    data["when"] = when;
    data["sequence"] = captured.screenshot->sequence;
    data["size"] = size_json(captured.screenshot->image.size());
    data["masks"] = captured.masks;
    data["capture_ms"] = ms(captured.capture_time);
    data["encode_ms"] = ms(captured.encode_time);
    data["frame"] = json();
    if (captured.frame) {
        data["frame"] = blob_json(captured.frame->blob);
    } else {
        data["withheld"] = captured.withheld;
    }
    SessionEvent out = event("observation.captured", data);
    if (captured.frame && captured.frame->is_new) {
        out.blobs.push_back(captured.frame->blob);
    }
    return out;
}

SessionEvent prompt_built(At at, const RenderedPrompt& prompt, const std::string& text, const std::string& prompt_name, Surface surface,
                          const SamplingOptions& sampling) {
    const Blob blob = text_blob(text);
    json pictures = json::array();
    for (const Message& message : prompt.request.messages) {
        for (const Part& part : message.parts) {
            if (const auto* image = std::get_if<ImagePart>(&part)) {
                pictures.push_back(size_json(image->image.size()));
            }
        }
    }
    json data = attempt_json(at);
    data["text"] = blob_json(blob);
    data["pictures"] = pictures;
    data["prompt"] = prompt_name;
    data["surface"] = surface_name(surface);
    data["dialect"] = dialect_name(prompt.dialect);
    data["sampling"] = sampling_json(sampling);
    SessionEvent out = event("prompt.built", data);
    out.blobs.push_back(blob);
    return out;
}

SessionEvent engine_finished(At at, const Result<Completion>& reply, Duration wall) {
    json data = attempt_json(at);
    data["wall_ms"] = ms(wall);
    if (!reply) {
        data["error"] = {{"code", error_code_name(reply.error().code)}, {"message", reply.error().message}};
        return event("engine.finished", data);
    }
    const Blob blob = text_blob(reply->text_utf8);
    const GenerationTimings& t = reply->usage.timings;
    data["text"] = blob_json(blob);
    data["stop_reason"] = stop_reason_name(reply->stop_reason);
    data["usage"] = usage_json(reply->usage);
    data["timings_ms"] = {{"preprocess", ms(t.preprocess)}, {"vision", ms(t.vision)}, {"prefill", ms(t.prefill)},
                          {"decode", ms(t.decode)}, {"first_token", ms(t.first_token)}};
    SessionEvent out = event("engine.finished", data);
    out.blobs.push_back(blob);
    return out;
}

SessionEvent model_asked(At at, const std::string& prompt, const ChatRequest& request) {
    json data = at_json(at);
    data["prompt"] = prompt;
    const Blob text = text_blob(prompt_text(request));
    data["text"] = blob_json(text);
    data["sampling"] = sampling_json(request.sampling);
    SessionEvent out = event("model.asked", data);
    out.blobs.push_back(text);
    return out;
}

SessionEvent action_proposed(At at, const ParsedReply& reply, const std::string& found_json, std::optional<double> confidence) {
    json data = attempt_json(at);
    data["verb"] = verb_name(reply.action);
    data["action"] = json::parse(to_canonical_json(reply.action), nullptr, false);
    data["summary"] = summarize(reply);
    data["call"] = reply.call;
    data["dialect"] = dialect_name(reply.dialect);
    data["thought"] = reply.thought;
    data["memory"] = reply.memory;
    data["warnings"] = reply.warnings;
    if (confidence) {
        data["confidence"] = *confidence;
    }
    if (!found_json.empty()) {
        data["found"] = json::parse(found_json, nullptr, false);
    }
    data["thinking"] = json();
    std::optional<Blob> thinking;
    if (!reply.thinking.empty()) {
        thinking = text_blob(reply.thinking);
        data["thinking"] = blob_json(*thinking);
    }
    SessionEvent out = event("action.proposed", data);
    if (thinking) {
        out.blobs.push_back(*thinking);
    }
    return out;
}

SessionEvent action_not_recognised(At at, const std::string& why) {
    json data = attempt_json(at);
    data["action"] = json();
    data["error"] = why;
    return event("action.proposed", data);
}

SessionEvent action_gated(At at, const GateDecision& decision) {
    json data = at_json(at);
    data["gate"] = gate_name(decision.gate);
    data["rule"] = decision.rule;
    data["reason"] = decision.reason;
    return event("action.gated", data);
}

SessionEvent approval_requested(const ApprovalRequest& request) {
    const json data{{"approval", request.approval},
                    {"task", request.task},
                    {"step", request.step},
                    {"action", json::parse(request.action_json, nullptr, false)},
                    {"action_digest", request.action_digest},
                    {"frame", request.frame_sha256.empty() ? json() : json(request.frame_sha256)},
                    {"window", request.window == 0 ? json() : json{{"title", request.window_title}, {"app", request.window_app}}},
                    {"crop", rect_json(request.crop)},
                    {"risk", request.risk},
                    {"reason", request.reason},
                    {"rule", request.rule},
                    {"expires_at", format_utc(request.expires_at)}};
    return event("approval.requested", data, Durability::Synced);
}

SessionEvent approval_decided(const std::string& approval, const ApprovalAnswer& answer) {
    const json data{{"approval", approval}, {"decision", approval_decision_name(answer.decision)}, {"by", answer.by}, {"note", answer.note}};
    return event("approval.decided", data, Durability::Synced);
}

SessionEvent approval_expired(const std::string& approval, std::string_view why) {
    return event("approval.expired", {{"approval", approval}, {"why", why}}, Durability::Synced);
}

SessionEvent task_state(int task, std::string_view state) { return event("task.state", {{"task", task}, {"state", state}}); }

SessionEvent action_executed(At at, const Plan& plan, const ActionResult& result, const std::vector<Element>& elements) {
    json data = at_json(at);
    json points = json::array();
    for (const CoordinateChain& chain : plan.points) {
        points.push_back({{"model", spot_json(chain.model)}, {"image", frame_point_json(chain.image)}, {"target", frame_point_json(chain.target)},
                          {"element", describe_element_at(elements, chain.target.point)}});
    }
    json ops = json::array();
    for (const Op& op : plan.ops) {
        if (ops.size() == kOpsMax) {
            data["ops_left_out"] = plan.ops.size() - kOpsMax;
            break;
        }
        ops.push_back(std::visit(OpToJson{}, op));
    }
    data["points"] = points;
    data["ops"] = ops;
    data["landed"] = result.landed ? point_json(*result.landed) : json();
    data["certainty"] = certainty_name(result.certainty);
    data["reason"] = result.reason;
    data["route"] = result.route;
    data["events_sent"] = result.events_sent;
    data["settled"] = {{"quiet", result.settled.is_quiet}, {"changed", result.settled.has_changed}, {"waited_ms", ms(result.settled.waited)}};
    data["input_ms"] = ms(result.input_time);
    data["settle_ms"] = ms(result.settle_time);
    return event("action.executed", data);
}

SessionEvent action_verified(At at, const Verified& verified) {
    json data = at_json(at);
    data["certainty"] = certainty_name(verified.certainty);
    data["reason"] = verified.reason;
    data["changed"] = verified.changed.size().is_empty() ? json() : rect_json(verified.changed);
    return event("action.verified", data);
}

SessionEvent task_step_finished(At at, const Step& step, const std::string& observation, std::int64_t tokens_so_far) {
    json data = at_json(at);
    data["result"] = step_result(step);
    data["observation"] = observation;
    data["tokens"] = tokens_so_far;
    data["timings_ms"] = timings_json(step.timings);
    return event("task.step_finished", data, Durability::Synced);
}

SessionEvent loop_suspected(At at, const StuckVerdict& verdict) {
    json data = at_json(at);
    data["rule"] = verdict.rule;
    data["message"] = verdict.message;
    data["stops"] = verdict.level == StuckLevel::Stuck;
    return event("loop.suspected", data);
}

SessionEvent budget_exceeded(At at, std::string_view budget, double used, double limit) {
    json data = at_json(at);
    data["budget"] = budget;
    data["used"] = used;
    data["limit"] = limit;
    return event("budget.exceeded", data);
}

SessionEvent task_finished(int task, const TaskReport& report) {
    const json data{{"task", task},
                    {"outcome", task_outcome_name(report.outcome)},
                    {"message", report.message},
                    {"answer", report.answer_utf8},
                    {"steps", report.steps},
                    {"tokens", report.tokens},
                    {"wall_ms", ms(report.wall)}};
    return event("task.finished", data, Durability::Synced);
}

} // namespace handeye::events
