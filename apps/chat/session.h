// SPDX-License-Identifier: Apache-2.0
// One run of `handeye chat`: lines in, answers out.
#pragma once

#include "apps/chat/answer_view.h"
#include "apps/chat/conversation.h"
#include "apps/chat/dials.h"
#include "apps/chat/line_editor.h"
#include "engine/chat_model.h"
#include "media/load.h"

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::chat {

struct SessionOptions {
    Dials dials;
    std::string system;
    ViewStyle style;
    bool is_interactive = false; ///< a person at a terminal: an error is told and the conversation goes on
    bool is_json = false;        ///< a JSON line for each turn, and nothing else
};

class Session {
public:
    /// `programs`: where handeye-decoder and handeye-video are. `stop`: of the program.
    Session(SessionOptions options, const std::filesystem::path& programs, std::stop_token stop);

    /// Reads the file and has it wait for the next question. Before set_model(), too: then what the model cannot take is told there.
    Result<void> attach(const std::string& name);
    Result<void> set_model(ChatModel& model);
    /// Until the lines end, or /exit. Where nobody is there to read an error, the first one ends it.
    Result<void> run(const NextLine& next_line);
    /// Asks one question and shows its answer.
    Result<void> ask(const std::string& question);
    /// Whether a question came to no answer.
    [[nodiscard]] bool has_fallen_short() const { return has_fallen_short_; }
    /// Ends what is under way, an answer or the reading of a file, and not the program; false: nothing is. Any thread.
    bool interrupt();

private:
    friend struct Commands; // commands.cpp
    enum class Next { Line, End };
    Result<Next> take(const std::string& line);
    Result<Next> command(const std::string& line);
    Result<std::optional<std::string>> rest_of_block(std::string first, const NextLine& next_line) const;
    Result<void> check_sight(const std::string& name) const;
    void tell(std::string_view text) const;
    void tell_answer(const std::string& question, const Completion& completion, const Spoken& spoken);
    std::stop_token begin_work();
    void end_work();

    SessionOptions options_;
    MediaLoader loader_;
    std::stop_token stop_;
    ChatModel* model_ = nullptr;
    Conversation conversation_;
    int turns_told_ = 0;
    bool has_fallen_short_ = false;

    std::mutex mutex_; // guards work_, which interrupt() ends
    std::optional<std::stop_source> work_;
};

} // namespace handeye::chat
