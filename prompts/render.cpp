// SPDX-License-Identifier: Apache-2.0
// Walks a template and writes the one user message that it describes.
#include "prompts/render.h"

#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"
#include "prompts/action_section.h"
#include "prompts/embedded.h"
#include "prompts/template.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr const char* kQuestions = "questions"; // the folder of prompts that are not those of a step
constexpr std::size_t kTemplateBytesMax = 256U << 10U;
constexpr std::size_t kHistoryImagesMax = 4;
constexpr std::size_t kWebHistoryMax = 15;
constexpr std::size_t kTurnsMax = 50;
constexpr std::size_t kElementTextMax = 200; // characters; longer ones are whole paragraphs

/// Grows the parts of a message; neighbouring texts become one part.
class PartWriter {
public:
    void add_text(std::string_view text) {
        if (text.empty()) {
            return;
        }
        if (parts_.empty() || !std::holds_alternative<TextPart>(parts_.back())) {
            parts_.emplace_back(TextPart{});
        }
        std::get<TextPart>(parts_.back()).text_utf8 += text;
    }
    void add_image(const Image& image) { parts_.emplace_back(ImagePart{image}); }
    std::vector<Part> take() { return std::exchange(parts_, {}); }
    /// Without the line breaks at its end.
    std::vector<Part> take_trimmed() {
        if (auto* const text = parts_.empty() ? nullptr : std::get_if<TextPart>(&parts_.back()); text != nullptr) {
            text->text_utf8.resize(text->text_utf8.find_last_not_of('\n') + 1);
        }
        return take();
    }

private:
    std::vector<Part> parts_;
};

