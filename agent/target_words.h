// SPDX-License-Identifier: Apache-2.0
// A target in the words of a task file, by all that was seen of it: how it can be found again without a model.
#pragma once

#include "agent/locate/locate.h"
#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// What was seen of a target.
struct SeenTarget {
    Point at;                              ///< where the action went, in the picture
    std::string id, role, label_utf8;      ///< empty: nobody told
    std::string beside_utf8;               ///< the words next to a field without a label; empty: nobody told
    Rect box;                              ///< of the element; empty: nobody told
    int index = 1;                         ///< from the top, then from the left,
    int of = 0;                            ///< of so many that have its role and label
    std::function<Result<Image>()> picture;///< of the screen then; asked only where nothing else names the target
};
/// From an event's `target` point and `element` (docs/events.md, action.executed); the picture is the caller's to add. A window or panel is
/// no target: nothing is taken over from it.
SeenTarget seen_target(const nlohmann::json& point, const nlohmann::json& element);

class TargetWriter {
public:
    /// A text of the screen as a YAML string of the file, references included.
    using Words = std::function<std::string(const std::string& text)>;
    /// `reader` reads what stands on a target; it outlives this.
    TargetWriter(Locator& reader, Words words) : reader_(reader), words_(std::move(words)) {}

    /// A YAML flow mapping: `{role: "push button", label: "Save", exact: true, was: [4, 8, 80, 30]}`. A target without a name is named by
    /// the words on it, else by its picture, which is kept under `picture_name`, and the texts around it; a field by the words beside it,
    /// as they were told or are read. Unsupported where nothing tells the target from another. An Error of picture(), or OutOfBounds for a point outside of it.
    Result<std::string> write(const SeenTarget& target, const std::string& picture_name);
    /// PNG by name, of all that was written so far.
    [[nodiscard]] const std::map<std::string, std::vector<std::uint8_t>>& pictures() const { return pictures_; }

private:
    Result<std::string> as_field(const SeenTarget& target);
    Result<std::string> by_its_looks(const SeenTarget& target, const std::string& picture_name);
    /// False: it is of one colour, and not kept.
    Result<bool> keep_picture(const Image& frame, const SeenTarget& target, const std::string& name);

    Locator& reader_;
    Words words_;
    std::map<std::string, std::vector<std::uint8_t>> pictures_;
};

/// Whether a button with this label does what is done for good, or seen by others: "Delete", "Send", "Bezahlen", in the languages that
/// most buttons speak. A hint to be careful; what is not in the list may be irreversible all the same.
bool says_irreversible(const std::string& label_utf8);

/// Whether an element of this role holds text that a person types.
bool takes_text(const std::string& role);

/// A text as a YAML (and JSON) string in which "${" begins no reference.
std::string task_file_text(const std::string& text);

} // namespace handeye
