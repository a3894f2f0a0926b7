// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body of each route of the endpoint; whatever comes is a call or an error in JSON. And as an answer that may call tools.
#include "engine/answer_grammars.h"
#include "server/openai/answer_split.h"
#include "server/openai/text_call.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

namespace {

using namespace handeye;

void split(std::string_view text, ToolSyntax syntax) {
    ChatCall call;
    call.tool_syntax = syntax;
    call.tools = {{.name = "a", .text_arguments = {"q"}}, {.name = "stop", .text_arguments = {}}};
    call.request.stop_texts = {"END"};
    AnswerSplit splitter(call);
    for (std::size_t at = 0; at < text.size(); at += 7) {
        (void)splitter.push({.text_utf8 = text.substr(at, 7)});
    }
    for (const ToolCall& one : splitter.finish().calls) {
        if (!nlohmann::json::accept(one.arguments_json)) {
            std::abort();
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::vector<std::string> names{"nano"};
    const ChatContext context{.names = names,
                              .limits = {.body_bytes_max = 1U << 20U, .images_max = 4, .picture_bytes_max = 1U << 20U, .videos_max = 1},
                              .decode = [](std::span<const std::uint8_t>) { return Image::from_pixels({1, 1}, PixelFormat::Gray, {7}); },
                              .decode_video = [](std::span<const std::uint8_t>) -> Result<VideoFrames> { return VideoFrames{}; },
                              .open_media = [](std::string_view, const std::stop_token&) -> Result<std::vector<std::uint8_t>> { return std::vector<std::uint8_t>{'B', 'M'}; },
                              .grammars = {.of_schema = grammar_of_schema,
                                           .of_regex = grammar_of_regex,
                                           .checked = checked_grammar,
                                           .of_choices = [](const std::vector<std::string>& texts) { return grammar_of_choices(texts); },
                                           .of_calls = [](const std::vector<ToolForm>& tools, bool in_tags) { return grammar_of_calls(std::vector<CalledTool>{{.name = tools.front().name, .schema_json = tools.front().schema_json}}, in_tags ? CallNotation::Tags : CallNotation::NameAndJson); },
                                           .json_object = "root ::= \"{}\""},
                              .tool_syntax = ToolSyntax::Tags};
    for (const auto read : {read_chat_call, read_text_call, read_tokenize_call, read_detokenize_call}) {
        const ChatCallOrError call = read(text, context);
        if (const auto* const error = std::get_if<ApiError>(&call); error != nullptr && !nlohmann::json::accept(error_json(*error))) {
            std::abort();
        }
    }
    split(text, ToolSyntax::Tags);
    split(text, ToolSyntax::NameAndJson);
    return 0;
}
