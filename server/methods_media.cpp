// SPDX-License-Identifier: Apache-2.0
// screen.capture and recording.blob: pictures and other bytes, as base64 in JSON.
#include "base/image_codec.h"
#include "server/core.h"
#include "server/method_table.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kBlobBytesMax = 32U << 20U;

std::string base64(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
        const std::uint32_t group = std::uint32_t{bytes[i]} << 16U | (n > 1 ? std::uint32_t{bytes[i + 1]} << 8U : 0U) |
                                    (n > 2 ? std::uint32_t{bytes[i + 2]} : 0U);
        out += kAlphabet[group >> 18U & 63U];
        out += kAlphabet[group >> 12U & 63U];
        out += n > 1 ? kAlphabet[group >> 6U & 63U] : '=';
        out += n > 2 ? kAlphabet[group & 63U] : '=';
    }
    return out;
}

Result<json> picture_json(const Screenshot& shot, const std::string& format, int max_px) {
    Image image = shot.image;
    const Size full = image.size();
    const int longest = std::max(full.width_px, full.height_px);
    if (max_px > 0 && longest > max_px) {
        const auto fit = [&](int side) { return std::max(1, static_cast<int>(std::int64_t{side} * max_px / longest)); };
        image = TRY(scaled(image, {fit(full.width_px), fit(full.height_px)}));
    }
    const std::vector<std::uint8_t> bytes = TRY((format == "jpeg" ? encode_jpeg(image) : encode_png(image)));
    return json{{"media_type", "image/" + format},
                {"width_px", image.size().width_px},
                {"height_px", image.size().height_px},
                {"target_width_px", full.width_px},
                {"target_height_px", full.height_px},
                {"captured_mono_ns", shot.captured_at.time_since_epoch().count()},
                {"base64", base64(bytes)}};
}

bool is_sha256_hex(const std::string& text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

} // namespace

void screen_capture(const Call& call) {
    const auto id = call.params.at("session").get<std::string>();
    const auto session = call.core.hub.find(id);
    if (!session) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no session \"{}\"", id), "session"});
        return;
    }
    const std::string format = call.params.value("format", "png");
    const int max_px = call.params.value("max_px", 0);
    const auto refused = session->capture([reply = call.reply, format, max_px](const Result<Screenshot>& shot) {
        const Result<json> picture = shot ? picture_json(*shot, format, max_px) : Result<json>(shot.error());
        if (picture) {
            reply.ok(*picture);
        } else {
            reply.fail(picture.error());
        }
    });
    if (refused) {
        call.reply.fail(*refused);
    }
}

void recording_blob(const Call& call) {
    const auto id = call.params.at("session").get<std::string>();
    const auto hash = call.params.at("hash").get<std::string>();
    if (!is_sha256_hex(hash)) {
        call.reply.fail(RpcError{ErrorKind::InvalidParams, "hash must be 64 lower-case hexadecimal digits", "hash"});
        return;
    }
    const auto recording = call.core.hub.recording(id);
    if (!recording) {
        call.reply.fail(RpcError{ErrorKind::NoSuchSession, fmt::format("there is no recording of session \"{}\"", id), "session"});
        return;
    }
    call.core.reader.read_blob(*recording, hash, [reply = call.reply, hash](const Result<std::vector<std::uint8_t>>& bytes) {
        if (!bytes) {
            reply.fail(bytes.error());
        } else if (bytes->size() > kBlobBytesMax) {
            reply.fail(Error{ErrorCode::LimitExceeded, fmt::format("blob of {} bytes passes the limit of {}", bytes->size(), kBlobBytesMax)});
        } else {
            reply.ok({{"hash", hash}, {"size_bytes", bytes->size()}, {"base64", base64(*bytes)}});
        }
    });
}

} // namespace handeye
