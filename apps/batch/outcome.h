// SPDX-License-Identifier: Apache-2.0
// What came of a file of questions: counted, written down line by line, and told to a person.
#pragma once

#include "apps/batch/asking.h"
#include "apps/batch/score.h"
#include "base/wilson.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::batch {

/// An item that was answered.
struct Scored {
    const Item* item = nullptr;
    const Answer* answer = nullptr;
    Reading reading;
    std::optional<Verdict> verdict; ///< unset: nothing was scored
};

struct Outcome {
    std::string file;
    std::string model;
    std::string rule;
    std::string judge;                 ///< empty: none
    std::size_t chosen = 0;            ///< items of this run, answered or not
    std::vector<Scored> answered;      ///< in the order of the file
    std::vector<BadLine> bad;          ///< lines that are no items
    std::vector<BadLine> unanswered;   ///< items that could not be asked
    std::vector<BadLine> unjudged;     ///< answers on which the judge gave no verdict
    std::int64_t judge_tokens = 0;
    double seconds = 0;                ///< of this run, loading left out; 0: nothing was asked in it
    std::size_t asked_now = 0;         ///< in this run; the others were answered before
};

struct Totals {
    std::int64_t scored = 0;
    std::int64_t right = 0;
    ShareInterval interval;
    std::int64_t prompt_tokens = 0;
    std::int64_t image_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t closed_thoughts = 0; ///< by force
    std::int64_t cut_off = 0;         ///< ended by a bound of their length
    std::int64_t without_answer = 0;  ///< a thought and nothing behind it, or nothing at all
};
Totals totals_of(const Outcome& outcome);

/// A line of results.jsonl.
nlohmann::json to_json(const Scored& scored);
/// The whole, as --json prints it and results.json holds it: counts and failures, without the answers that are right.
nlohmann::json to_json(const Outcome& outcome);
/// The same for a terminal: a table, then what went wrong, ten of each kind.
std::string to_text(const Outcome& outcome);

/// The references as a person reads them: each by itself, or the box that they are.
std::vector<std::string> right_ones(const Item& item, std::string_view rule);
/// What is not right, in the order of the file.
std::vector<const Scored*> failures_of(const Outcome& outcome);

} // namespace handeye::batch
