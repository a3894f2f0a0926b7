// SPDX-License-Identifier: Apache-2.0
// An item as what a model is asked: its pictures read, decoded where they can do no harm, and put where its prompt says.
#pragma once

#include "apps/batch/item.h"
#include "base/file_beneath.h"
#include "base/picture_decoder.h"
#include "base/result.h"
#include "engine/chat.h"
#include "media/film_reader.h"

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye::batch {

inline constexpr std::int64_t kPixelBytesMax = std::int64_t{256} << 20U; ///< of one item, decoded
inline constexpr std::size_t kPictureFileBytesMax = std::size_t{64} << 20U;
inline constexpr std::size_t kVideoFileBytesMax = std::size_t{1} << 30U;

/// What an item shows, in order: pictures, or one video.
class ItemMedia {
public:
    /// Files are opened below `files` and nowhere else; `programs` is the folder of handeye-decoder and handeye-video. One thread
    /// uses one of these: its decoder ends with the thread.
    ItemMedia(FilesBeneath files, const std::filesystem::path& programs) : files_(std::move(files)), pictures_(programs / "handeye-decoder"), films_(programs / "handeye-video") {}

    /// Errors name the file: NotFound, PermissionDenied for what leads out of the folder, LimitExceeded, ParseFailed for what is no picture,
    /// Cancelled.
    Result<std::vector<Part>> load(const Item& item, const std::stop_token& stop);

private:
    Result<Image> load_picture(const std::string& name, const std::stop_token& stop);

    FilesBeneath files_;
    PictureDecoder pictures_;
    FilmReader films_;
};

/// The prompt with its choices below it, as the model is asked.
std::string full_prompt(const Item& item);

/// InvalidArgument where the prompt has marks of places, and not as many as there are pictures or videos.
Result<void> check_marks(const Item& item);

/// `shown` where "<image>" or "<video>" stand in the prompt, when they stand there as often as there is something; before it otherwise.
std::vector<Message> to_messages(const Item& item, std::vector<Part> shown);

} // namespace handeye::batch
