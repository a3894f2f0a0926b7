// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/names.h"

#include "actions/vocabulary.h"
#include "agent/taskfile/check.h"
#include "agent/taskfile/expression.h"
#include "agent/taskfile/policy.h"
#include "agent/taskfile/scalars.h"
#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

using Names = std::set<std::string, std::less<>>;

std::vector<std::string_view> views(const Names& names) { return {names.begin(), names.end()}; }

/// Every output that some step of the list, or of one within it, sets.
void collect_outputs(const Node& steps, Names& out) {
    for (const Node& step : steps.items) {
        for (const std::string_view verb : {"extract", "set", "ask"}) {
            const Node* const call = step.find(verb);
            if (call != nullptr && call->find("as") != nullptr) {
                out.insert(text_of(*call, "as"));
            }
        }
        if (const Node* const inner = step.find("steps"); inner != nullptr) {
            collect_outputs(*inner, out);
        }
    }
}

class Walk {
public:
    Walk(const Node& file, std::vector<Mistake>& mistakes) : file_(file), mistakes_(mistakes), known_(mistakes.size()) {
        for (const Mistake& mistake : mistakes) {
            hidden_ = std::max(hidden_, mistake.hides);
        }
    }

    NamesRead whole() {
        variables();
        if (const Node* const policy = file_.find("policy"); policy != nullptr && verbs_exist(*policy) && known_ == 0) {
            if (const auto made = policy_of(*policy); !made) {
                tell(policy->place, made.error().message);
            }
        }
        for (const char* const list : {"steps", "finally"}) {
            if (const Node* const steps = file_.find(list); steps != nullptr) {
                collect_outputs(*steps, all_outputs_);
            }
        }
        if (const Node* const list = file_.find("on_interstitial"); list != nullptr) {
            for (const Node& item : list->items) {
                object(item, ShapeId::Interstitial);
            }
        }
        for (const char* const list : {"steps", "finally"}) {
            if (const Node* const steps = file_.find(list); steps != nullptr) {
                this->steps(*steps);
            }
        }
        return std::move(read_);
    }

private:
    void tell(Place place, std::string message) {
        const auto known_end = mistakes_.begin() + static_cast<std::ptrdiff_t>(known_);
        const bool is_known = std::any_of(mistakes_.begin(), known_end, [&](const Mistake& mistake) { return mistake.place == place; });
        if (!is_known && mistakes_.size() < kMistakesMax) {
            mistakes_.push_back({place, std::move(message)});
        }
    }
    /// Of a name that nothing defines: it may be in what was not understood.
    void tell_undefined(Place place, Mistake::Hides unless_hidden, std::string message) {
        if (hidden_ < unless_hidden) {
            tell(place, std::move(message));
        }
    }

    // --- variables ---------------------------------------------------------------------------------------------------------

    void variables() {
        const Node* const vars = file_.find("vars");
        if (vars == nullptr) {
            return;
        }
        for (const Entry& entry : vars->entries) {
            const std::string type = text_of(entry.value, "type");
            (type == "secret" ? secrets_ : vars_).insert(entry.key);
            variable(entry, type);
        }
    }
    void variable(const Entry& entry, const std::string& type) {
        const Node& row = entry.value;
        const auto only_for = [&](const char* field, std::string_view want) {
            if (const Node* const node = row.find(field); node != nullptr && type != want) {
                tell(node->place, fmt::format("\"{}\" is for a {}, and {} is a {}", field, want, entry.key, type));
            }
        };
        only_for("pattern", "string");
        only_for("choices", "string");
        only_for("min", "number");
        only_for("max", "number");
        only_for("from", "secret");
        const Node* const standard = row.find("default");
        if (type == "secret") {
            secret(entry, standard);
        } else if (standard != nullptr) {
            if (is_set(row, "required")) {
                tell(standard->place, fmt::format("{} is required and has a default: it is one of them", entry.key));
            }
            default_of(entry.key, type, *standard);
        }
    }
    void secret(const Entry& entry, const Node* standard) {
        if (standard != nullptr) {
            tell(standard->place, fmt::format("{} is a secret; its value does not stand in a file that people share: say where it comes \"from\"", entry.key));
        }
        const Node* const from = entry.value.find("from");
        constexpr std::array<std::string_view, 3> kSources{"env:", "file:", "store:"};
        const std::string text = from != nullptr ? from->scalar : "";
        const bool is_known = std::any_of(kSources.begin(), kSources.end(), [&](std::string_view source) { return text.starts_with(source) && text.size() > source.size(); });
        if (!is_known) {
            tell(from != nullptr ? from->place : entry.place, fmt::format("the secret {} needs \"from\": env:NAME, file:PATH or store:NAME", entry.key));
        }
    }
    void default_of(const std::string& name, const std::string& type, const Node& value) {
        const bool is_number = value.kind == Node::Kind::Scalar && !value.is_quoted && parse_expression(value.scalar) && value.scalar.find_first_not_of("-0123456789.eE") == std::string::npos;
        const bool fits = type == "list"      ? value.kind == Node::Kind::List
                          : type == "number"  ? is_number
                          : type == "boolean" ? !value.is_quoted && (value.scalar == "true" || value.scalar == "false")
                                              : value.kind == Node::Kind::Scalar;
        if (!fits) {
            tell(value.place, fmt::format("the default of {} is no {}", name, type));
        }
    }

