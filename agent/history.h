// SPDX-License-Identifier: Apache-2.0
// What the next prompt is told of earlier steps: bounded in steps, bytes and pictures, so that step 50 costs what step 5
// costs. Inside this folder only.
#pragma once

#include "agent/step.h"
#include "prompts/render.h"

#include <string>
#include <vector>

namespace handeye {

struct HistoryLimits {
    std::size_t steps_max = 100;        ///< older ones are forgotten
    std::size_t full_steps_max = 8;     ///< of these the whole visible answer is told; of older ones the call alone
    std::size_t pictures_max = 4;       ///< more than any prompt shows
    std::size_t text_bytes_max = 2000;  ///< of one visible answer
    std::size_t short_bytes_max = 240;  ///< of a call or summary, and of older answers
    std::size_t observation_bytes_max = 700; ///< room for the list of actions that would have been understood
    std::size_t memory_bytes_max = 8000;
};

class History {
public:
    explicit History(HistoryLimits limits = {}) : limits_(limits) {}
    /// `observation`: what came of the step, in words for the model.
    void add(const Step& step, std::string observation);
    [[nodiscard]] const std::vector<HistoryStep>& steps() const { return steps_; }
    /// The newest memory that an answer carried.
    [[nodiscard]] const std::string& memory() const { return memory_; }

private:
    void forget();
    HistoryLimits limits_;
    std::vector<HistoryStep> steps_;
    std::string memory_;
};

/// "left_click Save", "type Ada": what the compact prompt lists.
std::string summarize(const ParsedReply& reply);
/// What came of the step: "Success", or why not. `nudge`: what the stuck detector wants said; empty: nothing.
std::string describe_effect(const Step& step, const std::string& nudge);
/// At most `bytes_max` bytes, cut between two characters, "..." where something is missing.
std::string clip_utf8(const std::string& text_utf8, std::size_t bytes_max);

} // namespace handeye
