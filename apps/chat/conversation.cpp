// SPDX-License-Identifier: Apache-2.0
#include "apps/chat/conversation.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::chat {
namespace {

Message text_message(Role role, std::string text) {
    Message message{.role = role};
    message.parts.emplace_back(TextPart{std::move(text)});
    return message;
}

Message question_message(const std::vector<LoadedMedia>& shown, const std::string& question) {
    Message message{.role = Role::User};
    for (const LoadedMedia& media : shown) {
        message.parts.insert(message.parts.end(), media.parts.begin(), media.parts.end());
    }
    message.parts.emplace_back(TextPart{question});
    return message;
}

bool is_film(const LoadedMedia* media) { return media->kind == MediaKind::Film; }
std::string file_of(const LoadedMedia& media) { return media.caption.substr(0, media.caption.find(": ")); }

} // namespace

std::vector<const LoadedMedia*> Conversation::all() const {
    std::vector<const LoadedMedia*> out;
    for (const Turn& turn : turns_) {
        std::transform(turn.shown.begin(), turn.shown.end(), std::back_inserter(out), [](const LoadedMedia& media) { return &media; });
    }
    std::transform(waiting_.begin(), waiting_.end(), std::back_inserter(out), [](const LoadedMedia& media) { return &media; });
    return out;
}

std::size_t Conversation::pictures_left() const {
    const auto shown = all();
    const std::size_t pictures = std::accumulate(shown.begin(), shown.end(), std::size_t{0}, [](std::size_t sum, const LoadedMedia* media) { return sum + (is_film(media) ? 0 : media->parts.size()); });
    return kPicturesMax - std::min(pictures, kPicturesMax);
}

std::int64_t Conversation::bytes_left() const {
    const auto shown = all();
    return kPixelBytesMax - std::accumulate(shown.begin(), shown.end(), std::int64_t{0}, [](std::int64_t sum, const LoadedMedia* media) { return sum + media->bytes; });
}

Result<void> Conversation::attach(LoadedMedia media) {
    const auto shown = all();
    const bool is_video = is_film(&media);
    const auto other = std::find_if(shown.begin(), shown.end(), [&](const LoadedMedia* m) { return is_film(m) || is_video; });
    if (other != shown.end()) {
        const bool are_videos = is_video && is_film(*other);
        return Error{ErrorCode::InvalidArgument,
                     are_videos ? fmt::format("{} would be a second video beside {}: a conversation takes one; /clear begins another", file_of(media), file_of(**other))
                                : fmt::format("{} is a {} and {} a {}: a conversation takes pictures or one video, never both; /clear begins another", file_of(media),
                                              is_video ? "video" : "picture", file_of(**other), is_video ? "picture" : "video")};
    }
    if (!is_video && media.parts.size() > pictures_left()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} would be picture {}: a conversation takes at most {} pictures; /clear begins another", file_of(media), kPicturesMax - pictures_left() + media.parts.size(), kPicturesMax)};
    }
    if (media.bytes > bytes_left()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} has {} bytes of pixels: a conversation takes at most {} of them, and {} are left; /clear begins another", file_of(media), media.bytes, kPixelBytesMax, bytes_left())};
    }
    waiting_.push_back(std::move(media));
    return {};
}

std::vector<Message> Conversation::messages(const std::string& question) const {
    std::vector<Message> out;
    if (!system_.empty()) {
        out.push_back(text_message(Role::System, system_));
    }
    for (const Turn& turn : turns_) {
        out.push_back(question_message(turn.shown, turn.question));
        out.push_back(text_message(Role::Assistant, turn.spoken.for_history));
    }
    out.push_back(question_message(waiting_, question));
    return out;
}

bool Conversation::keep(std::string question, Spoken spoken) {
    if (spoken.is_thought_open || spoken.for_history.empty()) {
        return false;
    }
    turns_.push_back({std::move(question), std::move(waiting_), std::move(spoken)});
    waiting_.clear();
    return true;
}

bool Conversation::undo() {
    if (turns_.empty()) {
        return false;
    }
    turns_.pop_back();
    return true;
}

void Conversation::clear() {
    turns_.clear();
    waiting_.clear();
}

nlohmann::json Conversation::to_json() const {
    nlohmann::json turns = nlohmann::json::array();
    for (const Turn& turn : turns_) {
        nlohmann::json shown = nlohmann::json::array();
        for (const LoadedMedia& media : turn.shown) {
            shown.push_back(media.caption);
        }
        turns.push_back({{"shown", shown}, {"question", turn.question}, {"thought", turn.spoken.thought}, {"answer", turn.spoken.answer}});
    }
    return {{"system", system_}, {"turns", turns}};
}

} // namespace handeye::chat
