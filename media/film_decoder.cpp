// SPDX-License-Identifier: Apache-2.0
#include "media/film_decoder.h"

#include "base/child_wire.h"
#include "base/file.h"
#include "base/image.h"
#include "engine/film_plan.h"
#include "media/film_input.h"
#include "media/film_wire.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <iconv.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace handeye {
namespace {

using wire::bytes_of;

constexpr double kUnknownFps = 24; // as the reference assumes
constexpr double kCountingShare = 0.1;
constexpr double kWholeShare = 0.98; // some packets show nothing: fewer frames than packets are no damage
constexpr double kProgressStep = 0.02;
constexpr int kFineScaling = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT;

struct FreeScaler {
    void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

/// Decoded frames as pictures that stand upright.
class Painter {
public:
    Painter(Size size, int quarter_turns) : size_(size), quarter_turns_(quarter_turns) {}

    Result<Image> paint(const AVFrame& frame) {
        const auto format = static_cast<AVPixelFormat>(frame.format);
        const AVPixFmtDescriptor* const facts = av_pix_fmt_desc_get(format);
        const bool has_alpha = facts != nullptr && (facts->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
        const bool is_palette = format == AV_PIX_FMT_PAL8; // its colours may be transparent
        const PixelFormat into = has_alpha || is_palette ? PixelFormat::Rgba : PixelFormat::Rgb;
        scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format, size_.width_px, size_.height_px,
                                           into == PixelFormat::Rgba ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24, kFineScaling, nullptr, nullptr, nullptr));
        if (!scaler_) {
            return Error{ErrorCode::Unsupported, fmt::format("a film in pixels of the kind {}", facts != nullptr ? facts->name : "unknown")};
        }
        set_colours(frame);
        const std::size_t stride = static_cast<std::size_t>(size_.width_px) * static_cast<std::size_t>(bytes_per_pixel(into));
        std::vector<std::uint8_t> rows(stride * static_cast<std::size_t>(size_.height_px) + kSlack);
        std::uint8_t* const planes[] = {rows.data(), nullptr, nullptr, nullptr};
        const int strides[] = {static_cast<int>(stride), 0, 0, 0};
        if (sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides) < 0) {
            return Error{ErrorCode::ParseFailed, "a frame of the film cannot be turned into pixels"};
        }
        rows.resize(rows.size() - kSlack);
        return turned(TRY(Image::from_pixels(size_, into, std::move(rows))).to_rgb());
    }

private:
    static constexpr std::size_t kSlack = 64; // its vector code writes beyond the last row

    // As the film says; where it does not, the library's default, which the reference's readers use, too.
    void set_colours(const AVFrame& frame) {
        int* ignored_from = nullptr;
        int* ignored_to = nullptr;
        int from_full = 0, to_full = 0, brightness = 0, contrast = 0, saturation = 0;
        if (sws_getColorspaceDetails(scaler_.get(), &ignored_from, &from_full, &ignored_to, &to_full, &brightness, &contrast, &saturation) >= 0) {
            const int space = frame.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : static_cast<int>(frame.colorspace);
            const int full = frame.color_range == AVCOL_RANGE_JPEG ? 1 : from_full;
            sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(space), full, sws_getCoefficients(SWS_CS_DEFAULT), to_full, brightness, contrast, saturation);
        }
    }

    [[nodiscard]] Result<Image> turned(const Image& image) const {
        if (quarter_turns_ == 0) {
            return image;
        }
        const Size from = image.size();
        const Size to = quarter_turns_ == 2 ? from : Size{from.height_px, from.width_px};
        std::vector<std::uint8_t> out(image.bytes().size());
        auto* put = out.data();
        for (int y = 0; y < to.height_px; ++y) {
            for (int x = 0; x < to.width_px; ++x, put += 3) {
                const Point at = quarter_turns_ == 1 ? Point{y, from.height_px - 1 - x} : quarter_turns_ == 2 ? Point{from.width_px - 1 - x, from.height_px - 1 - y} : Point{from.width_px - 1 - y, x};
                std::copy_n(image.row(at.y).data() + static_cast<std::ptrdiff_t>(at.x) * 3, 3, put);
            }
        }
        return Image::from_pixels(to, PixelFormat::Rgb, std::move(out));
    }

    Size size_; // as stored
    int quarter_turns_;
    std::unique_ptr<SwsContext, FreeScaler> scaler_;
};

class Answerer {
public:
    Answerer(int socket, int file) : socket_(socket), file_(file) {}

