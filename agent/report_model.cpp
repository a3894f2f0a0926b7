// SPDX-License-Identifier: Apache-2.0
#include "agent/report_model.h"

#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr std::size_t kPageEvents = 256;
constexpr int kStepsMax = 100'000; // of a session; neither a forged number nor their count may make us allocate without end

TaskRecord& task_of(SessionRecord& session, const json& data) {
    const int index = static_cast<int>(std::clamp(number_of(data, "task"), 0.0, 1e6));
    if (session.tasks.empty() || session.tasks.back().index != index) {
        session.tasks.push_back({});
        session.tasks.back().index = index;
    }
    return session.tasks.back();
}

// Null when the event names no step.
StepRecord* step_of(SessionRecord& session, const json& data) {
    const int index = static_cast<int>(std::clamp(number_of(data, "step"), 0.0, double{kStepsMax}));
    if (index < 1) {
        return nullptr;
    }
    TaskRecord& task = task_of(session, data);
    if (task.steps.empty() || task.steps.back().index != index) {
        task.steps.push_back({});
        task.steps.back().index = index;
    }
    return &task.steps.back();
}

void add_to_step(StepRecord& step, const std::string& type, json data) {
    if (type == "observation.captured") {
        (text_of(data, "when") == "after" ? step.after : step.before) = std::move(data);
    } else if (type == "prompt.built") {
        step.prompts.push_back(std::move(data));
    } else if (type == "engine.finished") {
        step.answers.push_back(std::move(data));
    } else if (type == "action.proposed") {
        step.proposals.push_back(std::move(data));
    } else if (type == "action.gated") {
        step.gated = std::move(data);
    } else if (type == "action.executed") {
        step.executed = std::move(data);
    } else if (type == "action.verified") {
        step.verified = std::move(data);
    } else if (type == "task.step_finished") {
        step.finished = std::move(data);
    } else if (type == "loop.suspected") {
        step.loops.push_back(std::move(data));
    } else if (type == "budget.exceeded") {
        step.budgets.push_back(std::move(data));
    } // other types belong to a later version, or to none of a step's parts
}

void add(SessionRecord& session, const StoredEvent& event) {
    Result<json> parsed = parse_json(event.data_json, {.bytes_max = 16U << 20U, .depth_max = 64});
    if (!parsed || !parsed->is_object()) {
        return;
    }
    if (event.type == "session.opened") {
        session.opened = *std::move(parsed);
    } else if (event.type == "task.started") {
        TaskRecord& task = task_of(session, *parsed);
        task.started_at = event.t_wall;
        task.started = *std::move(parsed);
    } else if (event.type == "task.finished") {
        TaskRecord& task = task_of(session, *parsed); // first: json's assignment moves its right side early
        task.finished = *std::move(parsed);
    } else if (event.type == "taskfile.step_started" || event.type == "taskfile.step_finished") {
        add_file_step(session, event.type == "taskfile.step_started", *parsed);
    } else if (StepRecord* step = step_of(session, *parsed)) {
        add_to_step(*step, event.type, *std::move(parsed));
    }
}

// A person's steps were not timed by the loop; how long their input took is known.
void time_shown_steps(SessionRecord& session) {
    for (TaskRecord& task : session.tasks) {
        for (StepRecord& step : task.steps) {
            if (text_of(step.executed, "route") == "person" && step.finished.is_object()) {
                step.finished["timings_ms"] = {{"execute", number_of(step.executed, "input_ms")}};
            }
        }
    }
}

void read_events(const Recording& recording, SessionRecord& out) {
    for (;;) {
        const Result<std::vector<StoredEvent>> page = recording.events(out.events + 1, kPageEvents);
        if (!page) {
            out.damage = page.error().message;
            return;
        }
        if (page->empty()) {
            return;
        }
        for (const StoredEvent& event : *page) {
            add(out, event);
        }
        out.events = page->back().seq;
        if (count_steps(out) > kStepsMax || out.tasks.size() > kStepsMax) {
            out.damage = fmt::format("it holds more than {} steps; the rest is not read", kStepsMax);
            return;
        }
    }
}

} // namespace

SessionRecord collect(const Recording& recording) {
    SessionRecord out;
    out.session_id = recording.session_id();
    out.is_sealed = recording.is_sealed();
    read_events(recording, out);
    time_shown_steps(out);
    return out;
}

std::size_t count_steps(const SessionRecord& session) {
    std::size_t out = 0;
    for (const TaskRecord& task : session.tasks) {
        out += task.steps.size();
    }
    return out;
}

const json& field_of(const json& object, const char* key) {
    static const json kNull;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : kNull;
}

std::string text_of(const json& object, const char* key, const std::string& fallback) {
    const json& value = field_of(object, key);
    return value.is_string() ? value.get<std::string>() : fallback;
}

double number_of(const json& object, const char* key, double fallback) {
    const json& value = field_of(object, key);
    return value.is_number() ? value.get<double>() : fallback;
}

} // namespace handeye::report