std::size_t character_count(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// `[i]: <tag> "text", "aria-label";` with a tag for what is typed into or pressed; nothing where there is no name at all.
std::string element_line(const MarkedElement& element) {
    const bool shows_tag = element.tag == "button" || element.tag == "input" || element.tag == "textarea";
    const std::string tag = shows_tag ? fmt::format(" <{}>", element.tag) : "";
    const std::string& text = element.text_utf8;
    const std::string& label = element.aria_label_utf8;
    if (text.empty()) {
        return shows_tag ? fmt::format("[{}]:{} \"{}\";", element.number, tag, label) : "";
    }
    if (character_count(text) >= kElementTextMax || text.find("<img") != std::string::npos) {
        return "";
    }
    return label.empty() || label == text ? fmt::format("[{}]:{} \"{}\";", element.number, tag, text)
                                          : fmt::format("[{}]:{} \"{}\", \"{}\";", element.number, tag, text, label);
}

std::string element_list(std::span<const MarkedElement> elements) {
    std::vector<std::string> lines;
    for (const MarkedElement& element : elements) {
        if (std::string line = element_line(element); !line.empty()) {
            lines.push_back(std::move(line));
        }
    }
    return fmt::format("{}", fmt::join(lines, "\t"));
}

/// What AutoGLM's chat tells of the screen in words: JSON with the app in front and, where the last action came to nothing, why.
std::string screen_info(const std::string& app, const std::string& observation) {
    nlohmann::json info{{"current_app", app.empty() ? "unknown" : app}};
    if (!observation.empty() && observation != "Success") {
        info["last_action"] = observation;
    }
    return dump_json(info);
}

Result<Image> halved(const HistoryStep& step) {
    if (!step.screenshot_half.is_empty()) {
        return step.screenshot_half;
    }
    const Size size = step.screenshot.size();
    return scaled(step.screenshot, {std::max(1, size.width_px / 2), std::max(1, size.height_px / 2)});
}

Dialect dialect_of(Surface surface) {
    switch (surface) {
    case Surface::Mobile: return Dialect::GlmMobile;
    case Surface::Desktop: return Dialect::GlmDesktop;
    case Surface::Web: return Dialect::GlmWebMarks;
    case Surface::WebPoints: return Dialect::GlmWebPoints;
    }
    return Dialect::GlmDesktop;
}

/// {{dialect:autoglm}}: the one that the model was trained on, where the surface alone does not tell it.
Result<Dialect> dialect_in(const std::vector<TemplateNode>& nodes, Surface surface, std::string_view file) {
    const auto node = std::ranges::find_if(nodes, [](const TemplateNode& one) { return one.kind == TemplateNode::Kind::Block && one.name == "dialect"; });
    if (node == nodes.end()) {
        return dialect_of(surface);
    }
    const auto dialects = model_dialects();
    const auto found = std::ranges::find(dialects, node->style, [](Dialect one) {
        std::string name(dialect_name(one));
        std::ranges::replace(name, '-', '_');
        return name;
    });
    return found == dialects.end() ? Result<Dialect>(Error{ErrorCode::ParseFailed, fmt::format("{}:{}: there is no dialect '{}'", file, node->line, node->style)}) : *found;
}

class Renderer {
public:
    Renderer(const PromptInput& input, Dialect dialect, std::string_view file) : input_(input), dialect_(dialect), file_(file), messages_(1) {
        for (std::size_t i = input_.history.size(); i > 0 && with_image_.size() < kHistoryImagesMax; --i) {
            if (!input_.history[i - 1].screenshot.is_empty()) {
                with_image_.insert(with_image_.begin(), i - 1);
            }
        }
        if (!input_.history.empty() && !with_image_.empty()) { // of the last four steps only
            std::erase_if(with_image_, [&](std::size_t i) { return i + kHistoryImagesMax < input_.history.size(); });
        }
        fields_ = {
            {"goal", input_.goal_utf8},
            {"memory", input_.memory},
            {"policy", input_.policy_text},
            {"start_url", input_.start_url},
            {"now", input_.now_text},
            {"today", input_.today_text},
            {"elements", element_list(input_.elements)},
            {"screen_info", screen_info(input_.current_app, input_.history.empty() ? "" : input_.history.back().observation)},
            {"history", input_.history.empty() ? "" : "yes"},
            {"history_images", with_image_.empty() ? "" : "yes"},
            {"history_image_count", fmt::format("{}", with_image_.size())},
        };
    }

    Result<std::vector<Message>> render(const std::vector<TemplateNode>& nodes) {
        TRY(walk(nodes));
        messages_.back().parts = messages_.size() > 1 ? writer_.take_trimmed() : writer_.take();
        return std::move(messages_);
    }

private:
    [[nodiscard]] Error unknown(const TemplateNode& node, std::string_view what, std::string_view known) const {
        return {ErrorCode::ParseFailed, fmt::format("{}:{}: there is no {} '{}'; there are {}", file_, node.line, what,
                                                    node.style.empty() ? node.name : node.name + ":" + node.style,
                                                    known)};
    }
    [[nodiscard]] std::string field_names() const {
        std::vector<std::string_view> names;
        for (const auto& [name, value] : fields_) {
            names.push_back(name);
        }
        return fmt::format("{}", fmt::join(names, ", "));
    }

    Result<void> walk(const std::vector<TemplateNode>& nodes) {
        for (const TemplateNode& node : nodes) {
            TRY(write(node));
        }
        return {};
    }

    Result<void> write(const TemplateNode& node) {
        switch (node.kind) {
        case TemplateNode::Kind::Text: writer_.add_text(node.text); return {};
        case TemplateNode::Kind::Block: return write_block(node);
        case TemplateNode::Kind::Field:
        case TemplateNode::Kind::Section: break;
        }
        const auto field = fields_.find(node.name);
        if (field == fields_.end()) {
            return unknown(node, "field", field_names());
        }
        if (node.kind == TemplateNode::Kind::Field) {
            writer_.add_text(field->second);
            return {};
        }
        return field->second.empty() == node.is_inverse ? walk(node.children) : Result<void>();
    }

    Result<void> write_block(const TemplateNode& node) {
        if (node.name == "actions") {
            const std::string section = action_section(node.style, dialect_, input_.app_names);
            if (section.empty()) {
                return unknown(node, "style", "actions: bullets, calls, formats, json_schemas, listed, meanings, python_schemas");
            }
            writer_.add_text(section);
            return {};
        }
        if (node.name == "image" && node.style == "current") {
            writer_.add_image(input_.screenshot);
            return {};
        }
        if (node.name == "images" && node.style == "history") {
            for (const std::size_t i : with_image_) {
                writer_.add_image(TRY(halved(input_.history[i])));
            }
            return {};
        }
        if (node.name == "history") {
            return write_history(node);
        }
        if (node.name == "message") {
            return begin_message(node);
        }
        if (node.name == "dialect") {
            return {}; // dialect_in() has read it
        }
        return unknown(node, "block", "actions:STYLE, dialect:NAME, image:current, images:history, history:STYLE, message:ROLE");
    }

    Result<void> begin_message(const TemplateNode& node) {
        constexpr std::array<std::pair<std::string_view, Role>, 3> kRoles{{{"system", Role::System}, {"user", Role::User}, {"assistant", Role::Assistant}}};
        const auto* const role = std::ranges::find(kRoles, node.style, &std::pair<std::string_view, Role>::first);
        if (role == kRoles.end()) {
            return unknown(node, "role", "message: assistant, system, user");
        }
        begin(role->second);
        return {};
    }
    void begin(Role role) {
        messages_.back().parts = writer_.take_trimmed();
        if (!messages_.back().parts.empty()) {
            messages_.emplace_back();
        }
        messages_.back().role = role;
    }

    Result<void> write_history(const TemplateNode& node) {
        if (node.style == "interleaved") {
            return write_interleaved();
        }
        if (node.style == "turns") {
            write_turns();
            return {};
        }
        using Line = std::function<std::string(std::size_t, const HistoryStep&)>;
        struct Style {
            std::string_view name;
            std::string_view separator;
            std::size_t steps_max;
            Line line;
        };
        const std::vector<Style> styles{
            {"numbered", "\n", SIZE_MAX, [](std::size_t i, const HistoryStep& s) { return fmt::format("{} {}", i + 1, s.summary); }},
            {"steps_from_0", "", SIZE_MAX,
             [](std::size_t i, const HistoryStep& s) { return fmt::format("Step {}:\n{}\n\n", i, s.history_text); }},
            {"steps_from_1", "", SIZE_MAX, [](std::size_t i, const HistoryStep& s) { return fmt::format("\nstep {}: {}", i + 1, s.history_text); }},
            {"web", "\n", kWebHistoryMax,
             [](std::size_t i, const HistoryStep& s) {
                 return fmt::format("{}.Thought:{} Action:{} Observation:{}", i, s.thought, s.call,
                                    s.observation.empty() ? "Success" : s.observation);
             }},
        };
        const auto style = std::ranges::find(styles, node.style, &Style::name);
        if (style == styles.end()) {
            return unknown(node, "style", "history: interleaved, numbered, steps_from_0, steps_from_1, turns, web");
        }
        const std::size_t count = std::min(style->steps_max, input_.history.size());
        const auto steps = std::span(input_.history).last(count);
        for (std::size_t i = 0; i < steps.size(); ++i) {
            writer_.add_text(i > 0 ? style->separator : "");
            writer_.add_text(style->line(i, steps[i]));
        }
        return {};
    }

    Result<void> write_interleaved() {
        for (std::size_t i = 0; i < input_.history.size(); ++i) {
            const HistoryStep& step = input_.history[i];
            writer_.add_text(fmt::format("\nstep {}: Screenshot:", i + 1));
            if (std::ranges::find(with_image_, i) != with_image_.end()) {
                writer_.add_image(TRY(halved(step)));
            } else {
                writer_.add_text("(Omitted in context.)");
            }
            writer_.add_text(fmt::format(" Thought: {}\nAction: {}", step.thought, step.call));
        }
        return {};
    }

    /// What the user said at step `i` of a chat, without the picture, which is dropped once it was used.
    [[nodiscard]] std::string turn_text(std::size_t i, bool is_first) const {
        const std::string info = screen_info(input_.history[i].app, i == 0 ? "" : input_.history[i - 1].observation);
        return is_first ? fmt::format("{}\n\n{}", input_.goal_utf8, info) : fmt::format("** Screen Info **\n\n{}", info);
    }

    /// Earlier steps as the chat that they were; where older ones are left out, it begins later with the same task.
    void write_turns() {
        const std::size_t begin_at = input_.history.size() - std::min(kTurnsMax, input_.history.size());
        for (std::size_t i = begin_at; i < input_.history.size(); ++i) {
            const HistoryStep& step = input_.history[i];
            begin(Role::User);
            writer_.add_text(turn_text(i, i == begin_at));
            begin(Role::Assistant);
            writer_.add_text(fmt::format("<think>{}</think><answer>{}</answer>", step.thinking.empty() ? step.thought : step.thinking, step.call));
        }
    }

    const PromptInput& input_;
    Dialect dialect_;
    std::string_view file_;
    std::vector<std::size_t> with_image_; ///< steps whose screenshot is shown, oldest first
    std::map<std::string, std::string, std::less<>> fields_;
    std::vector<Message> messages_; ///< the last one's parts are still in writer_
    PartWriter writer_;
};

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && name.front() != '.' && std::ranges::all_of(name, [](char c) {
        return c == '.' || c == '-' || c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
    });
}

