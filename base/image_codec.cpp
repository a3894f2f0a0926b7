// SPDX-License-Identifier: Apache-2.0
// The only place where libraries decode and encode pictures: OpenCV, libwebp by itself, and plain_png for what it takes. A WebP whose
// inner header is broken would make OpenCV go on to ask every other reader it was built with, DICOM and a hundred map formats among them.
#include "base/image_codec.h"

#include "base/file.h"
#include "base/image_header.h"
#include "base/plain_png.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <webp/decode.h>
#include <webp/encode.h>

namespace handeye {
namespace {

using Bytes = std::span<const std::uint8_t>;

Result<cv::Mat> to_mat_bgr(const Image& image) {
    if (image.is_empty()) {
        return Error{ErrorCode::InvalidArgument, "an empty picture cannot be encoded"};
    }
    const Image rgb = image.to_rgb();
    const cv::Mat view(rgb.size().height_px, rgb.size().width_px, CV_8UC3,
                       const_cast<std::uint8_t*>(rgb.bytes().data())); // NOLINT: cv::Mat has no const view
    cv::Mat bgr;
    cv::cvtColor(view, bgr, cv::COLOR_RGB2BGR);
    return bgr;
}

Result<std::vector<std::uint8_t>> encode(const Image& image, const char* extension, const std::vector<int>& options) {
    try {
        const cv::Mat bgr = TRY(to_mat_bgr(image));
        std::vector<std::uint8_t> out;
        if (!cv::imencode(extension, bgr, out, options)) {
            return Error{ErrorCode::Internal, fmt::format("the picture could not be encoded as {}", extension)};
        }
        return out;
    } catch (const cv::Exception& problem) {
        return Error{ErrorCode::Internal, fmt::format("encoding {}: {}", extension, problem.what())};
    }
}

Result<Image> from_mat(const cv::Mat& mat) {
    cv::Mat eight = mat;
    if (mat.depth() == CV_16U) {
        mat.convertTo(eight, CV_8U, 1.0 / 257.0);
    } else if (mat.depth() != CV_8U) {
        return Error{ErrorCode::Unsupported, "the picture's samples are neither 8 nor 16 bits wide"};
    }
    cv::Mat ordered;
    PixelFormat format = PixelFormat::Rgb;
    switch (eight.channels()) {
    case 1: cv::cvtColor(eight, ordered, cv::COLOR_GRAY2RGB); break;
    case 3: cv::cvtColor(eight, ordered, cv::COLOR_BGR2RGB); break;
    case 4:
        cv::cvtColor(eight, ordered, cv::COLOR_BGRA2RGBA);
        format = PixelFormat::Rgba;
        break;
    default: return Error{ErrorCode::Unsupported, fmt::format("a picture with {} channels", eight.channels())};
    }
    std::vector<std::uint8_t> pixels(ordered.data, ordered.data + ordered.total() * ordered.elemSize());
    const Image image = TRY(Image::from_pixels({ordered.cols, ordered.rows}, format, std::move(pixels)));
    return image.to_rgb();
}

/// The colour that a grey or RGB PNG names as transparent, in samples of the decoded picture: the codec overlooks it.
std::optional<std::array<std::uint32_t, 3>> transparent_colour(Bytes png) {
    constexpr std::size_t kFirstChunk = 33, kDepthAt = 24, kColourTypeAt = 25;
    if (png.size() < kFirstChunk || png[1] != 'P' || (png[kColourTypeAt] != 0 && png[kColourTypeAt] != 2)) {
        return std::nullopt;
    }
    const std::size_t channels = png[kColourTypeAt] == 0 ? 1 : 3;
    const std::uint32_t depth = png[kDepthAt];
    for (std::size_t at = kFirstChunk; at + 12 <= png.size();) {
        const std::size_t length = std::size_t{png[at]} << 24U | std::size_t{png[at + 1]} << 16U | std::size_t{png[at + 2]} << 8U | png[at + 3];
        const std::string_view name(reinterpret_cast<const char*>(png.data()) + at + 4, 4);
        if (name == "IDAT" || length > png.size() - at - 12) {
            return std::nullopt;
        }
        if (name == "tRNS" && length >= channels * 2) {
            std::array<std::uint32_t, 3> colour{};
            for (std::size_t i = 0; i < channels; ++i) {
                const std::uint32_t sample = (std::uint32_t{png[at + 8 + i * 2]} << 8U | png[at + 9 + i * 2]) & ((1U << depth) - 1U);
                colour[channels - 1 - i] = depth < 8 ? sample * 255U / ((1U << depth) - 1U) : sample; // blue comes first
            }
            return colour;
        }
        at += length + 12;
    }
    return std::nullopt;
}

/// What is transparent is white, as everywhere.
template <class Sample>
void whiten(cv::Mat& mat, const std::array<std::uint32_t, 3>& colour) {
    const auto channels = static_cast<std::size_t>(mat.channels());
    for (int y = 0; y < mat.rows; ++y) {
        Sample* const row = mat.ptr<Sample>(y);
        for (std::size_t x = 0; x < static_cast<std::size_t>(mat.cols) * channels; x += channels) {
            if (std::equal(row + x, row + x + channels, colour.begin())) {
                std::fill_n(row + x, channels, std::numeric_limits<Sample>::max());
            }
        }
    }
}

Result<Image> decode_webp(Bytes encoded, const ImageHeader& header) {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(encoded.data(), encoded.size(), &features) != VP8_STATUS_OK || features.width != header.width_px ||
        features.height != header.height_px) {
        return Error{ErrorCode::ParseFailed, "the picture is damaged: its WebP header contradicts itself"};
    }
    const PixelFormat format = features.has_alpha != 0 ? PixelFormat::Rgba : PixelFormat::Rgb;
    const int stride = features.width * bytes_per_pixel(format);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(stride) * static_cast<std::size_t>(features.height));
    const auto decode = features.has_alpha != 0 ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
    if (decode(encoded.data(), encoded.size(), pixels.data(), pixels.size(), stride) == nullptr) {
        return Error{ErrorCode::ParseFailed, "the picture is damaged: its pixels could not be decoded"};
    }
    const Image image = TRY(Image::from_pixels({features.width, features.height}, format, std::move(pixels)));
    return image.to_rgb();
}

} // namespace

