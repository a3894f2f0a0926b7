// SPDX-License-Identifier: Apache-2.0
// The words beside a field that has no label of its own: what a person takes for its name.
#pragma once

#include "agent/locate/locate.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Whether things of this role are named by what stands beside them: entries, combo boxes, sliders.
bool is_field(std::string_view role);

/// The label drawn left of a field in its row, else the one above it, with nothing else to work between; ":" and "*" at its end are left
/// out. What stands on a button or in a field is no label. Of a page of text only what nearly touches it is. Empty: there is none.
class FieldWords {
public:
    /// What lies between, and what the platform tells of texts. Nothing is kept of `elements`.
    explicit FieldWords(const std::vector<Element>& elements);
    /// Of the labels, headings and paragraphs of which the platform tells.
    [[nodiscard]] std::string told(const Rect& field) const { return among(field, texts_); }
    /// Of these, in the target's pixels.
    [[nodiscard]] std::string among(const Rect& field, std::span<const ReadText> words) const;

    static constexpr int kPageHeightPx = 120; ///< what is higher is a page of text

private:
    std::vector<Rect> controls_;
    std::vector<ReadText> texts_;
};

} // namespace handeye
