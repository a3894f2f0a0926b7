// SPDX-License-Identifier: Apache-2.0
// A recording's events gathered by task and step, for the report. Inside this folder only.
#pragma once

#include "agent/recorder.h"
#include "base/result.h"

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace handeye::report {

using nlohmann::json;

/// What one step left in the log; null where it left nothing.
struct StepRecord {
    int index = 0;
    json before;
    json after;
    std::vector<json> prompts; ///< one per attempt
    std::vector<json> answers;
    std::vector<json> proposals;
    json gated;
    json executed;
    json verified;
    json finished;
    std::vector<json> loops;
    std::vector<json> budgets;
};

struct TaskRecord {
    int index = 0;
    json started;
    json finished; ///< null: the recording ends before the task does
    std::string started_at;
    std::vector<StepRecord> steps;
};

struct SessionRecord {
    std::string session_id;
    json opened;
    std::vector<TaskRecord> tasks;
    std::uint64_t events = 0;
    bool is_sealed = false;
    std::string damage; ///< why reading stopped early; empty: it did not
};

/// Reads as far as the recording is whole; what follows a damaged event is left out and `damage` says so.
SessionRecord collect(const Recording& recording);
/// Of all tasks.
std::size_t count_steps(const SessionRecord& session);

// Fields of events that may come from anywhere: the fallback where one is missing or of another type.
std::string text_of(const json& object, const char* key, const std::string& fallback = "");
double number_of(const json& object, const char* key, double fallback = 0);
const json& field_of(const json& object, const char* key);

} // namespace handeye::report
