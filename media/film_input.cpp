// SPDX-License-Identifier: Apache-2.0
#include "media/film_input.h"

#include "base/image_codec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
}

namespace handeye {
namespace {

constexpr int kBufferBytes = 1 << 16;
constexpr int kFramesMax = 2'000'000;
constexpr int kStreamsMax = 64;

// No demuxer that opens other files or addresses (hls, dash, concat), and the decoders that films are made with.
constexpr const char* kFormats = "mov,matroska,avi,gif,flv,asf,mpeg,mpegts,mpegvideo,ogg,ivf,tiff_pipe";
constexpr std::array<AVCodecID, 28> kCodecs{
    AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1, AV_CODEC_ID_MPEG4, AV_CODEC_ID_MPEG1VIDEO,
    AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_H263, AV_CODEC_ID_FLV1, AV_CODEC_ID_VP6, AV_CODEC_ID_VP6F, AV_CODEC_ID_THEORA, AV_CODEC_ID_MJPEG,
    AV_CODEC_ID_WMV1, AV_CODEC_ID_WMV2, AV_CODEC_ID_WMV3, AV_CODEC_ID_VC1, AV_CODEC_ID_MSMPEG4V2, AV_CODEC_ID_MSMPEG4V3, AV_CODEC_ID_PRORES,
    AV_CODEC_ID_DNXHD, AV_CODEC_ID_FFV1, AV_CODEC_ID_HUFFYUV, AV_CODEC_ID_RAWVIDEO, AV_CODEC_ID_PNG, AV_CODEC_ID_GIF, AV_CODEC_ID_TIFF};

int read_bytes(void* file, std::uint8_t* into, int size) {
    const ssize_t got = ::read(*static_cast<int*>(file), into, static_cast<std::size_t>(size));
    return got > 0 ? static_cast<int>(got) : got == 0 ? AVERROR_EOF : AVERROR(EIO);
}

std::int64_t seek_bytes(void* file, std::int64_t to, int whence) {
    const int fd = *static_cast<int*>(file);
    if ((whence & AVSEEK_SIZE) != 0) {
        const off_t here = ::lseek(fd, 0, SEEK_CUR), end = ::lseek(fd, 0, SEEK_END);
        ::lseek(fd, here, SEEK_SET);
        return end;
    }
    return ::lseek(fd, to, whence & ~AVSEEK_FORCE);
}

double as_double(AVRational rate) { return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0.0; }

} // namespace

void FreeFilmPart::operator()(AVFormatContext* format) const { avformat_close_input(&format); }
void FreeFilmPart::operator()(AVIOContext* bytes) const {
    av_freep(&bytes->buffer); // not the one it was made with: it may have grown
    avio_context_free(&bytes);
}
void FreeFilmPart::operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
void FreeFilmPart::operator()(AVFrame* frame) const { av_frame_free(&frame); }
void FreeFilmPart::operator()(AVPacket* packet) const { av_packet_free(&packet); }

std::string film_problem(int error) {
    std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
    av_strerror(error, text.data(), text.size());
    return text.data();
}

Result<FilmInput> FilmInput::open(int file) {
    FilmInput input;
    input.file_ = std::make_unique<int>(file);
    ::lseek(file, 0, SEEK_SET);
    auto* const buffer = static_cast<std::uint8_t*>(av_malloc(kBufferBytes));
    input.bytes_.reset(buffer == nullptr ? nullptr : avio_alloc_context(buffer, kBufferBytes, 0, input.file_.get(), read_bytes, nullptr, seek_bytes));
    AVFormatContext* format = avformat_alloc_context();
    if (!input.bytes_ || format == nullptr) {
        return Error{ErrorCode::OutOfMemory, "no memory to open the film"};
    }
    format->pb = input.bytes_.get();
    format->max_streams = kStreamsMax;
    av_opt_set(format, "format_whitelist", kFormats, 0);
    if (const int problem = avformat_open_input(&format, nullptr, nullptr, nullptr); problem < 0) { // which frees it
        return Error{ErrorCode::ParseFailed, "no film that can be read: " + film_problem(problem)};
    }
    input.format_.reset(format);
    if (const int problem = avformat_find_stream_info(format, nullptr); problem < 0) {
        return Error{ErrorCode::ParseFailed, "a broken film: " + film_problem(problem)};
    }
    const int number = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    if (number < 0) {
        return Error{ErrorCode::ParseFailed, "a film without pictures"};
    }
    for (unsigned i = 0; i < format->nb_streams; ++i) {
        format->streams[i]->discard = static_cast<int>(i) == number ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    input.stream_ = format->streams[number];
    TRY(input.open_decoder());
    return input;
}

Result<void> FilmInput::open_decoder() {
    const AVCodecParameters& facts = *stream_->codecpar;
    const AVCodec* const decoder = std::find(kCodecs.begin(), kCodecs.end(), facts.codec_id) == kCodecs.end() ? nullptr : avcodec_find_decoder(facts.codec_id);
    if (decoder == nullptr) {
        return Error{ErrorCode::Unsupported, fmt::format("a film in {}, which is not decoded here; H.264, HEVC, VP8, VP9, AV1 and MPEG-4 are", avcodec_get_name(facts.codec_id))};
    }
    const ImageLimits limits;
    if (facts.width < 1 || facts.height < 1 || facts.width > limits.side_px_max || facts.height > limits.side_px_max || std::int64_t{facts.width} * facts.height > limits.pixels_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a film of {}x{} pixels; at most {} a side and {} in all are taken", facts.width, facts.height, limits.side_px_max, limits.pixels_max)};
    }
    codec_.reset(avcodec_alloc_context3(decoder));
    if (!codec_ || avcodec_parameters_to_context(codec_.get(), &facts) < 0) {
        return Error{ErrorCode::OutOfMemory, "no memory to decode the film"};
    }
    codec_->thread_count = 1; // a thread is a call that kills
    codec_->max_pixels = limits.pixels_max;
    codec_->pkt_timebase = stream_->time_base;
    if (const int problem = avcodec_open2(codec_.get(), decoder, nullptr); problem < 0) {
        return Error{ErrorCode::ParseFailed, fmt::format("a broken film ({}): {}", decoder->name, film_problem(problem))};
    }
    return {};
}

double FilmInput::frames_per_second() const {
    const double average = as_double(stream_->avg_frame_rate);
    return average > 0 ? average : as_double(stream_->r_frame_rate);
}

Size FilmInput::size() const { return {stream_->codecpar->width, stream_->codecpar->height}; }

int FilmInput::quarter_turns() const {
    std::size_t bytes = 0;
    const std::uint8_t* const matrix = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
    if (matrix == nullptr || bytes < 9 * sizeof(std::int32_t)) {
        return 0;
    }
    const double degrees = -av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix)); // which counts the other way round
    return std::isfinite(degrees) ? (static_cast<int>(std::lround(degrees / 90)) % 4 + 4) % 4 : 0;
}

