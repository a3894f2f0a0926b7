// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "media/load.h"
#include "media/office_document.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace std::string_view_literals;

struct Sign {
    std::size_t at;
    std::string_view bytes;
    MediaKind kind;
};
constexpr std::array<Sign, 23> kSigns{{
    {0, "\x89PNG\r\n\x1a\n"sv, MediaKind::Picture}, {0, "\xff\xd8\xff"sv, MediaKind::Picture}, {8, "WEBP"sv, MediaKind::Picture}, {0, "BM"sv, MediaKind::Picture},
    {0, "GIF8"sv, MediaKind::Film}, {0, "II*\0"sv, MediaKind::Film}, {0, "MM\0*"sv, MediaKind::Film}, // which show one picture, or move
    {4, "ftyp"sv, MediaKind::Film}, {4, "moov"sv, MediaKind::Film}, {4, "mdat"sv, MediaKind::Film}, {4, "wide"sv, MediaKind::Film}, {4, "free"sv, MediaKind::Film},
    {0, "\x1a\x45\xdf\xa3"sv, MediaKind::Film}, {8, "AVI "sv, MediaKind::Film}, {0, "FLV\x01"sv, MediaKind::Film}, {0, "\x30\x26\xb2\x75"sv, MediaKind::Film},
    {0, "\0\0\x01\xba"sv, MediaKind::Film}, {0, "\0\0\x01\xb3"sv, MediaKind::Film}, {0, "OggS"sv, MediaKind::Film}, {0, "DKIF"sv, MediaKind::Film},
    {0, "%PDF-"sv, MediaKind::Pdf}, {0, "PK\x03\x04"sv, MediaKind::Office}, {0, "\xd0\xcf\x11\xe0"sv, MediaKind::Office},
}};
constexpr std::array kStillBrands{"heic"sv, "heix"sv, "heim"sv, "mif1"sv, "msf1"sv, "avif"sv, "avis"sv};
constexpr std::size_t kTransportPacket = 188;

std::string lowered(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

} // namespace

Result<MediaKind> media_kind(std::string_view first_bytes, const std::filesystem::path& name) {
    const std::string ending = lowered(name.extension().string());
    if (first_bytes.size() >= 12 && first_bytes.substr(4, 4) == "ftyp" && std::find(kStillBrands.begin(), kStillBrands.end(), first_bytes.substr(8, 4)) != kStillBrands.end()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is a HEIC or AVIF picture, which is not read here; save it as JPEG or PNG", name.string())};
    }
    const auto sign = std::find_if(kSigns.begin(), kSigns.end(), [&](const Sign& s) { return first_bytes.size() >= s.at + s.bytes.size() && first_bytes.substr(s.at, s.bytes.size()) == s.bytes; });
    const bool is_transport = first_bytes.size() > kTransportPacket && first_bytes[0] == 'G' && first_bytes[kTransportPacket] == 'G';
    const bool is_text_document = first_bytes.starts_with("{\\rtf");
    if (is_transport) {
        return MediaKind::Film;
    }
    if (sign == kSigns.end() && !is_text_document) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no picture, film, PDF, presentation or document that is known here (it begins with {})", name.string(),
                                                         to_hex({reinterpret_cast<const std::uint8_t*>(first_bytes.data()), std::min<std::size_t>(first_bytes.size(), 8)}))};
    }
    if (const MediaKind kind = is_text_document ? MediaKind::Office : sign->kind; kind != MediaKind::Office || is_office_ending(ending)) {
        return kind;
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("{} is an archive or an office file whose ending is not one of .pptx .ppt .ppsx .odp .docx .doc .odt .rtf", name.string())};
}

} // namespace handeye
