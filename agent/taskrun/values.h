// SPDX-License-Identifier: Apache-2.0
// The names of a task file while it runs: its variables, its outputs, what became of its steps, the items of its loops.
#pragma once

#include "agent/taskfile/tree.h"
#include "agent/text_pattern.h"
#include "base/result.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace handeye::taskrun {

/// What is given for the variables of a file: texts from a command line, or values from the file that runs it.
using Given = std::map<std::string, nlohmann::json>;

class Values {
public:
    /// Checks what is given against the file's `vars`. InvalidArgument names the variable, what it got and what it wants; NotFound
    /// a variable that the file does not have, or that it needs and did not get. `secret_name` tells what a secret of this file is
    /// called where it is typed.
    static Result<Values> of(const taskfile::Node& file, const Given& given, const std::function<std::string(const std::string& variable)>& secret_name);

    /// The text with its ${references} put in. InvalidArgument as evaluate().
    [[nodiscard]] Result<std::string> text(std::string_view raw) const;
    /// The same for what is typed: only here may secrets stand, as references. PermissionDenied when a value from elsewhere (read
    /// from the screen, say) pretends to be one.
    [[nodiscard]] Result<std::string> typed_text(std::string_view raw) const;
    /// A pattern in which what the references stand for is looked for as it is, whatever signs it holds.
    [[nodiscard]] Result<TextPattern> pattern(std::string_view raw) const;
    [[nodiscard]] Result<nlohmann::json> value(std::string_view expression) const;
    /// A node of any shape with the references in its texts put in; "${x}" alone keeps the type of x.
    [[nodiscard]] Result<nlohmann::json> json_of(const taskfile::Node& node) const;

    void set_output(const std::string& name, nlohmann::json value) { names_["outputs"][name] = std::move(value); }
    void set_item(const std::string& name, nlohmann::json value) { names_[name] = std::move(value); }
    void forget_item(const std::string& name) { names_.erase(name); }
    void set_step(const std::string& id, nlohmann::json what) { names_["steps"][id] = std::move(what); }
    [[nodiscard]] const nlohmann::json& outputs() const { return names_["outputs"]; }

private:
    nlohmann::json names_ = {{"vars", nlohmann::json::object()}, {"outputs", nlohmann::json::object()}, {"steps", nlohmann::json::object()}};
    std::map<std::string, std::string, std::less<>> secrets_; // variable and its name where it is typed
};

/// A value as text: strings as they are, whole numbers without a point.
std::string to_text(const nlohmann::json& value);

} // namespace handeye::taskrun
