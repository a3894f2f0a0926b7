// SPDX-License-Identifier: Apache-2.0
// Whether an answer is right, by a rule that the documentation states word by word (docs/eval-jsonl.md). Pure.
#pragma once

#include "apps/batch/item.h"
#include "apps/batch/reading.h"
#include "base/result.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::batch {

enum class Rule { None, Exact, Contains, Number, Regex, Choice, Click, Judge };
/// "exact"; Rule::None is "none".
std::string_view rule_name(Rule rule);
std::optional<Rule> find_rule(std::string_view name);
std::vector<std::string> rule_names();

struct ScoreOptions {
    Rule rule = Rule::Exact;
    double tolerance = 0; ///< of numbers, as a share of the reference
};

/// Whether the references fit the rule: a number, a pattern that can be compiled, one of the choices, a box. For None and Judge any do.
Result<void> check_references(const Item& item, const ScoreOptions& options);

struct Verdict {
    bool is_right = false;
    std::string read; ///< what the rule made of the answer, for a person: "B", "12.5", "(451, 221)"
};
/// By any rule but None and Judge, of an item that check_references() let through. An answer that never came is wrong.
Verdict score(const Item& item, const Reading& reading, const ScoreOptions& options);

/// Where an answer clicks and the box that is right, in thousandths of the picture; nullopt: the references are no box.
struct ClickPlace {
    std::array<double, 4> box{};
    bool has_click = false;
    double x = 0;
    double y = 0;
};
std::optional<ClickPlace> click_and_box(const Item& item, const Reading& reading);

} // namespace handeye::batch
