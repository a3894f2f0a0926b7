// SPDX-License-Identifier: Apache-2.0
#include "apps/models/pull_file.h"

#include "base/json.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kVainTriesMax = 5;  // in a row, without a byte beyond the furthest one
constexpr int kRequestsMax = 100; // for one file, whatever they bring
constexpr Duration kFirstPause = std::chrono::seconds(1); // doubled with each try in vain
constexpr std::size_t kPieceBytes = 1U << 20U;
constexpr std::size_t kGitBlobBytesMax = 256U << 20U; // beyond some MB hubs keep SHA-256 sums
constexpr mode_t kFileMode = 0644;

Error io_error(const char* what, const std::filesystem::path& path) {
    return {errno == ENOSPC || errno == EDQUOT ? ErrorCode::LimitExceeded : ErrorCode::IoFailed, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno))};
}

bool is_worth_another_try(ErrorCode code) { return code == ErrorCode::Unavailable || code == ErrorCode::DeadlineExceeded; }

bool is_ours(const struct stat& about) { return S_ISREG(about.st_mode) && about.st_nlink == 1 && about.st_uid == ::geteuid(); }

// Links, hard links and what else could lead elsewhere.
Result<void> remove_unless_ours(const std::filesystem::path& path) {
    struct stat about {};
    const bool is_fine = ::lstat(path.c_str(), &about) != 0 ? errno == ENOENT : is_ours(about);
    return is_fine || ::unlink(path.c_str()) == 0 ? Result<void>() : io_error("replace", path);
}

// "bytes 100-199/200"
bool is_range_of(std::string_view text, std::uint64_t from, std::uint64_t total) {
    return text == fmt::format("bytes {}-{}/{}", from, total - 1, total);
}

} // namespace

Result<std::string> git_blob_of(const std::filesystem::path& path) {
    const std::string bytes = TRY(read_file(path, kGitBlobBytesMax));
    const std::string all = fmt::format("blob {}{}", bytes.size(), '\0') + bytes;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (::EVP_Digest(all.data(), all.size(), digest.data(), &length, ::EVP_sha1(), nullptr) != 1) {
        return Error{ErrorCode::IoFailed, "SHA-1 is not to be had"};
    }
    return to_hex(std::span(digest).first(length));
}

std::string FileFetch::identity() const {
    return fmt::format("{}:{}", wanted_.file.sha256.empty() ? wanted_.file.git_blob : wanted_.file.sha256, wanted_.file.bytes);
}

Result<void> FileFetch::save_state() const {
    return write_file_atomic(state_path_, dump_json({{"file", identity()}, {"etag", etag_}}) + "\n");
}

Result<void> FileFetch::open() {
    TRY(remove_unless_ours(path_));
    TRY(remove_unless_ours(state_path_));
    const auto state = read_json(state_path_);
    const bool is_same = state && state->is_object() && state->value("file", json()) == json(identity());
    std::uint64_t size = 0;
    if (is_same) {
        file_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        struct stat about {};
        const bool is_plain = file_.is_open() && ::fstat(file_.get(), &about) == 0 && is_ours(about);
        size = is_plain ? static_cast<std::uint64_t>(about.st_size) : wanted_.file.bytes + 1;
    }
    if (!is_same || size > wanted_.file.bytes) { // a new inode: nothing that is there is written to
        if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
            return io_error("replace", path_);
        }
        file_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode));
        return file_.is_open() ? restart() : io_error("open", path_);
    }
    const json etag = state->value("etag", json());
    etag_ = etag.is_string() ? etag.get<std::string>() : "";
    have_ = size;
    kept_ = size;
    return {};
}

Result<void> FileFetch::restart() {
    if (::ftruncate(file_.get(), 0) != 0) {
        return io_error("empty", path_);
    }
    on_bytes_(Source::Kept, -static_cast<std::int64_t>(std::min(kept_, have_)));
    on_bytes_(Source::Fetched, -static_cast<std::int64_t>(have_ - std::min(kept_, have_)));
    have_ = 0;
    kept_ = 0;
    etag_.clear();
    hash_.emplace();
    return save_state();
}

Result<void> FileFetch::hash_what_is_there() {
    std::vector<std::uint8_t> piece(kPieceBytes);
    std::uint64_t at = 0;
    while (at < have_) {
        const ssize_t got = ::pread(file_.get(), piece.data(), piece.size(), static_cast<off_t>(at));
        if (got <= 0) {
            return io_error("read", path_);
        }
        hash_->add(std::span(piece).first(static_cast<std::size_t>(got)));
        at += static_cast<std::uint64_t>(got);
        on_bytes_(Source::Kept, got);
    }
    return {};
}

