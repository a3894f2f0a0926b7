// SPDX-License-Identifier: Apache-2.0
// What was said so far, what was shown with it, and what of that goes to the model next. Pure.
#pragma once

#include "apps/chat/spoken.h"
#include "base/result.h"
#include "engine/chat.h"
#include "media/load.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::chat {

inline constexpr std::size_t kPicturesMax = 300;                       ///< of a conversation: all of them go to the model with each turn
inline constexpr std::int64_t kPixelBytesMax = std::int64_t{768} << 20U; ///< of them, decoded

struct Turn {
    std::string question;
    std::vector<LoadedMedia> shown; ///< before the question, in the order they were named
    Spoken spoken;
};

class Conversation {
public:
    /// Waits for the next question. LimitExceeded for a picture beyond kPicturesMax or kPixelBytesMax, InvalidArgument for a video beside
    /// pictures or another video: the message names both.
    Result<void> attach(LoadedMedia media);
    /// What may still be attached.
    [[nodiscard]] std::size_t pictures_left() const;
    [[nodiscard]] std::int64_t bytes_left() const;
    [[nodiscard]] const std::vector<LoadedMedia>& waiting() const { return waiting_; }

    /// The messages of all turns and of this question with what waits for it; thoughts stay out.
    [[nodiscard]] std::vector<Message> messages(const std::string& question) const;
    /// The question was answered: a turn more, nothing waits. Where the thought was not ended the turn is not kept, and what was attached
    /// waits on: false.
    bool keep(std::string question, Spoken spoken);

    /// Takes the last turn back, with what was shown in it; false: there is none.
    bool undo();
    /// All turns and what waits; the system prompt stays.
    void clear();
    void set_system(std::string text) { system_ = std::move(text); }
    [[nodiscard]] const std::string& system() const { return system_; }
    [[nodiscard]] const std::vector<Turn>& turns() const { return turns_; }
    [[nodiscard]] nlohmann::json to_json() const;

private:
    [[nodiscard]] std::vector<const LoadedMedia*> all() const;

    std::string system_;
    std::vector<Turn> turns_;
    std::vector<LoadedMedia> waiting_;
};

} // namespace handeye::chat
