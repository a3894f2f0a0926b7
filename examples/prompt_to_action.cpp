// SPDX-License-Identifier: Apache-2.0
// From a goal and a screenshot to the events that a platform would send, for the three action
// spaces. Nothing is clicked.
//
// prompt_to_action DATA_DIR [MODEL_DIR]
// Uses the recorded answers of DATA_DIR; with MODEL_DIR the desktop screen is answered by that
// checkpoint.
#include "actions/parse.h"
#include "actions/resolve.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "engine/engine.h"
#include "prompts/render.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace handeye;

struct Example {
    const char* name; ///< of its files in DATA_DIR
    Surface surface;
    const char* prompt;
    const char* goal;
};
constexpr Example kExamples[] = {
    {"mobile", Surface::Mobile, "glm-4.1v", "Switch on the alarm at 07:15."},
    {"desktop", Surface::Desktop, "compact", "Set Name to Ada, tick Agree and click Save."},
    {"web", Surface::Web, "glm-4.1v", "Find books about globes."},
};

/// What a browser platform would know about the marked elements.
Result<std::vector<Element>> read_elements(const std::filesystem::path& path) {
    std::vector<Element> elements;
    const nlohmann::json list = TRY(read_json(path));
    for (const nlohmann::json& item : list) {
        const auto box = item.at("box").get<std::vector<int>>();
        elements.push_back({.mark = item.at("mark").get<int>(),
                            .role = item.at("tag").get<std::string>(),
                            .label_utf8 = item.at("text").get<std::string>(),
                            .box = {box.at(0), box.at(1), box.at(2), box.at(3)}});
    }
    return elements;
}

void print_plan(const Plan& plan) {
    for (const CoordinateChain& chain : plan.points) {
        std::cout << "  lands at " << chain.target.point.x << ',' << chain.target.point.y << " of "
                  << chain.target.frame.width_px << 'x' << chain.target.frame.height_px << '\n';
    }
    std::cout << "  " << plan.ops.size() << " operations for the platform\n";
}

Result<void> show(const Example& example, const std::filesystem::path& data, ChatModel* model) {
    const std::string name = example.name;
    PromptInput input{
        .prompt = example.prompt, .surface = example.surface, .goal_utf8 = example.goal};
    input.screenshot = TRY(read_image(data / (name + ".png")));
    std::vector<Element> elements;
    if (example.surface == Surface::Web) {
        elements = TRY(read_elements(data / "web.elements.json"));
        for (const Element& element : elements) {
            input.elements.push_back({.number = element.mark,
                                      .tag = element.role,
                                      .text_utf8 = element.label_utf8,
                                      .aria_label_utf8 = ""});
        }
    }
    RenderedPrompt prompt = TRY(render_prompt(input));

    std::string answer = TRY(read_file(data / (name + ".answer.txt"), 1U << 16U));
    const bool is_live = model != nullptr && example.surface == Surface::Desktop;
    if (is_live) {
        prompt.request.max_new_tokens = 96;
        answer = TRY(model->generate(prompt.request, {}, {})).text_utf8;
    }
    const ParsedReply reply = TRY(parse_reply(answer, prompt.dialect));
    const Plan plan = TRY(resolve(
        reply.action,
        {.picture = prompt.picture, .target = input.screenshot.size(), .elements = elements}));

    std::cout << name << " (" << example.prompt << "): " << example.goal << "\n  "
              << (is_live ? "live" : "recorded") << " answer, " << dialect_name(reply.dialect)
              << ": " << reply.call << "\n  action " << to_canonical_json(reply.action) << '\n';
    print_plan(plan);
    return {};
}

Result<void> show_all(const std::filesystem::path& data, const char* model_dir) {
    std::unique_ptr<ChatModel> model;
    if (model_dir != nullptr) {
        model = TRY(open_engine({.model_dir = model_dir}));
    }
    for (const Example& example : kExamples) {
        TRY(show(example, data, model.get()).with_context(example.name));
    }
    return {};
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::cerr << "usage: prompt_to_action DATA_DIR [MODEL_DIR]\n";
        return 2;
    }
    if (const auto done = show_all(argv[1], argc == 3 ? argv[2] : nullptr); !done) {
        std::cerr << "prompt_to_action: " << done.error().message << '\n';
        return 1;
    }
}
