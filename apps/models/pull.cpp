// SPDX-License-Identifier: Apache-2.0
#include "apps/models/pull.h"

#include "apps/models/pull_file.h"
#include "apps/models/shape.h"
#include "apps/models/store.h"
#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSpareBytes = 64U << 20U; // left free on the disk
constexpr std::size_t kConfigBytesMax = 4U << 20U;
constexpr mode_t kLockMode = 0644;
constexpr mode_t kPartialMode = 0700; // nobody else plants anything there
constexpr mode_t kFolderMode = 0755;  // becomes the model's own

Error io_error(const std::string& what, const std::error_code& problem) { return {ErrorCode::IoFailed, fmt::format("{}: {}", what, problem.message())}; }

// Only one program at a time writes there; the lock dies with it.
Result<FileDescriptor> lock(const fs::path& path) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kLockMode));
    if (!file.is_open()) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot open {}: {}", path.string(), std::strerror(errno))};
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{ErrorCode::Overloaded, fmt::format("another pull to this place runs (it holds {})", path.string())};
    }
    return file;
}

// What is in it gets removed and moved: never what a link leads to, nor what somebody else put there.
Result<void> make_own_folder(const fs::path& path, mode_t mode) {
    struct stat about {};
    if ((::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) || ::lstat(path.c_str(), &about) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot make {}: {}", path.string(), std::strerror(errno))};
    }
    if (!S_ISDIR(about.st_mode) || about.st_uid != ::geteuid()) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{} is {}; remove it, or name another place with --into", path.string(),
                                                              S_ISLNK(about.st_mode)   ? "a link"
                                                              : S_ISDIR(about.st_mode) ? "another user's folder"
                                                                                       : "no folder")};
    }
    return {};
}

Result<void> sync_folder(const fs::path& path) {
    const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return folder.is_open() && ::fsync(folder.get()) == 0 ? Result<void>() : Error{ErrorCode::IoFailed, fmt::format("cannot sync {}: {}", path.string(), std::strerror(errno))};
}

class Pull {
public:
    Pull(Hub& hub, const PullOptions& options, std::stop_token stop) : hub_(hub), options_(options), stop_(std::move(stop)), partial_(options.folder.string() + ".partial") {
        places_ = {partial_ / "files", partial_ / "state"};
    }

    Result<PullReport> run() {
        if (is_checkpoint(options_.folder)) {
            return PullReport{.was_here = true};
        }
        if (std::error_code problem; fs::exists(options_.folder, problem)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is there and is no model; move it away, or name another place with --into", options_.folder.string())};
        }
        const std::vector<HubFile> listed = TRY(hub_.list(options_.id, stop_));
        files_ = TRY(choose_files(listed, options_.row));
        TRY(make_places());
        const FileDescriptor held = TRY(lock(partial_ / "lock"));
        TRY(check_room());
        TRY(check_before());
        while (report_.files.size() < files_.size()) {
            report_.files.push_back(TRY(fetch(files_[report_.files.size()])));
        }
        TRY(check_after());
        TRY(finish());
        return report_;
    }

private:
    Result<void> make_places() const {
        std::error_code problem;
        fs::create_directories(partial_.parent_path(), problem);
        if (problem) {
            return io_error("cannot make " + partial_.parent_path().string(), problem);
        }
        TRY(make_own_folder(partial_, kPartialMode));
        TRY(make_own_folder(places_.files, kFolderMode));
        return make_own_folder(places_.state, kPartialMode);
    }

