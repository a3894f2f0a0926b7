// SPDX-License-Identifier: Apache-2.0
// The engine alone: asks a checkpoint one question about one picture and prints the answer as it
// comes.
//
// describe_picture MODEL_DIR PICTURE [QUESTION]
#include "base/image_codec.h"
#include "engine/engine.h"

#include <iostream>
#include <string>

namespace {

handeye::Result<void> describe(const std::string& model_dir, const std::string& picture,
                               const std::string& question) {
    using namespace handeye;
    const Image image = TRY(read_image(picture));
    const std::unique_ptr<ChatModel> model = TRY(open_engine({.model_dir = model_dir}));

    Message message{.role = Role::User, .parts = {TextPart{question}, ImagePart{image}}};
    const ChatRequest request{.messages = {message}, .max_new_tokens = 256};
    const auto print = [](std::string_view text) { std::cout << text << std::flush; };
    const Completion answer = TRY(model->generate(request, print, {}));

    std::cerr << '\n'
              << answer.usage.prompt_tokens << " prompt tokens, " << answer.usage.image_tokens
              << " of them the picture; " << answer.ids.size() << " new tokens; ended by "
              << stop_reason_name(answer.stop_reason) << '\n';
    return {};
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3 || argc > 4) {
        std::cerr << "usage: describe_picture MODEL_DIR PICTURE [QUESTION]\n";
        return 2;
    }
    const auto done = describe(argv[1], argv[2], argc == 4 ? argv[3] : "Describe this picture.");
    if (!done) {
        std::cerr << "describe_picture: " << done.error().message << '\n';
        return 5;
    }
    std::cout << '\n';
}
