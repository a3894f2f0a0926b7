// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/result.h"

#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using nlohmann::json;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string_view status_name(StepRecord::Status status) {
    switch (status) {
    case StepRecord::Status::Passed: return "passed";
    case StepRecord::Status::Failed: return "failed";
    case StepRecord::Status::Skipped: return "skipped";
    }
    return "failed";
}

// XML 1.0 has no way to write most control characters at all.
std::string xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\n': out += "&#10;"; break;
        default: out += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
        }
    }
    return out;
}

struct Cases {
    std::string text;
    int count = 0, failures = 0, skipped = 0;
};

void add_cases(const std::vector<StepRecord>& steps, const std::string& rounds_around, const JUnitSuite& suite, Cases& out) {
    for (const StepRecord& step : steps) {
        const bool is_failed = step.status == StepRecord::Status::Failed;
        const std::string rounds = step.round == 0 ? rounds_around : fmt::format("{}{}{}", rounds_around, rounds_around.empty() ? "" : ".", step.round);
        if (!step.steps.empty()) {
            add_cases(step.steps, rounds, suite, out);
            continue;
        }
        ++out.count;
        out.text += fmt::format("    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.3f}\"", xml(title_of(step, rounds)), xml(suite.name), xml(step.file), step.line,
                                seconds(step.took));
        if (step.status == StepRecord::Status::Skipped || (is_failed && step.is_optional)) {
            ++out.skipped;
            out.text += fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", xml(step.failure ? "optional: " + step.failure->message : step.note));
        } else if (is_failed) {
            ++out.failures;
            out.text += fmt::format(">\n      <failure type=\"{}\" message=\"{}\"/>\n    </testcase>\n", failure_name(step.failure ? step.failure->kind : FailureKind::Failed),
                                    xml(step.failure ? step.failure->message : ""));
        } else {
            out.text += "/>\n";
        }
    }
}

} // namespace

std::string_view failure_name(FailureKind kind) {
    switch (kind) {
    case FailureKind::TargetNotFound: return "target_not_found";
    case FailureKind::NoEffect: return "no_effect";
    case FailureKind::AssertFailed: return "assert_failed";
    case FailureKind::Timeout: return "timeout";
    case FailureKind::Refused: return "refused";
    case FailureKind::NeedsPerson: return "needs_person";
    case FailureKind::Failed: return "failed";
    case FailureKind::Over: return "over";
    }
    return "failed";
}

std::string to_text(const Drift& drift, std::string_view rung) {
    std::string out;
    const auto add = [&](int by, std::string_view ahead, std::string_view back) {
        out += by == 0 ? "" : fmt::format("{}{} px {}", out.empty() ? "" : " and ", std::abs(by), by > 0 ? ahead : back);
    };
    add(drift.right_px, "right", "left");
    add(drift.down_px, "down", "up");
    return drift.instead_of.empty() ? out : fmt::format("{}{}found by {} instead of {}", out, out.empty() ? "" : ", ", rung, drift.instead_of);
}

std::string title_of(const StepRecord& step, const std::string& rounds) {
    return fmt::format("{}:{}: {}{}{}{}", step.file, step.line, step.verb, step.label.empty() ? "" : " ", step.label, rounds.empty() ? "" : fmt::format(" [{}]", rounds));
}

json to_json(const StepRecord& step) {
    json out{{"file", step.file}, {"line", step.line}, {"verb", step.verb}, {"label", step.label}, {"status", status_name(step.status)}, {"seconds", seconds(step.took)}};
    if (!step.id.empty()) {
        out["id"] = step.id;
    }
    if (step.round > 0) {
        out["round"] = step.round;
    }
    if (step.attempts > 1) {
        out["attempts"] = step.attempts;
    }
    if (step.is_optional) {
        out["optional"] = true;
    }
    if (step.failure) {
        out["failure"] = {{"kind", failure_name(step.failure->kind)}, {"message", step.failure->message}, {"place", step.failure->place}};
    }
    if (!step.note.empty()) {
        out["note"] = step.note;
    }
    if (!step.rung.empty()) {
        out["found"] = {{"rung", step.rung}, {"score", step.score}, {"margin", step.margin}};
    }
    if (step.drift) {
        out["drift"] = {{"right", step.drift->right_px}, {"down", step.drift->down_px}, {"text", to_text(*step.drift, step.rung)}};
        if (!step.drift->instead_of.empty()) {
            out["drift"]["instead_of"] = step.drift->instead_of;
        }
    }
    if (step.point) {
        out["point"] = {{"x", step.point->x}, {"y", step.point->y}};
    }
    for (const StepRecord& inner : step.steps) {
        out["steps"].push_back(to_json(inner));
    }
    return out;
}

std::string to_junit(const JUnitSuite& suite, const std::vector<StepRecord>& steps) {
    Cases cases;
    add_cases(steps, "", suite, cases);
    return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                       "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\" time=\"{:.3f}\" timestamp=\"{}\">\n"
                       "    <properties>\n      <property name=\"outcome\" value=\"{}\"/>\n      <property name=\"message\" value=\"{}\"/>\n    </properties>\n{}"
                       "  </testsuite>\n</testsuites>\n",
                       xml(suite.name), cases.count, cases.failures, cases.skipped, seconds(suite.took), format_utc(suite.started), xml(suite.outcome), xml(suite.message), cases.text);
}

} // namespace handeye::taskrun
