// SPDX-License-Identifier: Apache-2.0
// The verb table: one row per verb, one column per dialect. Prompts, parser, API schema, policy and docs read it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// A language in which a model writes its action.
enum class Dialect {
    Canonical,      ///< {"verb":"click","x":160,"y":70}: scripts and the API
    GlmMobile,      ///< {"action_type":"click","box_2d":[[..]]}
    GlmDesktop,     ///< left_click(start_box='[x,y]', element_info='..')
    GlmWebMarks,    ///< Click [12]
    GlmWebPoints,   ///< CLICK(point=(214,100), element_info='..')
    AutoGlm,        ///< do(action="Tap", element=[x,y]), finish(message="..")
};
std::string_view dialect_name(Dialect dialect);
/// All but Canonical: those that a prompt can ask for.
std::span<const Dialect> model_dialects();

/// One parameter of a verb in one dialect, as function schemas in prompts describe it.
struct VerbParameter {
    std::string_view name;
    std::string_view type;     ///< "string", "boolean", "integer", "array"
    std::string_view meaning;
    bool is_required = false;
    std::string_view choices = {}; ///< "up|down": the only values; empty: any
};

/// How one dialect writes one verb: for prompts and docs.
struct VerbForm {
    std::string_view name;    ///< the word itself: "left_click"
    std::string_view form;    ///< the call with its parameters
    std::string_view meaning; ///< one line for the model, in our own words
    int order = 0;            ///< place in the prompts of this dialect, from 1
    std::string_view group = {}; ///< forms that a prompt with function schemas tells together, by that section's title
    std::string_view note = {};  ///< a second line for the model
    std::span<const VerbParameter> parameters = {};
};

struct VerbRow {
    std::string_view verb;      ///< canonical name
    std::string_view help;      ///< one line for a person
    std::string_view example;   ///< canonical JSON
    std::optional<VerbForm> mobile;
    std::optional<VerbForm> desktop;
    std::optional<VerbForm> web_marks;
    std::optional<VerbForm> web_points = {};
    std::optional<VerbForm> auto_glm = {};
};

/// All verbs.
std::span<const VerbRow> verb_table();
/// A row by its canonical name; nullptr when there is none.
const VerbRow* find_verb(std::string_view verb);
/// The canonical names of the verbs that are called so, canonically or in any dialect: "left_click" is "click". Empty: none is.
std::vector<std::string_view> verbs_called(std::string_view name);
/// How a row is written in a dialect; nullptr where that dialect has no such verb, and for Dialect::Canonical.
const VerbForm* form_of(const VerbRow& row, Dialect dialect);
/// The dialect whose prompts call an action so, spelled so: "CLICK" is GlmWebPoints, "do" AutoGlm. GlmDesktop where none does, since
/// its calls are what other agents write most like.
Dialect dialect_of_call(std::string_view name);
/// The rows that a dialect has, in the order in which its prompts list them.
std::vector<const VerbRow*> verbs_of(Dialect dialect);

} // namespace handeye