Result<Image> decode_image(Bytes encoded, const ImageLimits& limits) {
    if (static_cast<std::int64_t>(encoded.size()) > limits.file_bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a picture file of {} bytes passes the limit of {}",
                                                           encoded.size(), limits.file_bytes_max)};
    }
    const ImageHeader header = TRY(read_image_header(encoded));
    if (header.width_px <= 0 || header.height_px <= 0 || header.width_px > limits.side_px_max ||
        header.height_px > limits.side_px_max || header.width_px * header.height_px > limits.pixels_max) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("a picture of {}x{} pixels passes the limits (side {}, pixels {})", header.width_px,
                                 header.height_px, limits.side_px_max, limits.pixels_max)};
    }
    if (header.is_webp) {
        return decode_webp(encoded, header);
    }
    std::vector<std::uint8_t> plain;
    if (header.has_extra_chunks) {
        plain = without_extra_chunks(encoded);
        encoded = plain;
    }
    if (const auto image = decode_plain_png(encoded)) {
        return image->to_rgb();
    }
    try {
        const cv::Mat raw(1, static_cast<int>(encoded.size()), CV_8UC1,
                          const_cast<std::uint8_t*>(encoded.data())); // NOLINT: cv::Mat has no const view
        cv::Mat mat = cv::imdecode(raw, cv::IMREAD_UNCHANGED);
        // Both sizes: a decoder that believes another part of the file is not trusted either.
        if (mat.empty() || mat.cols != header.width_px || mat.rows != header.height_px) {
            return Error{ErrorCode::ParseFailed, "the picture is damaged: its pixels could not be decoded"};
        }
        if (const auto clear = transparent_colour(encoded); clear && (mat.channels() == 1 || mat.channels() == 3)) {
            mat.depth() == CV_16U ? whiten<std::uint16_t>(mat, *clear) : whiten<std::uint8_t>(mat, *clear);
        }
        return from_mat(mat);
    } catch (const cv::Exception& problem) {
        return Error{ErrorCode::ParseFailed, fmt::format("the picture is damaged: {}", problem.what())};
    }
}

