// SPDX-License-Identifier: Apache-2.0
// What a server says of the models that it serves, at /v1/models. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace handeye {

/// Whose server it is, by "owned_by": they differ in what they take beside OpenAI's fields.
enum class ServerKind { Unknown, Handeye, Vllm, Sglang, LlamaCpp };
std::string_view server_kind_name(ServerKind kind);

struct ServedModel {
    ServerKind kind = ServerKind::Unknown;
    std::string name;           ///< to ask for; empty: the server lists none, and is asked without
    std::string prompt;         ///< which prompts/<name>/ it speaks, where the server tells; else by its name; empty: neither says
    int context_tokens_max = 0; ///< 0: the server does not tell
    bool reads_pictures = true;
};

/// The row of `wanted`, or the only one; an adapter beside its base does not count. NotFound where `wanted` is not there and the server
/// is one that lists all it serves; InvalidArgument where there are several and none is wanted; ParseFailed.
Result<ServedModel> read_served_model(std::string_view models_json, const std::string& wanted);

/// "zai-org/GLM-4.5V-FP8" speaks "glm-4.5v". Empty: the name does not say.
std::string prompt_of_name(std::string_view name);

} // namespace handeye