Result<int> FilmInput::count_frames(const std::function<void(double share)>& on_progress) {
    const FilmPart<AVPacket> packet(av_packet_alloc());
    const double size = std::max<double>(1.0, static_cast<double>(avio_size(bytes_.get())));
    int count = 0;
    while (packet && av_read_frame(format_.get(), packet.get()) >= 0) {
        const bool is_shown = packet->stream_index == stream_->index && (packet->flags & AV_PKT_FLAG_DISCARD) == 0;
        av_packet_unref(packet.get());
        if (is_shown && ++count > kFramesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("a film of more than {} frames", kFramesMax)};
        }
        on_progress(static_cast<double>(avio_tell(bytes_.get())) / size);
    }
    return count;
}

Result<bool> FilmInput::receive(AVFrame& frame, const std::function<Result<bool>(const AVFrame& frame)>& on_frame) {
    while (avcodec_receive_frame(codec_.get(), &frame) >= 0) {
        const bool is_shown = (frame.flags & AV_FRAME_FLAG_DISCARD) == 0;
        const bool goes_on = is_shown ? TRY(on_frame(frame)) : true;
        av_frame_unref(&frame);
        if (!goes_on) {
            return false;
        }
    }
    return true;
}

Result<void> FilmInput::decode(const std::function<Result<bool>(const AVFrame& frame)>& on_frame) {
    const FilmPart<AVPacket> packet(av_packet_alloc());
    const FilmPart<AVFrame> frame(av_frame_alloc());
    if (!packet || !frame) {
        return Error{ErrorCode::OutOfMemory, "no memory to decode the film"};
    }
    bool goes_on = true;
    while (goes_on && av_read_frame(format_.get(), packet.get()) >= 0) {
        const bool is_ours = packet->stream_index == stream_->index;
        static_cast<void>(is_ours ? avcodec_send_packet(codec_.get(), packet.get()) : 0); // a damaged one is left out
        av_packet_unref(packet.get());
        goes_on = !is_ours || TRY(receive(*frame, on_frame));
    }
    if (goes_on) {
        avcodec_send_packet(codec_.get(), nullptr); // what it still holds back
        static_cast<void>(TRY(receive(*frame, on_frame)));
    }
    return {};
}

} // namespace handeye