struct Source {
    std::string file; ///< for messages
    std::string text;
};

/// The file in the override folder, else the embedded one.
Result<Source> find_template(const std::string& prompt, std::string_view which, const std::filesystem::path& override_dir) {
    if (!is_plain_name(prompt) || !is_plain_name(which)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("'{}' is not a prompt's name", prompt.substr(0, 80))};
    }
    const std::string path = fmt::format("{}/{}.md", prompt, which);
    if (!override_dir.empty()) {
        const std::filesystem::path file = override_dir / path;
        Result<std::string> text = read_file(file, kTemplateBytesMax);
        if (text) {
            return Source{file.string(), std::move(*text)};
        }
        if (text.error().code != ErrorCode::NotFound) {
            return text.error().with_context("prompt template");
        }
    }
    const auto templates = embedded_templates();
    const auto found = std::ranges::find(templates, path, &EmbeddedTemplate::path);
    if (found == templates.end()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("there is no prompt '{}' for {}; there are: {}", prompt, which, fmt::join(prompt_names(), ", "))};
    }
    return Source{"prompts/" + path, std::string(found->source)};
}

Result<RenderedPrompt> render_template(const PromptInput& input, std::string_view which, const RenderOptions& options) {
    const Source source = TRY(find_template(input.prompt, which, options.override_dir));
    const std::vector<TemplateNode> nodes = TRY(parse_template(source.text, source.file));
    RenderedPrompt out{.surface = input.surface, .picture = input.screenshot.size()};
    out.dialect = TRY(dialect_in(nodes, input.surface, source.file));
    out.request.messages = TRY(Renderer(input, out.dialect, source.file).render(nodes));
    return out;
}

} // namespace

