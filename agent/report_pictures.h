// SPDX-License-Identifier: Apache-2.0
// The pictures of a report within a budget: each once, as recorded while there is room, smaller and lossy when there are many.
// They are classes of a style sheet, or inert text from which a script takes those in sight. Inside this folder only.
#pragma once

#include "agent/recorder.h"
#include "agent/report_model.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace handeye::report {

/// How all pictures of a report are written.
struct PictureForm {
    int percent = 100; ///< of the recorded width and height
    int quality = 0;   ///< WebP; 0: the PNG as it was recorded
};

/// Where a page keeps its pictures.
enum class PictureStore { StyleSheet, InertText };

class Pictures {
public:
    struct Limits {
        std::size_t bytes_max = 0; ///< of the finished text
        int count_max = 0;
        std::string prefix = "f"; ///< of the pictures' names: pages of two recordings have two. Letters, digits and "-"
    };
    /// Reads the frames of all steps and writes those that fit.
    Pictures(const Recording& recording, const SessionRecord& session, PictureStore store, const Limits& limits);

    /// The attribute that shows a frame, by its hash; empty: it is left out, or not in the recording.
    [[nodiscard]] std::string attribute_of(const std::string& sha256) const;
    /// The style sheet, or the elements with the inert text.
    [[nodiscard]] const std::string& text() const { return text_; }
    /// Of one colour, where a program was still to be started.
    [[nodiscard]] bool is_blank(const std::string& sha256) const { return blank_.contains(sha256); }
    [[nodiscard]] int left_out() const { return left_out_; }
    [[nodiscard]] bool is_as_recorded() const { return form_.quality == 0; }
    /// What was done to make them fit.
    [[nodiscard]] std::string form_words() const;

private:
    void find_blank(const Recording& recording, const SessionRecord& session);
    void add(const Recording& recording, const std::vector<std::string>& names, std::size_t bytes_max);

    PictureStore store_;
    std::string prefix_;
    PictureForm form_;
    std::set<std::string> blank_, looked_at_;
    std::map<std::string, std::string> names_; ///< in the page, by hash
    std::string text_;
    int left_out_ = 0;
};

} // namespace handeye::report
