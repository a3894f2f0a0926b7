// SPDX-License-Identifier: Apache-2.0
// A checkpoint's chat_template (Jinja) rendered by a small bounded interpreter: the subset that chat templates use.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/tokenizer/rendered.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct TemplateLimits {
    std::size_t source_bytes_max = 256U << 10U;
    std::size_t output_bytes_max = 8U << 20U; ///< of any text: twice what a million tokens need
    std::size_t steps_max = 500'000;           ///< evaluated nodes, and 256 bytes of text each
    int depth_max = 100;
};

class ChatTemplate {
public:
    /// Compiles; ParseFailed names line and the construct that is not supported.
    static Result<ChatTemplate> parse(std::string_view source, const TemplateLimits& limits = {});

    /// The prompt text of the request's messages and tools, before image and video tokens are expanded. Besides what render() below says:
    /// Unsupported for tools that the template does not know.
    [[nodiscard]] Result<std::string> render(const ChatRequest& request) const;
    /// The same text in segments whose neighbours differ in `from_content`; none is empty.
    [[nodiscard]] Result<std::vector<RenderedSegment>> render_segments(const ChatRequest& request) const;

    /// The prompt text before image and video tokens are expanded (one <|image|> or <|video|> per part).
    /// trim_blocks and lstrip_blocks are on. Stops with LimitExceeded within milliseconds on runaway templates.
    [[nodiscard]] Result<std::string> render(const std::vector<Message>& messages, bool add_generation_prompt,
                                             std::optional<bool> enable_thinking) const;
    /// The same text in segments whose neighbours differ in `from_content`; none is empty.
    [[nodiscard]] Result<std::vector<RenderedSegment>>
    render_segments(const std::vector<Message>& messages, bool add_generation_prompt,
                    std::optional<bool> enable_thinking) const;

private:
    struct Program;
    std::shared_ptr<const Program> program_;
    TemplateLimits limits_;
};

} // namespace handeye
