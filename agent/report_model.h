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

    // Only after join_file_steps().
    std::string number;         ///< as the run told it: of the task file's steps; empty: `index` is it
    json file_step;             ///< the taskfile.step_finished of the step of the file that it is part of
    json failure;               ///< why that fell short, here
    bool is_after_late = false; ///< `after` is what the next step saw
};

/// A step of a task file, and which recorded steps were taken for it.
struct FileStep {
    std::size_t task = 0;           ///< place in SessionRecord::tasks
    std::size_t first = 0, end = 0; ///< places in its steps
    int number = 0;                 ///< from 1, in the order in which they began
    json data;
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
    std::vector<FileStep> file_steps; ///< in the order in which they ended
    std::vector<FileStep> open_file_steps; ///< that have not ended
    int file_steps_begun = 0;
    std::uint64_t events = 0;
    bool is_sealed = false;
    std::string damage; ///< why reading stopped early; empty: it did not
};

/// Reads as far as the recording is whole; what follows a damaged event is left out and `damage` says so.
SessionRecord collect(const Recording& recording);
/// An event taskfile.step_started or taskfile.step_finished.
void add_file_step(SessionRecord& session, bool is_start, const json& data);
/// For people: each recorded step learns its step of the file; one that fell short before it did anything becomes a step of its own,
/// without an index; the pointer that was moved aside is left out.
void join_file_steps(SessionRecord& session);
/// Of all tasks.
std::size_t count_steps(const SessionRecord& session);

// Fields of events that may come from anywhere: the fallback where one is missing or of another type.
std::string text_of(const json& object, const char* key, const std::string& fallback = "");
double number_of(const json& object, const char* key, double fallback = 0);
const json& field_of(const json& object, const char* key);

} // namespace handeye::report