    // --- policy --------------------------------------------------------------------------------------------------------------

    bool verbs_exist(const Node& policy) {
        const std::size_t before = mistakes_.size();
        verbs(policy.find("verbs"));
        for (const char* const key : {"deny", "confirm"}) {
            if (const Node* const rules = policy.find(key); rules != nullptr) {
                for (const Node& rule : rules->items) {
                    verbs(rule.find("verb"));
                }
            }
        }
        return mistakes_.size() == before;
    }
    void verbs(const Node* list) {
        if (list == nullptr) {
            return;
        }
        for (const Node& verb : list->items) {
            if (find_verb(verb.scalar) == nullptr) {
                std::vector<std::string_view> known;
                std::transform(verb_table().begin(), verb_table().end(), std::back_inserter(known), [](const VerbRow& row) { return row.verb; });
                tell(verb.place, fmt::format("there is no verb \"{}\"; {}", verb.scalar.substr(0, 40), suggestion(verb.scalar, "verbs", known)));
            }
        }
    }

    // --- steps -------------------------------------------------------------------------------------------------------------

    void steps(const Node& list) {
        for (const Node& step : list.items) {
            this->step(step);
        }
    }
    void step(const Node& step) {
        const std::string_view verb = verb_of(step);
        if (const Node* const id = step.find("id"); id != nullptr && !ids_.insert(id->scalar).second) {
            tell(id->place, fmt::format("there is a step \"{}\" already", id->scalar));
        }
        if (const Node* const retry = step.find("retry"); retry != nullptr && is_set(step, "irreversible") && !is_set(step, "idempotent")) {
            tell(retry->place, "an irreversible step is never tried twice; \"idempotent: true\" says that this does no harm");
        }
        const bool is_loop = verb == "for_each" || verb == "repeat" || verb == "group";
        if (is_loop && step.find("steps") == nullptr) {
            tell_undefined(step.place, Mistake::Hides::Outputs, fmt::format("{} needs \"steps\"", verb));
        }
        for (const Entry& entry : step.entries) {
            if (entry.key != "steps") {
                field(entry, *shape_of(ShapeId::Step).find(entry.key), ShapeId::Step);
            }
        }
        if (const Node* const inner = step.find("steps"); inner != nullptr) {
            inner_steps(step, verb, *inner);
        }
        if (const Node* const call = step.find(verb); call != nullptr && call->find("as") != nullptr && verb != "for_each") {
            outputs_.insert(text_of(*call, "as"));
        }
        if (const Node* const id = step.find("id"); id != nullptr) {
            done_ids_.insert(id->scalar);
        }
    }
    void inner_steps(const Node& step, std::string_view verb, const Node& inner) {
        if (verb != "for_each") {
            steps(inner);
            return;
        }
        const Node& call = *step.find("for_each");
        const std::string name = call.find("as") != nullptr ? text_of(call, "as") : "item";
        if (name == "vars" || name == "outputs" || name == "steps") {
            tell(call.place, fmt::format("an item cannot be called \"{}\"", name));
        }
        const bool is_new = items_.insert(name).second;
        if (!is_new) {
            tell(call.place, fmt::format("the item of the loop around this one is called \"{}\" too", name));
        }
        steps(inner);
        if (is_new) {
            items_.erase(name);
        }
    }

    // --- every text and expression of an object ------------------------------------------------------------------------------

