// SPDX-License-Identifier: Apache-2.0
// Questions to small real checkpoints, for the tests of generation.
#pragma once

#include "base/image_codec.h"
#include "engine/runtime/scheduler.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace handeye::test {

inline const std::filesystem::path kSource = HANDEYE_SOURCE_DIR;
inline const std::filesystem::path kTiny = kSource / "tests/golden/engine/glm4v-f32"; ///< random weights
inline const std::filesystem::path kNano = kSource / "models/nano";

/// Keys and values as the reference has them, unless said.
inline std::unique_ptr<Scheduler> open_scheduler(const std::filesystem::path& dir, const SchedulerLimits& limits = {}, int context = 0, KvFormat format = KvFormat::F32) {
    auto core = EngineCore::open({.model_dir = dir, .threads = 2, .context_tokens = context, .kv_format = format});
    EXPECT_TRUE(core) << core.error().message;
    return std::make_unique<Scheduler>(std::move(core).value(), limits);
}

inline ChatRequest ask(std::string text, int max_new_tokens = 24) {
    ChatRequest request;
    request.messages.push_back({.role = Role::User, .parts = {TextPart{std::move(text)}}});
    request.max_new_tokens = max_new_tokens;
    return request;
}

inline Image picture(const std::string& name) { return read_image(kTiny / "images" / name).value(); }

inline ChatRequest ask_about(const Image& image, std::string text, int max_new_tokens = 24) {
    ChatRequest request = ask(std::move(text), max_new_tokens);
    request.messages[0].parts.insert(request.messages[0].parts.begin(), ImagePart{image});
    return request;
}
inline ChatRequest ask_about(const std::string& name, std::string text, int max_new_tokens = 24) { return ask_about(picture(name), std::move(text), max_new_tokens); }

inline Completion answer(Scheduler& scheduler, const ChatRequest& request, std::stop_token stop = {}) {
    auto completion = scheduler.run(request, {}, std::move(stop));
    EXPECT_TRUE(completion) << completion.error().message;
    return completion ? std::move(completion).value() : Completion{};
}

} // namespace handeye::test