std::string_view surface_name(Surface surface) {
    switch (surface) {
    case Surface::Mobile: return "mobile";
    case Surface::Desktop: return "desktop";
    case Surface::Web: return "web";
    case Surface::WebPoints: return "web-points";
    }
    return "";
}

std::optional<Surface> find_surface(std::string_view name) {
    const auto* const found = std::ranges::find(kSurfaces, name, surface_name);
    return found == kSurfaces.end() ? std::nullopt : std::optional(*found);
}

bool has_template(const std::string& prompt, Surface surface, const RenderOptions& options) {
    return find_template(prompt, surface_name(surface), options.override_dir).has_value();
}

Surface default_surface(const std::string& prompt, std::string_view platform, const RenderOptions& options) {
    const std::vector<Surface> wanted = platform == "android" ? std::vector{Surface::Mobile, Surface::Desktop}
                                        : platform == "web"   ? std::vector{Surface::Web, Surface::WebPoints, Surface::Desktop, Surface::Mobile}
                                                              : std::vector{Surface::Desktop, Surface::Mobile, Surface::WebPoints};
    const auto found = std::ranges::find_if(wanted, [&](Surface one) { return has_template(prompt, one, options); });
    return found == wanted.end() ? wanted.front() : *found;
}

std::vector<std::string> prompt_names() {
    std::vector<std::string> names;
    for (const EmbeddedTemplate& entry : embedded_templates()) {
        const std::string name(entry.path.substr(0, entry.path.find('/')));
        if (name != kQuestions && std::ranges::find(names, name) == names.end()) {
            names.push_back(name);
        }
    }
    return names;
}

Result<ChatRequest> render_question(const std::string& name, const std::string& words_utf8, const Image& picture, const RenderOptions& options) {
    PromptInput input;
    input.prompt = kQuestions;
    input.goal_utf8 = words_utf8;
    input.screenshot = picture;
    return TRY(render_template(input, name, options)).request;
}

Result<RenderedPrompt> render_prompt(const PromptInput& input, const RenderOptions& options) {
    if (input.goal_utf8.size() > options.goal_bytes_max) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("the goal takes {} bytes, more than {}", input.goal_utf8.size(), options.goal_bytes_max)};
    }
    if (input.screenshot.is_empty()) {
        return Error{ErrorCode::InvalidArgument, "a prompt needs the current screenshot"};
    }
    return render_template(input, surface_name(input.surface), options);
}

} // namespace handeye