    Result<void> check_room() {
        std::uint64_t missing = kSpareBytes;
        for (const PullFile& file : files_) {
            std::error_code problem;
            const std::uintmax_t kept = fs::file_size(places_.files / file.name, problem);
            total_ += file.file.bytes;
            missing += file.file.bytes - std::min<std::uint64_t>(problem ? 0 : kept, file.file.bytes);
        }
        struct statvfs disk {};
        if (::statvfs(partial_.c_str(), &disk) != 0) {
            return Error{ErrorCode::IoFailed, fmt::format("cannot ask for the room at {}: {}", partial_.string(), std::strerror(errno))};
        }
        const std::uint64_t room = std::uint64_t{disk.f_bavail} * disk.f_frsize;
        if (missing > room) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} more are needed at {}, {} are free there", bytes_text(missing), partial_.parent_path().string(), bytes_text(room))};
        }
        return {};
    }

    enum class VisionFile { Counted, Left };
    [[nodiscard]] std::uint64_t weights_bytes(VisionFile vision) const {
        std::uint64_t bytes = 0;
        for (const PullFile& file : files_) {
            const bool is_left = vision == VisionFile::Left && file.name.find("mmproj") != std::string::npos;
            bytes += is_weight_file(file) && !is_left ? file.file.bytes : 0;
        }
        return bytes;
    }

    [[nodiscard]] bool is_gguf() const { return options_.row.spec->format == "ggufv2"; }

    [[nodiscard]] const PullFile& first_gguf() const {
        return *std::find_if(files_.begin(), files_.end(), [](const PullFile& file) { return file.name.find("mmproj") == std::string::npos; });
    }

    Result<void> check_gguf(std::span<const std::uint8_t> beginning) const {
        const CheckpointShape shape = TRY(shape_of_gguf(beginning).with_context(first_gguf().name));
        TRY(check_shape(shape, options_.row, weights_bytes(VisionFile::Left))); // enough for the decoder alone,
        return check_shape(shape, options_.row, weights_bytes(VisionFile::Counted)); // and with the vision tower not too much
    }

    /// What was shown before is not always what came: the same of the file on the disk, whose hash was compared. (config.json is
    /// such a file from the first.)
    Result<void> check_after() const {
        if (!is_gguf()) {
            return {};
        }
        const fs::path path = places_.files / first_gguf().name;
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(first_gguf().file.bytes, kGgufPrefixBytes));
        for (std::size_t done = 0; done < bytes.size();) {
            const ssize_t got = ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
            if (got <= 0) {
                return Error{ErrorCode::IoFailed, fmt::format("cannot read {}: {}", path.string(), got == 0 ? "it ends early" : std::strerror(errno))};
            }
            done += static_cast<std::size_t>(got);
        }
        return check_gguf(bytes);
    }

    /// Whether this is what the row says, for the price of a small file or the beginning of a large one.
    Result<void> check_before() {
        if (is_gguf()) {
            return check_gguf(TRY(beginning_of(first_gguf().file)));
        }
        const auto config = std::find_if(files_.begin(), files_.end(), [](const PullFile& file) { return file.name == "config.json"; });
        std::rotate(files_.begin(), config, std::next(config)); // first of all
        if (files_.front().file.bytes > kConfigBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("config.json has {} bytes, at most {} are read", files_.front().file.bytes, kConfigBytesMax)};
        }
        report_.files.push_back(TRY(fetch(files_.front())));
        const std::string text = TRY(read_file(places_.files / "config.json", kConfigBytesMax));
        const CheckpointShape shape = TRY(shape_of_config(text));
        return check_shape(shape, options_.row, weights_bytes(VisionFile::Counted));
    }

    Result<std::vector<std::uint8_t>> beginning_of(const HubFile& file) const {
        const std::uint64_t wanted = std::min<std::uint64_t>(file.bytes, kGgufPrefixBytes);
        std::vector<std::uint8_t> bytes;
        constexpr const char* kEnough = "enough";
        const HttpSink sink{.on_head = [&](const HttpHead& head) -> Result<HttpBody> {
                                TRY(check_status(head, file.path));
                                return HttpBody::Wanted;
                            },
                            .on_body = [&](std::span<const std::uint8_t> piece) -> Result<void> {
                                bytes.insert(bytes.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(piece.size(), wanted - bytes.size())));
                                return bytes.size() < wanted ? Result<void>() : Error{ErrorCode::Cancelled, kEnough}; // a hub may send all of it
                            }};
        const auto answered = hub_.fetch(options_.id, file, {.bytes_max = wanted, .is_prefix = true}, sink, stop_);
        if (!answered && bytes.size() < wanted) {
            return answered.error().with_context(file.path);
        }
        return bytes;
    }

    Result<PulledFile> fetch(const PullFile& file) {
        FileFetch::Source last = FileFetch::Source::Fetched;
        FileFetch fetching(hub_, options_.id, file, places_, [&](FileFetch::Source source, std::int64_t bytes) {
            last = source;
            done_ += bytes;
            fetched_ += source == FileFetch::Source::Fetched ? bytes : 0;
            if (options_.on_progress && bytes != 0) {
                options_.on_progress({(last == FileFetch::Source::Kept ? "checking " : "") + file.name, static_cast<std::uint64_t>(std::max<std::int64_t>(0, done_)),
                                      static_cast<std::uint64_t>(std::max<std::int64_t>(0, fetched_)), total_});
            }
        });
        TRY(fetching.open());
        return fetching.run(*options_.clock, stop_);
    }

    /// What an earlier pull began and this model does not have.
    Result<void> remove_strangers() const {
        std::error_code problem;
        std::vector<fs::path> strangers;
        for (const auto& entry : fs::directory_iterator(places_.files, problem)) {
            const bool is_ours = std::any_of(files_.begin(), files_.end(), [&](const PullFile& file) { return entry.path().filename() == file.name; });
            if (!is_ours) {
                strangers.push_back(entry.path());
            }
        }
        for (const fs::path& path : strangers) {
            fs::remove_all(path, problem);
        }
        return problem ? Result<void>(io_error("cannot clear " + places_.files.string(), problem)) : Result<void>();
    }

    Result<void> finish() const {
        TRY(remove_strangers());
        std::string sums;
        for (const PulledFile& file : report_.files) {
            sums += fmt::format("{}  {}\n", file.sha256, file.name);
        }
        TRY(write_file_atomic(places_.files / "SHA256SUMS", sums));
        TRY(sync_folder(places_.files));
        std::error_code problem;
        fs::rename(places_.files, options_.folder, problem);
        if (problem) {
            return io_error(fmt::format("cannot move {} to {}", places_.files.string(), options_.folder.string()), problem);
        }
        TRY(sync_folder(options_.folder.parent_path()));
        fs::remove_all(partial_, problem); // of no use any more; what stays does no harm
        return {};
    }

    Hub& hub_;
    const PullOptions& options_;
    const std::stop_token stop_;
    const fs::path partial_;
    PartialPlaces places_;
    std::vector<PullFile> files_;
    PullReport report_;
    std::uint64_t total_ = 0;
    std::int64_t done_ = 0;
    std::int64_t fetched_ = 0;
};

} // namespace

