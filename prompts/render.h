// SPDX-License-Identifier: Apache-2.0
// What the agent knows, rendered as the question that a model was trained on. Pure; templates are data files embedded at
// build (prompts/<model>/<platform>.md) that a folder can override at run time.
#pragma once

#include "actions/vocabulary.h"
#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"
#include "engine/chat.h"

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// What kind of screen a prompt speaks of: of its own dialect unless the template says another.
enum class Surface {
    Mobile,
    Desktop,
    Web,       ///< elements by the numbers drawn on them
    WebPoints, ///< a page by coordinates: canvases, and where no element has a number
};
inline constexpr std::array kSurfaces{Surface::Mobile, Surface::Desktop, Surface::Web, Surface::WebPoints};
std::string_view surface_name(Surface surface);
/// By its name; nullopt: there is none of that name.
std::optional<Surface> find_surface(std::string_view name);

/// One earlier step as prompts tell it.
struct HistoryStep {
    std::string thought;      ///< visible text before the action
    std::string call;         ///< the action as written
    std::string history_text; ///< the whole visible answer without memory
    std::string summary;      ///< the compact form: "left_click Save", "type Ada"
    std::string observation;  ///< what came of it: "Success", or the reason why not
    Image screenshot;         ///< before the action; empty: not kept
    Image screenshot_half = {}; ///< `screenshot` at half size, where the caller keeps it: made once instead of at each prompt
    std::string thinking = {};  ///< between <think> and </think>; shown only where a prompt's chat keeps it
    std::string app = {};       ///< Mobile: which was in front
};

struct MarkedElement {
    int number = 0;
    std::string tag;          ///< printed for button, input, textarea
    std::string text_utf8;
    std::string aria_label_utf8;
};

struct PromptInput {
    std::string prompt = "glm-4.1v"; ///< folder of templates: "glm-4.1v", "glm-4.5v", "autoglm", "compact"
    Surface surface = Surface::Desktop;
    std::string goal_utf8;
    Image screenshot;                ///< current; with marks drawn for Web
    std::vector<HistoryStep> history;///< oldest first
    std::string memory;              ///< of the newest step, raw
    std::vector<std::string> app_names;    ///< Mobile: what open_app may name
    std::string current_app;               ///< Mobile: which is in front; empty: unknown
    std::vector<MarkedElement> elements;   ///< Web
    std::string start_url;                 ///< Web
    std::string now_text;                  ///< Web, 4.5V: current date and time
    std::string today_text;                ///< AutoGLM: the date alone, so that a chat begins the same all day
    std::string policy_text;               ///< what this agent may not do; empty: nothing said
};

struct RenderedPrompt {
    ChatRequest request; ///< messages only; sampling and limits are the caller's
    Dialect dialect = Dialect::GlmDesktop;
    Surface surface = Surface::Desktop;
    Size picture;        ///< of the current screenshot as fed
};

struct RenderOptions {
    std::filesystem::path override_dir; ///< templates here win over the embedded ones; empty: none
    std::size_t goal_bytes_max = 64U << 10U;
};

/// InvalidArgument: unknown prompt, missing screenshot; LimitExceeded: goal too long; ParseFailed: a template names an
/// unknown field (with file and line).
Result<RenderedPrompt> render_prompt(const PromptInput& input, const RenderOptions& options = {});

/// A question about one picture beside the steps of a task: prompts/questions/<name>.md, where {{goal}} stands for `words_utf8`. Errors
/// as render_prompt().
Result<ChatRequest> render_question(const std::string& name, const std::string& words_utf8, const Image& picture, const RenderOptions& options = {});

/// Whether the prompt has a template for this kind of screen.
bool has_template(const std::string& prompt, Surface surface, const RenderOptions& options = {});
/// What this prompt speaks of on a platform ("x11", "web", "android", ...): the first that suits it and has a template.
Surface default_surface(const std::string& prompt, std::string_view platform, const RenderOptions& options = {});

/// The prompts that are embedded, for `--help` and errors; without the questions.
std::vector<std::string> prompt_names();

} // namespace handeye
