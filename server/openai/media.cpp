// SPDX-License-Identifier: Apache-2.0
#include "server/openai/media.h"

#include "base/image_header.h"

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr Duration kOpenTimeMax = std::chrono::seconds(60); // for all of one request
constexpr std::size_t kUrlShownMax = 60;
constexpr const char* kNotBoth = "a request holds pictures or a video, not both: the models were not trained with both";

/// "data:video/mp4;base64,..."; what it is in truth its decoder sees.
std::vector<std::uint8_t> video_in(std::string_view url, const std::string& where) {
    constexpr std::string_view kMark = ";base64,";
    const std::size_t mark = url.find(kMark);
    if (!url.starts_with("data:video/") || mark == std::string_view::npos) {
        refuse(where, "a video's URL begins with data:video/mp4;base64, (or another kind of video)");
    }
    auto bytes = from_base64(url.substr(mark + kMark.size()));
    if (!bytes) {
        refuse(where, bytes.error().message);
    }
    return *std::move(bytes);
}

} // namespace

std::vector<std::uint8_t> MediaReader::open(const std::string& url, const std::string& where) {
    if (!context_.open_media) {
        refuse(where, fmt::format("this server takes data: URLs alone; \"{}\" would have to be opened (--allowed-local-media-path, --allowed-media-domains)", url.substr(0, kUrlShownMax)));
    }
    if (std::chrono::steady_clock::now() - begun_ > kOpenTimeMax) {
        refuse(where, fmt::format("opening what the request names took longer than {} s", std::chrono::floor<std::chrono::seconds>(kOpenTimeMax).count()));
    }
    auto bytes = context_.open_media(url, context_.stop);
    if (!bytes) {
        throw Refused{{.status = bytes.error().code == ErrorCode::Cancelled ? 503 : 400, .message = fmt::format("{}: {}", where, bytes.error().message), .param = where}};
    }
    opened_bytes_ += bytes->size();
    if (opened_bytes_ > context_.limits.picture_bytes_max) {
        refuse(where, fmt::format("what the request names has {} bytes and more; the limit for one request is {}", opened_bytes_, context_.limits.picture_bytes_max));
    }
    return *std::move(bytes);
}

Part MediaReader::picture(const std::string& url, const std::string& where) {
    if (++pictures_ > context_.limits.images_max) {
        refuse(where, fmt::format("one request takes at most {} pictures", context_.limits.images_max));
    }
    if (videos_ > 0) {
        refuse(where, kNotBoth);
    }
    opened_.push_back({.where = where, .bytes = {}});
    if (url.starts_with("data:") || !context_.open_media) {
        const DecodePicture keep = [this](std::span<const std::uint8_t> bytes) -> Result<Image> {
            opened_.back().bytes.assign(bytes.begin(), bytes.end());
            return Image();
        };
        if (const auto kept = image_from_data_url(url, context_.decode ? keep : DecodePicture()); !kept) {
            refuse(where, kept.error().message);
        }
    } else if (!context_.decode) {
        refuse(where, "this server takes no pictures: it was given nothing to decode them with");
    } else {
        opened_.back().bytes = open(url, where);
    }
    measure(opened_.back());
    return ImagePart{};
}

/// Adds up what all pictures will take as RGB, by their headers.
void MediaReader::measure(const Opened& picture) {
    const auto header = read_image_header(picture.bytes);
    if (!header) {
        refuse(picture.where, header.error().message);
    }
    constexpr auto kPixelBytes = static_cast<std::uint64_t>(bytes_per_pixel(PixelFormat::Rgb));
    const auto pixels = static_cast<std::uint64_t>(header->width_px) * static_cast<std::uint64_t>(header->height_px); // of 32 bits each at most
    const bool is_beyond = pixels > (UINT64_MAX - decoded_bytes_) / kPixelBytes;
    decoded_bytes_ = is_beyond ? UINT64_MAX : decoded_bytes_ + pixels * kPixelBytes;
}

Part MediaReader::video(const std::string& url, const std::string& where) {
    if (pictures_ > 0) {
        refuse(where, kNotBoth);
    }
    if (!context_.decode_video || context_.limits.videos_max == 0) {
        refuse(where, "this server takes no videos (--limit-mm-per-prompt video=1)");
    }
    if (++videos_ > context_.limits.videos_max) {
        refuse(where, fmt::format("one request takes at most {} video", context_.limits.videos_max));
    }
    opened_.push_back({.where = where, .bytes = url.starts_with("data:") ? video_in(url, where) : open(url, where)});
    return VideoPart{};
}

void MediaReader::decode(std::vector<Message>& messages) {
    if (decoded_bytes_ > context_.limits.picture_bytes_max) {
        refuse("messages", fmt::format("the pictures take {} bytes when they are decoded; the limit for one request is {}", decoded_bytes_, context_.limits.picture_bytes_max));
    }
    auto next = opened_.begin();
    for (Message& message : messages) {
        for (Part& part : message.parts) {
            if (!std::holds_alternative<TextPart>(part)) {
                part = decoded(part, *next);
                next->bytes = {};
                ++next;
            }
        }
    }
}

Part MediaReader::decoded(const Part& part, const Opened& opened) const {
    if (std::holds_alternative<ImagePart>(part)) {
        Result<Image> picture = context_.decode(opened.bytes);
        if (!picture) {
            refuse(opened.where, picture.error().message);
        }
        return ImagePart{std::move(*picture)};
    }
    Result<VideoFrames> video = context_.decode_video(opened.bytes);
    if (!video) {
        refuse(opened.where, video.error().message);
    }
    return VideoPart{.frames = std::move(video->frames), .fps = video->fps};
}

} // namespace handeye
