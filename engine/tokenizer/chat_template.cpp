// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/chat_template.h"

#include "engine/tokenizer/template_interpreter.h"
#include "engine/tokenizer/template_messages.h"

#include <fmt/format.h>

namespace handeye {

struct ChatTemplate::Program {
    std::vector<jinja::Statement> statements;
    jinja::TemplateHabits habits;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, const TemplateLimits& limits) {
    if (source.size() > limits.source_bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a chat template of {} bytes passes the limit of {}",
                                                           source.size(), limits.source_bytes_max)};
    }
    auto program = std::make_shared<Program>();
    std::vector<jinja::Token> tokens = TRY(jinja::tokenize(source));
    program->statements = TRY(jinja::parse_tokens(std::move(tokens), limits.depth_max));
    program->habits = jinja::habits_of(source);
    ChatTemplate result;
    result.program_ = std::move(program);
    result.limits_ = limits;
    return result;
}

Result<std::string> ChatTemplate::render(const ChatRequest& request) const {
    std::string text;
    for (const RenderedSegment& segment : TRY(render_segments(request))) {
        text += segment.text;
    }
    return text;
}

Result<std::vector<RenderedSegment>> ChatTemplate::render_segments(const ChatRequest& request) const {
    jinja::Interpreter interpreter(program_->statements, TRY(jinja::template_variables(request, program_->habits)), limits_);
    const jinja::Text text = TRY(interpreter.run());
    return text.segments();
}

Result<std::string> ChatTemplate::render(const std::vector<Message>& messages, bool add_generation_prompt,
                                         std::optional<bool> enable_thinking) const {
    return render({.messages = messages, .add_generation_prompt = add_generation_prompt, .enable_thinking = enable_thinking});
}

Result<std::vector<RenderedSegment>> ChatTemplate::render_segments(const std::vector<Message>& messages,
                                                                   bool add_generation_prompt,
                                                                   std::optional<bool> enable_thinking) const {
    return render_segments({.messages = messages, .add_generation_prompt = add_generation_prompt, .enable_thinking = enable_thinking});
}

} // namespace handeye
