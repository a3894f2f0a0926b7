// SPDX-License-Identifier: Apache-2.0
// Files as what a model is shown: pictures, films, pages of PDFs, presentations and documents. What they hold is a stranger's: each
// kind is decoded in a process of its own that reaches nothing (base/picture_decoder.h, film_reader.h, confined_tool.h).
#pragma once

#include "base/picture_decoder.h"
#include "base/result.h"
#include "engine/chat.h"
#include "media/film_reader.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// By its first bytes; those of an archive or of an old office file are told apart by the name's ending.
enum class MediaKind { Picture, Film, Pdf, Office };
/// InvalidArgument with what it seems to be, where it is none of these.
Result<MediaKind> media_kind(std::string_view first_bytes, const std::filesystem::path& name);

struct LoadedMedia {
    MediaKind kind = MediaKind::Picture;
    std::vector<Part> parts; ///< pictures, or one video
    std::string caption;     ///< one line for a person: "report.pdf: pages 3 to 7 of 12"
    std::int64_t bytes = 0;  ///< of its pixels
};

struct LoadOptions {
    double dpi = 180;               ///< of pages
    std::size_t pictures_max = 300; ///< that are still taken
    std::int64_t bytes_max = std::int64_t{768} << 20U; ///< of pixels that are still taken
    std::function<void(double share)> on_progress;
};

class MediaLoader {
public:
    /// `programs`: the folder of handeye-decoder and handeye-video.
    explicit MediaLoader(const std::filesystem::path& programs) : pictures_(programs / "handeye-decoder"), films_(programs / "handeye-video") {}

    /// `name`: a file, with "#3-7,9" behind it for pages of a document. NotFound, InvalidArgument for what is no regular file, and the
    /// errors of the kind; each names the file. One at a time.
    Result<LoadedMedia> load(const std::string& name, const LoadOptions& options, const std::stop_token& stop);

private:
    Result<LoadedMedia> load_picture(const FileDescriptor& file, const std::string& name, const LoadOptions& options, const std::stop_token& stop);
    Result<LoadedMedia> load_film(const FileDescriptor& file, const std::string& name, const LoadOptions& options, const std::stop_token& stop);

    PictureDecoder pictures_;
    FilmReader films_;
};

} // namespace handeye
