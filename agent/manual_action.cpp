// SPDX-License-Identifier: Apache-2.0
#include "agent/manual_action.h"

#include "actions/parse.h"
#include "agent/drop_guard.h"
#include "agent/events.h"
#include "agent/window_facts.h"
#include "base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

double ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

// The one place where words are taken out: before anything is stored.
void hide_text(json& value) {
    if (value.is_object()) {
        for (auto& [key, inner] : value.items()) {
            const bool holds_text = (key == "text" || key == "type" || key == "summary" || key == "call") && inner.is_string();
            if (holds_text) {
                inner = "(secret)";
            } else {
                hide_text(inner);
            }
        }
    } else if (value.is_array()) {
        for (json& inner : value) {
            hide_text(inner);
        }
    }
}

Result<void> store(const ManualContext& with, const ManualAction& manual, SessionEvent event) {
    json data = json::parse(event.data_json, nullptr, false);
    data.erase("task"); // of no task, no step
    data.erase("step");
    data.erase("attempt");
    data["input"] = true;
    data["by"] = manual.by;
    if (manual.secrecy == Secrecy::Secret) {
        hide_text(data);
        event.blobs.clear();
    }
    event.data_json = dump_json(data);
    event.mono = with.clock.now();
    event.wall = with.clock.wall_now();
    TRY(with.sink.on_event(event));
    return {};
}

GateDecision decide(ActionFacts& facts, const ManualContext& with) {
    if (with.gate.needs_windows()) {
        add_windows(facts, with.platform);
    }
    GateDecision decision = with.gate.decide(facts);
    if (decision.gate == Gate::Ask) {
        decision.gate = with.may_approve ? Gate::Allow : Gate::Deny;
        decision.reason = with.may_approve ? "asked for by somebody who may approve it" : "a person has to approve this; the scope approve is needed";
    }
    return decision;
}

Result<void> execute_into(ManualResult& out, const ManualContext& with, FocusGuard focus, const std::stop_token& stop) {
    DropGuard drop({with.platform, with.clock}, out.action, out.plan);
    const auto before = [&](const Op& op) -> Result<void> {
        if (with.may_go_on) {
            TRY(with.may_go_on());
        }
        TRY(drop.before(op, stop));
        return focus.before(op, with.platform, stop);
    };
    const ExecuteOptions options{.settle = with.settle,
                                 .before = before,
                                 .after = [&drop] { drop.thaw(); },
                                 .piece_characters = with.gate.needs_windows() ? FocusGuard::kPieceCharacters : 0};
    Result<ActionResult> result = execute(out.plan, with.platform, with.clock, options, stop);
    if (result) {
        out.result = *std::move(result);
        return {};
    }
    out.result.certainty = Certainty::Refused;
    out.result.reason = result.error().message;
    return {};
}

} // namespace

Result<ManualResult> perform_manually(const ManualAction& manual, const ManualContext& with, const std::stop_token& stop) {
    ManualResult out;
    out.action = TRY(parse_action(manual.action_text));
    ParsedReply proposed;
    proposed.action = out.action;
    TRY(store(with, manual, events::action_proposed({}, proposed)));
    const Size size = TRY(with.platform.capture()).image.size();
    const Result<std::vector<Element>> told = with.platform.elements(); // on a screen that moves there may be none, and points do without
    const std::vector<Element> elements = told.value_or(std::vector<Element>());
    ActionFacts facts;
    Result<Plan> plan = resolve(out.action, {.picture = size, .target = size, .elements = elements});
    if (!plan && !told) {
        plan = told.error();
    }
    if (plan) {
        out.plan = *std::move(plan);
        facts = facts_of(out.action, out.plan, elements, with.clock.wall_now());
        out.gate = decide(facts, with);
        TRY(store(with, manual, events::action_gated({}, out.gate)));
    }
    if (!plan || out.gate.gate != Gate::Allow) {
        out.result.certainty = Certainty::Refused;
        out.result.reason = plan ? out.gate.reason : plan.error().message;
    } else if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "cancelled before the first event"};
    } else {
        const Size now = TRY(with.platform.capture()).image.size(); // the picture that "changed" is measured against
        if (!(now == size)) {
            return Error{ErrorCode::OutOfBounds, fmt::format("the screen was {}x{} and is {}x{} now: the same place is another one; ask again", size.width_px, size.height_px,
                                                             now.width_px, now.height_px)};
        }
        TRY(execute_into(out, with, FocusGuard(std::move(facts), with.gate, FocusGuard::Others::WhereTheRulesAllowIt), stop));
    }
    TRY(store(with, manual, events::action_executed({}, out.plan, out.result)));
    return out;
}

std::string to_json_text(const ManualResult& done) {
    const ActionResult& result = done.result;
    json points = json::array();
    for (const CoordinateChain& chain : done.plan.points) {
        points.push_back({{"x", chain.target.point.x}, {"y", chain.target.point.y}});
    }
    json out{{"verb", verb_name(done.action)},
             {"certainty", certainty_name(result.certainty)},
             {"reason", result.reason},
             {"route", result.route},
             {"points", points},
             {"events_sent", result.events_sent},
             {"changed", result.settled.has_changed},
             {"settled", result.settled.is_quiet},
             {"input_ms", ms(result.input_time)},
             {"settle_ms", ms(result.settle_time)}};
    if (result.landed) {
        out["landed"] = {{"x", result.landed->x}, {"y", result.landed->y}};
    }
    return dump_json(out);
}

} // namespace handeye
