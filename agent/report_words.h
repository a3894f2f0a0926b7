// SPDX-License-Identifier: Apache-2.0
// What a report says of a recording: plain words for steps, targets and results. Pure. Inside this folder only.
#pragma once

#include "agent/report_model.h"

#include <string>
#include <string_view>

namespace handeye::report {

/// Who chose the actions of a session: a report of each speaks in its own words.
enum class Chooser { Model, Person };
Chooser chooser_of(const SessionRecord& session);

/// "1 step", "1 234 steps": the noun is the singular, its plural has an "s".
std::string counted(double count, std::string_view noun);
/// A word of the events as people write it: "no visible effect".
std::string human(std::string word);

/// The last action that was proposed; null: none was.
const json& proposal_of(const StepRecord& step);
const json& timings_of(const StepRecord& step);
std::string result_of(const StepRecord& step);
/// That for people: of a person's step only what was seen of it is known.
std::string result_words(const StepRecord& step, Chooser chooser);
/// Part of a step of a task file that the file itself carries out, not the model.
bool is_by_file(const StepRecord& step);
/// "3", "4.2": as the run numbered it.
std::string number_words(const StepRecord& step);
/// The result as a person understands it: "failed" where the step of the file fell short.
std::string shown_result(const StepRecord& step);
/// What the step's first place fell on: "“Save” (push button)"; empty: nothing was known to be there.
std::string element_words(const StepRecord& step);
/// "500, 312" of a place of an action; empty: it is not known.
std::string place_words(const json& point);
/// One line: what was done, and to what.
std::string step_title(const StepRecord& step, Chooser chooser);
/// "2026-11-21 10:44:40 UTC" of "2026-11-21T10:44:40.123Z".
std::string readable_time(const std::string& utc);

} // namespace handeye::report
