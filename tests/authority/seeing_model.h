// SPDX-License-Identifier: Apache-2.0
// A naive model: clicks in the middle of what is red in the picture it is shown, after a while.
#pragma once

#include "engine/chat_model.h"

#include <functional>

#include <fmt/format.h>

namespace handeye::x11 {

class SeeingModel final : public ChatModel {
public:
    /// `while_thinking` runs once in each answer, after the picture was taken.
    explicit SeeingModel(std::function<void()> while_thinking) : while_thinking_(std::move(while_thinking)) {
        info_.name = "seeing";
        info_.family = "glm4v";
        info_.prompt = "glm-4.1v";
        info_.context_tokens_max = 65536;
    }

    Result<Completion> generate(const ChatRequest& request, const OnText&, std::stop_token) override {
        Completion out;
        out.stop_reason = StopReason::StopToken;
        out.text_utf8 = say(request);
        while_thinking_();
        return out;
    }
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    static std::string say(const ChatRequest& request) {
        for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
            for (const Part& part : message->parts) {
                if (const auto* image = std::get_if<ImagePart>(&part)) {
                    return click_on_red(image->image.to_rgb());
                }
            }
        }
        return "no picture";
    }
    static std::string click_on_red(const Image& picture) {
        const Size size = picture.size();
        long x = 0, y = 0, n = 0;
        for (int row = 0; row < size.height_px; ++row) {
            const auto pixels = picture.row(row);
            for (int column = 0; column < size.width_px; ++column) {
                const std::size_t at = static_cast<std::size_t>(column) * 3;
                if (pixels[at] > 180 && pixels[at + 1] < 80 && pixels[at + 2] < 80) {
                    x += column, y += row, ++n;
                }
            }
        }
        const std::string call = n == 0 ? "key(keys='shift')" // nothing to click on: something harmless
                                        : fmt::format("left_click(start_box='[{},{}]', element_info='red')", x / n * 1000 / size.width_px,
                                                      y / n * 1000 / size.height_px);
        return "<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>";
    }

    ModelInfo info_;
    std::function<void()> while_thinking_;
};

} // namespace handeye::x11