Result<HttpBody> FileFetch::take_head(const HttpHead& head) {
    if (head.status == 416) { // the file there is another one, whatever its tag said
        TRY(restart());
        return Error{ErrorCode::Unavailable, fmt::format("{}: the hub has no such range", wanted_.name)};
    }
    TRY(check_status(head, wanted_.name));
    if (head.status == 200 && have_ > 0) {
        TRY(restart()); // it sends everything again
    }
    if (head.status == 206 && !is_range_of(head.field("content-range"), have_, wanted_.file.bytes)) {
        return Error{ErrorCode::ParseFailed, fmt::format("{}: asked for the bytes from {} of {}, the hub sends \"{}\"", wanted_.name, have_, wanted_.file.bytes,
                                                         head.field("content-range").substr(0, 64))};
    }
    if (head.content_length && *head.content_length != wanted_.file.bytes - have_) {
        return Error{ErrorCode::ParseFailed, fmt::format("{}: the hub sends {} bytes where its listing leaves {}", wanted_.name, *head.content_length, wanted_.file.bytes - have_)};
    }
    if (const std::string etag(head.field("etag")); etag != etag_ && !etag.starts_with("W/")) {
        etag_ = etag;
        TRY(save_state());
    }
    return HttpBody::Wanted;
}

Result<void> FileFetch::take_piece(std::span<const std::uint8_t> piece) {
    if (piece.size() > wanted_.file.bytes - have_) {
        TRY(restart()); // nothing of it can be believed
        return Error{ErrorCode::LimitExceeded, fmt::format("{}: the hub sends more than the {} bytes of its listing", wanted_.name, wanted_.file.bytes)};
    }
    for (std::size_t done = 0; done < piece.size();) {
        const ssize_t put = ::pwrite(file_.get(), piece.data() + done, piece.size() - done, static_cast<off_t>(have_ + done));
        if (put < 0 && errno != EINTR) {
            return io_error("write", path_);
        }
        done += put > 0 ? static_cast<std::size_t>(put) : 0;
    }
    hash_->add(piece);
    have_ += piece.size();
    on_bytes_(Source::Fetched, static_cast<std::int64_t>(piece.size()));
    return {};
}

Result<void> FileFetch::try_once(const std::stop_token& stop) {
    const HttpSink sink{.on_head = [this](const HttpHead& head) { return take_head(head); },
                        .on_body = [this](std::span<const std::uint8_t> piece) { return take_piece(piece); }};
    const Hub::Range range{.from = have_, .bytes_max = wanted_.file.bytes + kPieceBytes, .if_range = etag_};
    TRY(hub_.fetch(id_, wanted_.file, range, sink, stop));
    return have_ == wanted_.file.bytes ? Result<void>() : Error{ErrorCode::Unavailable, fmt::format("{}: {} of {} bytes came", wanted_.name, have_, wanted_.file.bytes)};
}

Result<void> FileFetch::check() {
    sum_ = to_hex(hash_->finish());
    const bool has_sum = !wanted_.file.sha256.empty();
    const std::string found = has_sum ? sum_ : TRY(git_blob_of(path_));
    const std::string& promised = has_sum ? wanted_.file.sha256 : wanted_.file.git_blob;
    if (found == promised) {
        return {};
    }
    (void)::ftruncate(file_.get(), 0); // the next pull begins it anew; of what use is a wrong half
    return Error{ErrorCode::ParseFailed, fmt::format("{}: its {} is {}, the hub's listing says {}", wanted_.name, has_sum ? "SHA-256" : "git hash", found, promised)};
}

Result<PulledFile> FileFetch::run(Clock& clock, const std::stop_token& stop) {
    TRY(hash_what_is_there());
    int vain = 0;
    std::uint64_t furthest = have_;
    for (int request = 1; have_ < wanted_.file.bytes; ++request) {
        const auto tried = try_once(stop);
        if (tried) {
            break;
        }
        if (!is_worth_another_try(tried.error().code)) {
            return tried.error();
        }
        vain = have_ > furthest ? 0 : vain + 1; // what begins anew and gets no further is no progress
        furthest = std::max(furthest, have_);
        if (request == kRequestsMax) {
            return tried.error().with_context(fmt::format("{} requests did not bring it all; what is here is kept, and the same command goes on", request));
        }
        if (vain >= kVainTriesMax) {
            return tried.error().with_context(fmt::format("{} tries in a row brought nothing; what is here is kept, and the same command goes on", vain));
        }
        if (vain > 0 && clock.sleep_for(kFirstPause * (1 << (vain - 1)), stop) == WaitResult::Stopped) {
            return Error{ErrorCode::Cancelled, "stopped; what is here is kept, and the same command goes on"};
        }
    }
    TRY(check());
    if (::fsync(file_.get()) != 0) {
        return io_error("write", path_);
    }
    return PulledFile{wanted_.name, wanted_.file.bytes, kept_, sum_};
}

} // namespace handeye
