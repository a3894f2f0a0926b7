// SPDX-License-Identifier: Apache-2.0
// The session's side of a Program. Inside this folder only.
#pragma once

#include "agent/program.h"
#include "agent/step_runner.h"

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

class ProgramHands final : public Hands {
public:
    ProgramHands(StepRunner& runner, StepRunner::Borrowed borrowed, std::stop_token stop) : runner_(runner), with_(borrowed), stop_(std::move(stop)) {}

    Result<StepEnd> act(const Propose& propose) override;
    Result<TaskEnd> pursue(const Pursuit& pursuit) override;
    Result<Look> look() override;
    void wait(const SettleOptions& options) override;
    Result<Completion> ask_model(const ModelQuestion& question) override;
    Result<Suggestion> suggest(const std::string& goal_utf8) override;
    Result<std::optional<std::string>> ask_person(const std::string& question_utf8, const std::vector<std::string>& choices) override;
    Result<void> tell(std::string type, std::string data_json, std::vector<Blob> blobs) override;
    Result<Blob> keep_picture(std::optional<Rect> area) override;
    Result<std::optional<TaskEnd>> over() override;
    Result<void> narrow(const Policy& policy, const Budget& budget) override;
    void restore() override { runner_.restore(); }
    [[nodiscard]] int steps() const override { return runner_.steps(); }
    Platform& platform() override { return with_.platform; }
    Clock& clock() override { return with_.clock; }

private:
    StepRunner& runner_;
    StepRunner::Borrowed with_;
    std::stop_token stop_;
    std::optional<TaskEnd> over_;
};

} // namespace handeye
