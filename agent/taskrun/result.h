// SPDX-License-Identifier: Apache-2.0
// What became of each step of a task file, and how that is told to other programs.
#pragma once

#include "agent/step.h"
#include "base/clock.h"
#include "base/geometry.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::taskrun {

/// Why a step fell short. The first five are what `retry.on` names.
enum class FailureKind { TargetNotFound, NoEffect, AssertFailed, Timeout, Refused, NeedsPerson, Failed, Over };
std::string_view failure_name(FailureKind kind);

struct Failure {
    FailureKind kind = FailureKind::Failed;
    std::string message;
    TaskOutcome outcome = TaskOutcome::Failed; ///< of Over
    std::string place = {};                    ///< FILE:LINE of the innermost step that fell short; empty: it is still being carried out
};

/// How a target differs from what was recorded of it.
struct Drift {
    int right_px = 0; ///< from where its middle was to where it is
    int down_px = 0;
    std::string instead_of; ///< the surer rung by which the file would have it found; empty: it was found by that
    [[nodiscard]] bool is_none() const { return right_px == 0 && down_px == 0 && instead_of.empty(); }
};
/// "120 px right and 40 px up, found by text instead of structure"; empty for none.
std::string to_text(const Drift& drift, std::string_view rung);

struct StepRecord {
    std::string file;    ///< of the task file, as it was named
    int line = 1;
    int round = 0;       ///< of the loop right around it, from 1; 0: there is none
    std::string id, label, verb;
    enum class Status { Passed, Failed, Skipped } status = Status::Passed;
    bool is_optional = false;
    bool is_irreversible = false; ///< and not said to be harmless when done twice
    std::optional<Failure> failure;
    std::string note;    ///< what was not as it should be and did not matter
    std::string rung;    ///< how its target was found; empty: it had none
    double score = 0;
    double margin = 0;
    std::optional<Point> point;
    std::optional<Drift> drift; ///< unset: where it was is not known
    int attempts = 1;
    Duration took{};
    std::vector<StepRecord> steps; ///< within it
};

/// `FILE:LINE: verb label`, and at the end ` [ROUND]` of a step within loops, the outermost first: ` [2.1]`.
std::string title_of(const StepRecord& step, const std::string& rounds = "");
nlohmann::json to_json(const StepRecord& step);

struct JUnitSuite {
    std::string name;
    WallTime started{};
    Duration took{};
    std::string outcome, message;
};
/// The JUnit XML that build servers read: one test case for each step that has none within it.
std::string to_junit(const JUnitSuite& suite, const std::vector<StepRecord>& steps);

} // namespace handeye::taskrun
