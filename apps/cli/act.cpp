// SPDX-License-Identifier: Apache-2.0
// `handeye act`: one action, in any dialect, on a target; says what is known about its effect.
#include "actions/execute.h"
#include "actions/parse.h"
#include "actions/resolve.h"
#include "agent/secret_platform.h"
#include "apps/cli/command.h"
#include "apps/cli/secret_option.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

constexpr int kExitNeedsPerson = 4;

nlohmann::json to_json(const Action& action, const Plan& plan, const ActionResult& result) {
    nlohmann::json out{{"action", nlohmann::json::parse(to_canonical_json(action))},
                       {"result", certainty_name(result.certainty)},
                       {"sent", result.route},
                       {"events", result.events_sent},
                       {"screen_changed", result.settled.has_changed},
                       {"settled", result.settled.is_quiet},
                       {"input_ms", std::chrono::duration<double, std::milli>(result.input_time).count()},
                       {"settle_ms", std::chrono::duration<double, std::milli>(result.settle_time).count()}};
    if (!result.reason.empty()) {
        out["reason"] = result.reason;
    }
    if (result.landed) {
        out["landed"] = {{"x", result.landed->x}, {"y", result.landed->y}};
    }
    for (const CoordinateChain& chain : plan.points) {
        out["aimed"].push_back({{"x", chain.target.point.x}, {"y", chain.target.point.y}});
    }
    return out;
}

std::string to_text(const Action& action, const ActionResult& result) {
    std::string text = fmt::format("{}: {}", verb_name(action), certainty_name(result.certainty));
    if (result.landed) {
        text += fmt::format(", pointer at ({}, {})", result.landed->x, result.landed->y);
    }
    if (result.events_sent > 0) {
        text += fmt::format(", by {}, {}", result.route, result.settled.has_changed ? "the screen changed" : "no change seen");
    } else {
        text += ", nothing was sent";
    }
    return result.reason.empty() ? text : text + ": " + result.reason;
}

/// A tap with a message is done when a person agrees, and nobody was asked here.
int say_unasked(const Action& action, const std::string& what, bool is_json) {
    const std::string reason = fmt::format("it wants a person's word first ({}); leave that out to have it done", what);
    if (is_json) {
        print_json({{"action", nlohmann::json::parse(to_canonical_json(action))}, {"result", certainty_name(Certainty::Refused)}, {"reason", reason}});
    } else {
        print(fmt::format("{}: {}, nothing was sent: {}", verb_name(action), certainty_name(Certainty::Refused), reason));
    }
    return kExitNeedsPerson;
}

} // namespace

Runner declare_act(CLI::App& app) {
    struct Options {
        TargetSpec target;
        std::string action;
        std::vector<std::string> secrets;
    };
    auto options = std::make_shared<Options>();
    add_target_options(app, options->target);
    app.add_option("ACTION", options->action,
                   "One action in any dialect (thousandths of the target), or in canonical form (target pixels)")
        ->required();
    add_secret_option(app, options->secrets);
    app.footer("Examples:\n"
               "  handeye act \"left_click(start_box='[500,312]')\"\n"
               "  handeye act '{\"action_type\":\"click\",\"box_2d\":[[480,300,520,330]]}'\n"
               "  handeye act 'do(action=\"Tap\", element=[500,312])'\n"
               "  handeye act '{\"verb\":\"type\",\"text\":\"Grüße, 世界\"}'\n"
               "  handeye act '{\"verb\":\"key\",\"keys\":\"ctrl+s\"}' --window Editor\n"
               "  handeye act '{\"verb\":\"type\",\"text\":\"{{secret:mail}}\"}' --secret mail=@/home/me/mail.txt\n"
               "Results: confirmed, unverifiable, suspected_noop (exit 0); partial, refused (exit 1).");
    return [options](const Context& context) -> Result<int> {
        const Action action = TRY(parse_action(options->action));
        if (const auto* const click = std::get_if<Click>(&action); click != nullptr && !click->ask_first.empty()) {
            return say_unasked(action, click->ask_first, context.json);
        }
        tell_of_rules_that_do_not_hold("this action");
        const SecretUse secrets = TRY(take_secrets(options->secrets));
        SystemClock clock;
        std::unique_ptr<Platform> target = TRY(open_target(options->target, clock, context.stop));
        const auto platform = std::make_unique<SecretPlatform>(std::move(target), secrets.grants);
        const Size size = TRY(platform->capture()).image.size();
        const Result<std::vector<Element>> told = platform->elements(); // on a screen that moves there may be none, and points do without
        const std::vector<Element> elements = told.value_or(std::vector<Element>());
        const Result<Plan> resolved = resolve(action, {.picture = size, .target = size, .elements = elements});
        if (!resolved && !told) {
            return told.error();
        }
        const Plan plan = TRY(resolved);
        if (const Size now = TRY(platform->capture()).image.size(); !(now == size)) { // the picture that "changed" is measured against
            return Error{ErrorCode::OutOfBounds, fmt::format("the screen was {}x{} and is {}x{} now: the same place is another one; try again", size.width_px, size.height_px,
                                                             now.width_px, now.height_px)};
        }
        const ActionResult result = TRY(execute(plan, *platform, clock, {}, context.stop));
        if (context.json) {
            print_json(to_json(action, plan, result));
        } else {
            print(to_text(action, result));
        }
        if (std::holds_alternative<AskUser>(action)) {
            return kExitNeedsPerson;
        }
        const bool fell_short = result.certainty == Certainty::Partial || result.certainty == Certainty::Refused;
        return context.stop.stop_requested() ? 3 : fell_short ? 1 : 0;
    };
}

} // namespace handeye::cli
