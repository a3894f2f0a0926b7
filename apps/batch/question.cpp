// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/question.h"

#include "base/image_header.h"
#include "base/printable.h"
#include "media/load.h"
#include "server/picture.h"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

namespace handeye::batch {
namespace {

constexpr std::size_t kNameShownMax = 80;

std::string shown(const std::string& name) { return printable_line(name.substr(0, kNameShownMax)); }

std::string_view mark_of(const Item& item) { return item.video.empty() ? "<image>" : "<video>"; }

std::size_t count_of(std::string_view text, std::string_view mark) {
    std::size_t count = 0;
    for (std::size_t at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + mark.size())) {
        ++count;
    }
    return count;
}

/// Films take a process of up to 2 GiB each: one at a time, however many items are asked at once.
std::mutex& film_turn() {
    static std::mutex mutex;
    return mutex;
}

Error beyond_pixels() { return {ErrorCode::LimitExceeded, fmt::format("its pictures have more than {} bytes of pixels together", kPixelBytesMax)}; }

} // namespace

Result<Image> ItemMedia::load_picture(const std::string& name, const std::stop_token& stop) {
    if (name.starts_with("data:")) {
        return image_from_data_url(name, [&](std::span<const std::uint8_t> bytes) { return pictures_.decode(bytes, stop); }).with_context("the data: URL");
    }
    const std::vector<std::uint8_t> bytes = TRY(files_.read(name, kPictureFileBytesMax));
    const std::string_view first(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 512));
    const MediaKind kind = TRY(media_kind(first, name).with_context(shown(name)));
    if (kind == MediaKind::Picture) {
        return pictures_.decode(bytes, stop).with_context(shown(name));
    }
    if (kind != MediaKind::Film) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is a document: its pages have to be pictures (pdftoppm -png)", shown(name))};
    }
    const std::lock_guard turn(film_turn());
    const Film film = TRY(films_.read(bytes, {}, stop).with_context(shown(name))); // a GIF or TIFF
    return film.frames == 1 ? Result<Image>(film.video.frames.front()) : Error{ErrorCode::InvalidArgument, fmt::format("{} moves: name it as the item's \"video\"", shown(name))};
}

Result<std::vector<Part>> ItemMedia::load(const Item& item, const std::stop_token& stop) {
    std::vector<Part> out;
    std::int64_t pixel_bytes = 0;
    for (const std::string& name : item.images) {
        Image image = TRY(load_picture(name, stop));
        pixel_bytes += static_cast<std::int64_t>(image.bytes().size());
        if (pixel_bytes > kPixelBytesMax) {
            return beyond_pixels();
        }
        out.emplace_back(ImagePart{std::move(image)});
    }
    if (!item.video.empty()) {
        const std::vector<std::uint8_t> bytes = TRY(files_.read(item.video, kVideoFileBytesMax));
        const std::lock_guard turn(film_turn());
        Film film = TRY(films_.read(bytes, {}, stop).with_context(shown(item.video)));
        for (const Image& frame : film.video.frames) {
            pixel_bytes += static_cast<std::int64_t>(frame.bytes().size());
        }
        if (pixel_bytes > kPixelBytesMax) {
            return beyond_pixels();
        }
        out.emplace_back(std::move(film.video));
    }
    return out;
}

std::string full_prompt(const Item& item) {
    std::string out = item.prompt;
    for (std::size_t i = 0; i < item.choices.size(); ++i) {
        out += fmt::format("\n{}. {}", static_cast<char>('A' + i), item.choices[i]);
    }
    return out;
}

Result<void> check_marks(const Item& item) {
    const bool is_film = !item.video.empty();
    const std::size_t shown = is_film ? 1 : item.images.size();
    const std::string_view mark = mark_of(item);
    const std::size_t marks = count_of(full_prompt(item), mark);
    if (shown > 0 && marks > 0 && marks != shown) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} times {} in the question, and {} to show: as many of one as of the other, or no mark at all", marks, mark, shown)};
    }
    return {};
}

std::vector<Message> to_messages(const Item& item, std::vector<Part> shown) {
    std::vector<Message> out;
    if (!item.system.empty()) {
        out.push_back({.role = Role::System, .parts = {TextPart{item.system}}});
    }
    Message question{.role = Role::User};
    const std::string text = full_prompt(item);
    const std::string_view mark = mark_of(item);
    const bool has_places = !shown.empty() && count_of(text, mark) == shown.size();
    if (!has_places) {
        question.parts = std::move(shown);
        question.parts.emplace_back(TextPart{text});
        out.push_back(std::move(question));
        return out;
    }
    std::size_t at = 0;
    for (Part& part : shown) {
        const std::size_t place = text.find(mark, at);
        if (place > at) {
            question.parts.emplace_back(TextPart{text.substr(at, place - at)});
        }
        question.parts.push_back(std::move(part));
        at = place + mark.size();
    }
    if (at < text.size()) {
        question.parts.emplace_back(TextPart{text.substr(at)});
    }
    out.push_back(std::move(question));
    return out;
}

} // namespace handeye::batch