    void object(const Node& node, ShapeId id) {
        const Shape& shape = shape_of(id);
        if (id == ShapeId::Step) {
            step(node);
            return;
        }
        for (const Entry& entry : node.entries) {
            if (const Field* const row = shape.find(entry.key); row != nullptr) {
                field(entry, *row, id);
            }
        }
        if (const Node* const min = node.find("min"); min != nullptr && node.find("votes") != nullptr && min->scalar.size() == 1 && min->scalar > text_of(node, "votes")) {
            tell(min->place, fmt::format("{} of {} votes cannot be reached", min->scalar, text_of(node, "votes")));
        }
    }
    void field(const Entry& entry, const Field& row, ShapeId shape) {
        const bool may_hold_secret = shape == ShapeId::Type && row.name == "text";
        if (row.type.is_list && entry.value.kind == Node::Kind::List) {
            for (const Node& item : entry.value.items) {
                value(item, row, may_hold_secret);
            }
            return;
        }
        if (shape == ShapeId::ForEach && row.name == "in") {
            list_to_go_through(entry.value);
            return;
        }
        if (shape == ShapeId::Run && row.name == "vars") {
            variables_of_run(entry.value);
            return;
        }
        value(entry.value, row, may_hold_secret);
    }
    void value(const Node& node, const Field& row, bool may_hold_secret) {
        if (row.type.kind == Kind::Object) {
            object(node, row.type.shape);
        } else if (row.type.kind == Kind::Text || row.type.kind == Kind::Search) {
            text(node, may_hold_secret);
        } else if (row.type.kind == Kind::Expression) {
            expression(node, node.scalar, 0, false);
        }
    }
    void text(const Node& node, bool may_hold_secret) {
        const auto pieces = parse_text(node.scalar);
        if (!pieces) {
            return; // told by check.cpp
        }
        for (const TextPiece& piece : *pieces) {
            if (piece.is_reference) {
                expression(node, piece.text, piece.offset, may_hold_secret);
            }
        }
    }
    void list_to_go_through(const Node& node) {
        if (node.kind == Node::Kind::List) {
            for (const Node& item : node.items) {
                if (item.kind == Node::Kind::Scalar) {
                    text(item, false);
                }
            }
            return;
        }
        const auto pieces = parse_text(node.scalar);
        if (node.kind != Node::Kind::Scalar || !pieces || pieces->size() != 1 || !pieces->front().is_reference) {
            tell(node.place, "for_each goes through a list, or a reference to one such as \"${vars.rows}\"");
            return;
        }
        text(node, false);
    }
    void variables_of_run(const Node& node) {
        if (node.kind != Node::Kind::Map) {
            tell(node.place, "the variables of a task file are a map of names");
            return;
        }
        for (const Entry& entry : node.entries) {
            if (entry.value.kind == Node::Kind::Scalar) {
                if (const auto pieces = parse_text(entry.value.scalar); !pieces) {
                    tell(entry.value.place, pieces.error().message);
                }
                text(entry.value, true); // a secret handed on stays one: the file that is run declares it so
            }
        }
    }

    // --- names -------------------------------------------------------------------------------------------------------------

    void expression(const Node& node, const std::string& source, std::size_t offset, bool may_hold_secret) {
        const auto parsed = parse_expression(source);
        if (!parsed) {
            return;
        }
        for (const Expression* const name : names_in(*parsed)) {
            reference(place_in(node, offset + name->offset), name->path, may_hold_secret);
        }
    }
    void reference(Place place, const std::vector<std::string>& path, bool may_hold_secret) {
        const std::string& head = path[0];
        if (items_.find(head) != items_.end()) {
            return;
        }
        if (head != "vars" && head != "outputs" && head != "steps") {
            Names heads{"vars", "outputs", "steps"};
            heads.insert(items_.begin(), items_.end());
            tell_undefined(place, Mistake::Hides::Outputs, fmt::format("there is no \"{}\"; {}", head.substr(0, 60), suggestion(head, "names here", views(heads))));
            return;
        }
        if (path.size() < 2) {
            tell(place, fmt::format("which of the {}? write {}.NAME", head, head));
            return;
        }
        head == "vars" ? variable_named(place, path[1], may_hold_secret) : head == "outputs" ? output_named(place, path[1]) : step_named(place, path);
    }
    void variable_named(Place place, const std::string& name, bool may_hold_secret) {
        read_.vars.insert(name);
        if (secrets_.find(name) != secrets_.end()) {
            if (!may_hold_secret) {
                tell(place, fmt::format("the secret \"{}\" stands only in the text of \"type\": nothing else may show it", name));
            }
            return;
        }
        if (vars_.find(name) == vars_.end()) {
            Names all = vars_;
            all.insert(secrets_.begin(), secrets_.end());
            tell_undefined(place, Mistake::Hides::Everything, fmt::format("there is no variable \"{}\"; {}", name, suggestion(name, "variables", views(all))));
        }
    }
    void output_named(Place place, const std::string& name) {
        read_.outputs.insert(name);
        if (outputs_.find(name) != outputs_.end()) {
            return;
        }
        if (all_outputs_.find(name) != all_outputs_.end()) {
            tell(place, fmt::format("outputs.{} is read before the step that sets it", name));
            return;
        }
        tell_undefined(place, Mistake::Hides::Outputs, fmt::format("nothing sets outputs.{}; {}", name, suggestion(name, "outputs", views(all_outputs_))));
    }
    void step_named(Place place, const std::vector<std::string>& path) {
        constexpr std::array<std::string_view, 4> kProperties{"ok", "skipped", "attempts", "error"};
        if (done_ids_.find(path[1]) == done_ids_.end()) {
            tell_undefined(place, Mistake::Hides::Outputs, fmt::format("no step \"{}\" comes before this; {}", path[1], suggestion(path[1], "steps with an id", views(done_ids_))));
        } else if (path.size() != 3 || std::find(kProperties.begin(), kProperties.end(), path[2]) == kProperties.end()) {
            tell(place, fmt::format("of a step there are {}: steps.{}.ok", fmt::join(kProperties, ", "), path[1]));
        }
    }

    const Node& file_;
    std::vector<Mistake>& mistakes_;
    const std::size_t known_; ///< of them those of before
    Mistake::Hides hidden_ = Mistake::Hides::Nothing;
    Names vars_, secrets_, outputs_, all_outputs_, ids_, done_ids_, items_;
    NamesRead read_;
};

} // namespace

NamesRead check_names(const Node& file, std::vector<Mistake>& mistakes) { return Walk(file, mistakes).whole(); }

} // namespace handeye::taskfile
