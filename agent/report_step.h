// SPDX-License-Identifier: Apache-2.0
// One step of a report: what was seen, done and came of it, with its pictures, its place from the model's number to the pointer,
// its times and its texts. Inside this folder only.
#pragma once

#include "agent/recorder.h"
#include "agent/report_pictures.h"
#include "agent/report_words.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace handeye::report {

/// The name of a step's element in the page.
std::string anchor(const TaskRecord& task, const StepRecord& step);
/// A coloured line with a message; nothing where the text is empty.
std::string note(std::string_view kind, const std::string& text);
/// A picture of the recording with something drawn over it, or why there is none.
std::string figure(const json& observation, const Pictures& pictures, std::string_view place, const std::string& caption, const std::string& overlay);
/// The screen before a step with the place where it acted; empty: there was no screen.
std::string before_figure(const StepRecord& step, const Pictures& pictures, Chooser chooser);
/// The way of each place: the model's number, the picture it was shown, the screen, what was sent, where the pointer landed.
struct Chain {
    std::string summary; ///< in numbers; empty: the step names no place
    std::string drawing; ///< a row of small frames for each place
};
Chain chain_of(const StepRecord& step);

/// Makes the article of a step. What it is given must outlive it.
class StepPage {
public:
    struct Options {
        Chooser chooser = Chooser::Model;
        std::size_t text_bytes_max = 0; ///< of one prompt or answer
        bool is_long = false; ///< of a long report's step the drawing of the chain is put in place when it is opened
    };
    StepPage(const Recording& recording, const Pictures& pictures, Options options) : recording_(recording), pictures_(pictures), options_(options) {}
    struct Article {
        std::string html;
        std::string folded; ///< what its details[data-from] is filled with when it is opened; empty: nothing is
    };
    [[nodiscard]] Article article(const TaskRecord& task, const StepRecord& step) const;

private:
    [[nodiscard]] std::string pictures_html(const StepRecord& step) const;
    [[nodiscard]] std::string slider_html(const StepRecord& step) const;
    [[nodiscard]] std::string effect_html(const StepRecord& step) const;
    [[nodiscard]] Result<std::string> text_at(const json& blob_name) const;
    [[nodiscard]] std::string prompt_html(const std::string& title, const TaskRecord& task, const StepRecord& step, const json& blob_name) const;
    [[nodiscard]] std::string cut(std::string_view text) const;
    [[nodiscard]] std::string details(const std::string& title, const json& blob_name) const;

    const Recording& recording_;
    const Pictures& pictures_;
    Options options_;
};

} // namespace handeye::report
