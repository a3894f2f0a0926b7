// SPDX-License-Identifier: Apache-2.0
// Any template either renders within its limits or gives an error; the segments are the text.
#include "engine/tokenizer/chat_template.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    const TemplateLimits limits{.source_bytes_max = 16 * 1024, .output_bytes_max = 256 * 1024, .steps_max = 20'000};
    const auto parsed = ChatTemplate::parse(source, limits);
    if (!parsed) {
        return 0;
    }
    static const std::vector<Message> messages{
        {.role = Role::System, .parts = {TextPart{"You are a test."}}},
        {.role = Role::User, .parts = {ImagePart{}, TextPart{"caf\xC3\xA9 <|user|> \xFF"}}},
        {.role = Role::Assistant, .parts = {TextPart{"<think>a</think>b"}}, .metadata = "tool"},
        {.role = Role::User, .parts = {TextPart{"  again "}}},
    };
    const auto text = parsed->render(messages, true, false);
    const auto segments = parsed->render_segments(messages, true, false);
    if (text.has_value() != segments.has_value()) {
        std::abort();
    }
    std::string joined;
    for (const RenderedSegment& segment : segments ? *segments : std::vector<RenderedSegment>{}) {
        joined += segment.text;
    }
    if (text && (*text != joined || text->size() > limits.output_bytes_max)) {
        std::abort();
    }
    return 0;
}
