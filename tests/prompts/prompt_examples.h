// SPDX-License-Identifier: Apache-2.0
// The inputs that prompt tests render, and a rendering as one readable text.
#pragma once

#include "prompts/render.h"

#include <string>
#include <vector>

namespace handeye::examples {

/// A grey picture.
inline Image picture(Size size) {
    return *Image::from_pixels(size, PixelFormat::Rgb, std::vector<std::uint8_t>(static_cast<std::size_t>(size.area()) * 3, 128));
}

/// 17 steps, so that every limit is passed; step i was seen on a screen of 4(10+i) x 2(10+i) pixels: its halves tell the step.
inline PromptInput long_input(const std::string& prompt, Surface surface) {
    PromptInput input;
    input.prompt = prompt;
    input.surface = surface;
    input.goal_utf8 = "THE GOAL";
    input.screenshot = picture({200, 120});
    input.memory = "THE MEMORY";
    input.policy_text = "THE POLICY";
    input.app_names = {"Clock", "Files"};
    input.elements = {{1, "button", "Save", "Save"}, {2, "input", "", "Name"}, {3, "a", "Help", "Open help"}, {4, "a", "", "unseen"},
                      {5, "p", std::string(200, 'x'), ""}, {6, "a", "<img src=a>", ""}};
    input.start_url = "http://start.example/";
    input.now_text = "2026-01-02 03:04";
    input.today_text = "2026-01-02, Friday";
    input.current_app = "Clock";
    for (int i = 1; i <= 17; ++i) {
        const std::string n = std::to_string(i);
        input.history.push_back({"thought " + n, "call " + n, "history " + n, "summary " + n, i == 17 ? "the reason" : "",
                                 picture({4 * (10 + i), 2 * (10 + i)})});
    }
    return input;
}

/// Two steps of a real task: what a person reads in the approved renderings.
inline PromptInput short_input(const std::string& prompt, Surface surface) {
    PromptInput input = long_input(prompt, surface);
    input.goal_utf8 = "Set Name to Ada and click Save.";
    input.memory = "";
    input.policy_text = "buy anything or send messages.";
    input.history.resize(2);
    input.history[0] = {"The field must have the focus.", "left_click(start_box='[500,312]', element_info='Name')",
                        "The field must have the focus. left_click(start_box='[500,312]', element_info='Name')", "left_click Name", "",
                        picture({200, 120})};
    input.history[1] = {"Now the name.", "type(content='Ada')", "Now the name. type(content='Ada')", "type Ada", "", picture({200, 120})};
    return input;
}

/// All parts as text, pictures as "<picture WxH>"; where there are several messages, each after its role: "<|system|>", ...
inline std::string told(const RenderedPrompt& prompt) {
    std::string text;
    for (const Message& message : prompt.request.messages) {
        if (prompt.request.messages.size() > 1) {
            text += message.role == Role::System ? "<|system|>\n" : message.role == Role::User ? "<|user|>\n" : "<|assistant|>\n";
        }
        for (const Part& part : message.parts) {
            if (const auto* words = std::get_if<TextPart>(&part)) {
                text += words->text_utf8;
            } else if (const auto* image = std::get_if<ImagePart>(&part)) {
                const Size size = image->image.size();
                text += "<picture " + std::to_string(size.width_px) + "x" + std::to_string(size.height_px) + ">";
            }
        }
    }
    return text;
}

struct Named {
    const char* key;
    const char* prompt;
    Surface surface;
};
inline constexpr Named kAll[] = {{"glm-4.1v/mobile", "glm-4.1v", Surface::Mobile},   {"glm-4.1v/desktop", "glm-4.1v", Surface::Desktop},
                                 {"glm-4.1v/web", "glm-4.1v", Surface::Web},         {"glm-4.5v/mobile", "glm-4.5v", Surface::Mobile},
                                 {"glm-4.5v/desktop", "glm-4.5v", Surface::Desktop}, {"glm-4.5v/web", "glm-4.5v", Surface::Web},
                                 {"glm-4.1v/web-points", "glm-4.1v", Surface::WebPoints}, {"glm-4.5v/web-points", "glm-4.5v", Surface::WebPoints},
                                 {"autoglm/mobile", "autoglm", Surface::Mobile},     {"compact/desktop", "compact", Surface::Desktop}};

} // namespace handeye::examples
