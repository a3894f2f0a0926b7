// SPDX-License-Identifier: Apache-2.0
#include "media/load.h"

#include "base/image_codec.h"
#include "media/office_document.h"
#include "media/page_choice.h"
#include "media/pdf_pages.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr std::int64_t kDocumentBytesMax = std::int64_t{256} << 20U;
constexpr std::size_t kSniffBytes = 512;

struct OpenedFile {
    FileDescriptor file;
    std::string first;
};

Result<OpenedFile> open_file(const std::string& path) {
    OpenedFile out;
    out.file = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)); // a pipe or a device does not hold us up
    struct stat facts {};
    if (!out.file.is_open() || ::fstat(out.file.get(), &facts) != 0) {
        return Error{errno == ENOENT ? ErrorCode::NotFound : ErrorCode::IoFailed, errno == ENOENT ? fmt::format("there is no file {}", path) : fmt::format("{} cannot be read: {}", path, std::strerror(errno))};
    }
    if (!S_ISREG(facts.st_mode)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no regular file", path)};
    }
    if (facts.st_size == 0) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} is empty", path)};
    }
    out.first.resize(kSniffBytes);
    out.first.resize(static_cast<std::size_t>(std::max<ssize_t>(::pread(out.file.get(), out.first.data(), out.first.size(), 0), 0)));
    return out;
}

Result<std::string> read_all(const FileDescriptor& file, const std::string& name, std::int64_t bytes_max) {
    struct stat facts {};
    ::fstat(file.get(), &facts);
    if (facts.st_size > bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} has {} bytes; at most {} are taken of its kind", name, facts.st_size, bytes_max)};
    }
    std::string out(static_cast<std::size_t>(facts.st_size), '\0');
    for (std::size_t at = 0; at < out.size();) {
        const ssize_t got = ::pread(file.get(), out.data() + at, out.size() - at, static_cast<off_t>(at));
        if (got <= 0) {
            return Error{ErrorCode::IoFailed, fmt::format("{} cannot be read: {}", name, got < 0 ? std::strerror(errno) : "it became shorter")};
        }
        at += static_cast<std::size_t>(got);
    }
    return out;
}

/// Removed with all that lies in it.
class PrivateFolder {
public:
    static Result<std::unique_ptr<PrivateFolder>> make() {
        std::error_code problem;
        std::string name = (std::filesystem::temp_directory_path(problem) / "handeye-media-XXXXXX").string();
        if (problem || ::mkdtemp(name.data()) == nullptr) {
            return Error{ErrorCode::IoFailed, fmt::format("no temporary folder {}: {}", name, std::strerror(errno))};
        }
        return std::unique_ptr<PrivateFolder>(new PrivateFolder(name));
    }
    ~PrivateFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    PrivateFolder(const PrivateFolder&) = delete;
    PrivateFolder& operator=(const PrivateFolder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    explicit PrivateFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

std::string size_text(Size size) { return fmt::format("{}x{}", size.width_px, size.height_px); }

std::string base_name(const std::string& name) { return std::filesystem::path(name).filename().string(); }

Result<LoadedMedia> load_document(const FileDescriptor& file, const NamedFile& name, MediaKind kind, const LoadOptions& options, const std::stop_token& stop) {
    const std::string bytes = TRY(read_all(file, name.path, kDocumentBytesMax));
    const std::unique_ptr<PrivateFolder> folder = TRY(PrivateFolder::make());
    const std::string ending = kind == MediaKind::Pdf ? ".pdf" : std::filesystem::path(name.path).extension().string();
    PdfWish wish{.name = name, .file = folder->path() / ("document" + ending), .folder = folder->path(), .dpi = options.dpi, .pages_max = options.pictures_max,
                 .bytes_max = options.bytes_max, .on_progress = options.on_progress};
    TRY(write_file_atomic(wish.file, bytes, 0600));
    if (kind == MediaKind::Office) {
        wish.file = TRY(office_to_pdf(name.path, wish.file, folder->path(), stop));
    }
    PdfPages pages = TRY(draw_pdf(wish, stop));
    LoadedMedia out{.kind = kind};
    out.caption = fmt::format("{}: page{} {} of {}", base_name(name.path), pages.numbers.size() == 1 ? "" : "s", pages_text(pages.numbers), pages.pages);
    for (Image& image : pages.images) {
        out.bytes += static_cast<std::int64_t>(image.bytes().size());
        out.parts.emplace_back(ImagePart{std::move(image)});
    }
    return out;
}

} // namespace

Result<LoadedMedia> MediaLoader::load_picture(const FileDescriptor& file, const std::string& name, const LoadOptions& options, const std::stop_token& stop) {
    if (options.pictures_max == 0) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} would be a picture more than is taken", name)};
    }
    const std::string bytes = TRY(read_all(file, name, ImageLimits{}.file_bytes_max));
    Image image = TRY(pictures_.decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, stop).with_context(name));
    LoadedMedia out{.kind = MediaKind::Picture, .caption = fmt::format("{}: {}", base_name(name), size_text(image.size())), .bytes = image.size().area() * 3};
    out.parts.emplace_back(ImagePart{std::move(image)});
    return out;
}

Result<LoadedMedia> MediaLoader::load_film(const FileDescriptor& file, const std::string& name, const LoadOptions& options, const std::stop_token& stop) {
    Film film = TRY(films_.read(file, options.on_progress, stop).with_context(name));
    LoadedMedia out{.kind = MediaKind::Film};
    for (const Image& frame : film.video.frames) {
        out.bytes += static_cast<std::int64_t>(frame.bytes().size());
    }
    if (film.frames == 1) { // a GIF that does not move, a TIFF
        out.kind = MediaKind::Picture;
        out.caption = fmt::format("{}: {}", base_name(name), size_text(film.size));
        out.parts.emplace_back(ImagePart{std::move(film.video.frames[0])});
        return out;
    }
    out.caption = fmt::format("{}: {:.1f} s, {}, of {} frames {} are shown to the model{}", base_name(name), film.seconds, size_text(film.size), film.frames, film.video.frames.size(),
                              film.breaks_off ? "; it is damaged and breaks off before its end" : "");
    out.parts.emplace_back(std::move(film.video));
    return out;
}

Result<LoadedMedia> MediaLoader::load(const std::string& name, const LoadOptions& options, const std::stop_token& stop) {
    const NamedFile named = TRY(parse_named_file(name));
    const OpenedFile opened = TRY(open_file(named.path));
    const MediaKind kind = TRY(media_kind(opened.first, named.path));
    if (!named.pages.empty() && (kind == MediaKind::Picture || kind == MediaKind::Film)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} has no pages", named.path)};
    }
    Result<LoadedMedia> out = kind == MediaKind::Picture ? load_picture(opened.file, named.path, options, stop)
                              : kind == MediaKind::Film  ? load_film(opened.file, named.path, options, stop)
                                                         : load_document(opened.file, named, kind, options, stop);
    if (out && out->bytes > options.bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} has {} bytes of pixels where {} more are taken", named.path, out->bytes, options.bytes_max)};
    }
    return out;
}

} // namespace handeye