Result<Image> read_image(const std::filesystem::path& path, const ImageLimits& limits) {
    const std::string bytes = TRY(read_file(path, static_cast<std::size_t>(limits.file_bytes_max)));
    return decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, limits)
        .with_context(path.string());
}

Result<std::vector<std::uint8_t>> encode_png(const Image& image, int level) {
    return encode(image, ".png", {cv::IMWRITE_PNG_COMPRESSION, std::clamp(level, 0, 9)});
}

Result<void> write_png(const std::filesystem::path& path, const Image& image, int level) {
    const std::vector<std::uint8_t> bytes = TRY(encode_png(image, level));
    return write_file_atomic(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<std::vector<std::uint8_t>> encode_jpeg(const Image& image, int quality) {
    return encode(image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, std::clamp(quality, 1, 100)});
}

Result<std::vector<std::uint8_t>> encode_webp(const Image& image, int quality) {
    const Image rgb = image.to_rgb();
    WebPConfig config;
    WebPPicture picture;
    if (rgb.is_empty() || WebPConfigPreset(&config, WEBP_PRESET_TEXT, static_cast<float>(std::clamp(quality, 1, 100))) == 0 || WebPPictureInit(&picture) == 0) {
        return Error{ErrorCode::InvalidArgument, "an empty picture cannot be encoded"};
    }
    constexpr int kQuick = 2; // of 0..6: 5 % larger than 4, in a third of its time
    config.method = kQuick;
    WebPMemoryWriter writer;
    WebPMemoryWriterInit(&writer);
    picture.width = rgb.size().width_px;
    picture.height = rgb.size().height_px;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    const bool is_done = WebPPictureImportRGB(&picture, rgb.bytes().data(), static_cast<int>(rgb.stride_bytes())) != 0 && WebPEncode(&config, &picture) != 0;
    Result<std::vector<std::uint8_t>> out = std::vector<std::uint8_t>(writer.mem, writer.mem + (is_done ? writer.size : 0));
    if (!is_done) {
        out = Error{ErrorCode::LimitExceeded, fmt::format("a picture of {}x{} cannot be encoded as WebP (error {})", picture.width, picture.height, static_cast<int>(picture.error_code))};
    }
    WebPMemoryWriterClear(&writer);
    WebPPictureFree(&picture);
    return out;
}

Result<Image> scaled(const Image& image, Size size) {
    if (image.is_empty() || size.is_empty()) {
        return Error{ErrorCode::InvalidArgument, "cannot scale from or to an empty picture"};
    }
    // A captured frame is scaled as it is and only the result turned to RGB: the same values, a quarter of the time.
    const bool is_bgrx = image.format() == PixelFormat::Bgrx;
    const Image source = is_bgrx ? image : image.to_rgb();
    const cv::Mat view(source.size().height_px, source.size().width_px, is_bgrx ? CV_8UC4 : CV_8UC3,
                       const_cast<std::uint8_t*>(source.bytes().data())); // NOLINT: cv::Mat has no const view
    cv::Mat out;
    cv::resize(view, out, cv::Size(size.width_px, size.height_px), 0, 0, size.area() > image.size().area() ? cv::INTER_CUBIC : cv::INTER_AREA);
    if (is_bgrx) {
        cv::cvtColor(out, out, cv::COLOR_BGRA2RGB);
    }
    return Image::from_pixels(size, PixelFormat::Rgb, {out.data, out.data + out.total() * out.elemSize()});
}

} // namespace handeye