    Result<FileDescriptor> answer(FilmHead& head) {
        {
            FilmInput input = TRY(FilmInput::open(file_));
            frames_ = TRY(input.count_frames([&](double share) { tell(share * kCountingShare); }));
        }
        FilmInput input = TRY(FilmInput::open(file_));
        const Size stored = input.size();
        const bool is_turned = input.quarter_turns() % 2 == 1;
        const Size own = is_turned ? Size{stored.height_px, stored.width_px} : stored;
        const double fps = input.frames_per_second() > 0 ? input.frames_per_second() : kUnknownFps;
        if (frames_ < 1) {
            return Error{ErrorCode::ParseFailed, "a film without a frame"};
        }
        const FilmPlan plan = TRY(plan_film(frames_, fps, own));
        FileDescriptor pixels(::memfd_create("frames", MFD_CLOEXEC));
        const int got = TRY(decode(input, plan, Painter(stored, input.quarter_turns()), pixels.get()));
        if (got == 0) {
            return Error{ErrorCode::ParseFailed, "a broken film: no frame of it can be decoded"};
        }
        head = {.width_px = plan.size.width_px, .height_px = plan.size.height_px, .frames = got,
                .breaks_off = got < static_cast<int>(plan.indices.size()) && decoded_ < frames_ * kWholeShare ? 1U : 0U, .fps = plan.fps,
                .own_width_px = own.width_px, .own_height_px = own.height_px, .own_frames = frames_, .own_fps = fps};
        return pixels;
    }

private:
    Result<int> decode(FilmInput& input, const FilmPlan& plan, Painter painter, int pixels) {
        int got = 0;
        const auto wanted = static_cast<int>(plan.indices.size());
        const auto take = [&](const AVFrame& frame) -> Result<bool> {
            if (decoded_++ == plan.indices[static_cast<std::size_t>(got)]) {
                const Image whole = TRY(painter.paint(frame));
                const Image seen = TRY(shrink_frame(whole, plan.size));
                TRY(put(seen, pixels));
                ++got;
                tell(kCountingShare + (1 - kCountingShare) * got / wanted);
            }
            return got < wanted;
        };
        TRY(input.decode(take));
        return got;
    }

    static Result<void> put(const Image& image, int pixels) {
        for (std::span<const std::uint8_t> left = image.bytes(); !left.empty();) {
            const ssize_t n = ::write(pixels, left.data(), left.size());
            if (n <= 0) {
                return Error{ErrorCode::OutOfMemory, "no memory for the film's frames"};
            }
            left = left.subspan(static_cast<std::size_t>(n));
        }
        return {};
    }

    void tell(double share) {
        if (share < told_ + kProgressStep) {
            return;
        }
        told_ = share;
        FilmHead head{.code = kFilmProgress, .share = share};
        static_cast<void>(wire::send_with_descriptor(socket_, bytes_of(head), -1));
    }

    int socket_, file_, frames_ = 0, decoded_ = 0;
    double told_ = 0;
};

} // namespace

void warm_up_film_decoder() {
    av_log_set_callback([](void*, int, const char*, va_list) {}); // what a stranger's film says goes to no terminal
    ::tzset();                                                    // a date in a film would open the zone's file
    // Names in broadcasts (MPEG-TS) come in these, and each is a library that is loaded at first use; it stays as long as one is open.
    for (const char* const encoding : {"ISO6937", "ISO-8859-1", "ISO-8859-2", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7", "ISO-8859-8", "ISO-8859-9",
                                       "ISO-8859-10", "ISO-8859-11", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15", "UCS-2BE", "KSC_5601", "GB2312", "BIG5", "UTF-8"}) {
        static_cast<void>(::iconv_open("UTF-8", encoding));
    }
}

int serve_film(int socket) {
    FilmQuestion question;
    FileDescriptor file;
    const auto never = std::chrono::steady_clock::now() + std::chrono::hours(24);
    if (wire::receive_with_descriptor(socket, bytes_of(question), file, never) != wire::Moved::All || !file.is_open()) {
        return 0;
    }
    FilmHead head;
    const Result<FileDescriptor> pixels = Answerer(socket, file.get()).answer(head);
    if (pixels) {
        static_cast<void>(wire::send_with_descriptor(socket, bytes_of(head), pixels->get()));
        return 0;
    }
    const std::string message = pixels.error().message.substr(0, kFilmMessageBytesMax);
    head = {.code = static_cast<std::uint32_t>(pixels.error().code) + 1, .message_bytes = static_cast<std::uint32_t>(message.size())};
    static_cast<void>(wire::send_with_descriptor(socket, bytes_of(head), -1));
    static_cast<void>(wire::send_all(socket, {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}, never));
    return 0;
}

} // namespace handeye