Result<PullReport> pull_model(Hub& hub, const PullOptions& options, const std::stop_token& stop) { return Pull(hub, options, stop).run(); }

std::string progress_line(const PullProgress& progress, Duration since_start) {
    const double seconds = std::chrono::duration<double>(since_start).count();
    const double rate = seconds > 0 ? static_cast<double>(progress.bytes_fetched) / seconds : 0;
    const std::uint64_t left = progress.bytes_total - std::min(progress.bytes_done, progress.bytes_total);
    const double left_s = rate > 0 ? static_cast<double>(left) / rate : 0;
    const std::string time = rate <= 0        ? ""
                             : left_s < 90    ? fmt::format("{:.0f} s left  ", left_s)
                             : left_s < 5400  ? fmt::format("{:.0f} min left  ", left_s / 60)
                                              : fmt::format("{:.1f} h left  ", left_s / 3600);
    const std::string speed = rate > 0 ? bytes_text(static_cast<std::uint64_t>(rate)) + "/s  " : "";
    const double share = progress.bytes_total > 0 ? static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total) : 1;
    return fmt::format("{:.0f} %  {} of {}  {}{}{}", std::floor(100 * share), bytes_text(progress.bytes_done), bytes_text(progress.bytes_total), speed, time, progress.what);
}

} // namespace handeye
