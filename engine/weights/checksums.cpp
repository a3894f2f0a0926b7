// SPDX-License-Identifier: Apache-2.0
#include "engine/weights/checksums.h"

#include "base/file.h"
#include "base/hash_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSumsBytesMax = 1U << 20U;
constexpr std::size_t kMetadataBytesMax = 4096;
constexpr std::size_t kCacheRowsMax = 4096;
constexpr std::size_t kPieceBytes = 1U << 20U;
constexpr std::size_t kSumDigits = 64;

using Sums = std::map<std::string, std::string>; // file name -> expected sum

bool is_sum(std::string_view text) { return text.size() == kSumDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

bool is_plain_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

std::vector<std::string> weight_files(const fs::path& dir) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir, ignored)) {
        if (entry.path().extension() == ".safetensors" || entry.path().extension() == ".gguf") {
            names.push_back(entry.path().filename());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<Sums> read_sums_file(const fs::path& path) {
    std::istringstream lines(TRY(read_file(path, kSumsBytesMax)));
    Sums sums;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.empty()) {
            continue;
        }
        const std::string sum = line.substr(0, kSumDigits);
        const bool has_gap = line.size() > kSumDigits + 2 && line[kSumDigits] == ' ' && (line[kSumDigits + 1] == ' ' || line[kSumDigits + 1] == '*');
        const std::string name = has_gap ? line.substr(kSumDigits + 2) : "";
        if (!is_sum(sum) || !is_plain_name(name)) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}:{}: not the SHA-256 sum and the name of a file in this folder", path.string(), number)};
        }
        if (!sums.emplace(name, sum).second) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}:{}: {} is there twice", path.string(), number, name)};
        }
    }
    for (const std::string& name : weight_files(path.parent_path())) {
        if (!sums.contains(name)) {
            return Error{ErrorCode::ParseFailed, fmt::format("{} does not list {}", path.string(), name)};
        }
    }
    return sums;
}

/// What the hub's downloader knows of large files; of small ones it keeps another kind of sum.
Sums hub_sums(const fs::path& dir) {
    Sums sums;
    for (const std::string& name : weight_files(dir)) {
        std::error_code ignored;
        const std::string blob = fs::is_symlink(dir / name, ignored) ? fs::read_symlink(dir / name, ignored).filename().string() : "";
        if (is_sum(blob)) {
            sums.emplace(name, blob);
        }
        const auto metadata = read_file(dir / ".cache/huggingface/download" / (name + ".metadata"), kMetadataBytesMax);
        std::istringstream lines(metadata ? *metadata : "");
        std::string commit;
        std::string etag;
        if (std::getline(lines, commit) && std::getline(lines, etag) && is_sum(etag)) {
            sums[name] = etag;
        }
    }
    return sums;
}

/// What tells one state of a file from every other one. The change time cannot be set back as the modification time can.
Result<std::string> identity_of(int fd, const fs::path& path) {
    struct stat facts {};
    if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return Error{ErrorCode::IoFailed, fmt::format("{} is no file", path.string())};
    }
    return fmt::format("{}:{}:{}:{}.{:09}:{}.{:09}", facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec,
                       facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec);
}

using Known = std::map<std::string, std::string>; // identity -> sum

Known read_cache(const fs::path& path) {
    Known known;
    if (path.empty()) {
        return known;
    }
    const auto text = read_file(path, kSumsBytesMax);
    std::istringstream lines(text ? *text : "");
    for (std::string line; std::getline(lines, line) && known.size() < kCacheRowsMax;) {
        const std::size_t space = line.find(' ');
        if (space != std::string::npos && is_sum(line.substr(space + 1))) {
            known[line.substr(0, space)] = line.substr(space + 1);
        }
    }
    return known;
}

void write_cache(const fs::path& path, const Known& known) {
    if (path.empty() || !make_private_dir(path.parent_path())) {
        return;
    }
    std::string text;
    std::size_t rows = 0;
    for (auto row = known.rbegin(); row != known.rend() && rows < kCacheRowsMax; ++row, ++rows) {
        text += fmt::format("{} {}\n", row->first, row->second);
    }
    (void)write_file_atomic(path, text, 0600); // without it the next load reads once more
}

Result<std::string> sum_of(int fd, const fs::path& path, const std::function<void(double)>& on_share) {
    struct stat facts {};
    ::fstat(fd, &facts);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    Sha256Stream stream;
    std::vector<std::uint8_t> piece(kPieceBytes);
    std::int64_t done = 0;
    for (;;) {
        const auto got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return Error{ErrorCode::IoFailed, fmt::format("{}: {}", path.string(), std::strerror(errno))};
        }
        if (got == 0) {
            return to_hex(stream.finish());
        }
        stream.add({piece.data(), static_cast<std::size_t>(got)});
        done += got;
        on_share(facts.st_size > 0 ? static_cast<double>(done) / static_cast<double>(facts.st_size) : 1.0);
    }
}

} // namespace

fs::path checksum_cache() {
    const char* const set = std::getenv("XDG_CACHE_HOME");
    const char* const home = std::getenv("HOME");
    if (set != nullptr && *set == '/') {
        return fs::path(set) / "handeye/checksums";
    }
    return home != nullptr && *home == '/' ? fs::path(home) / ".cache/handeye/checksums" : fs::path();
}

Result<ChecksumReport> verify_checksums(const fs::path& model, const fs::path& cache,
                                        const std::function<void(std::string_view stage, double share)>& on_progress) {
    std::error_code ignored;
    const fs::path dir = fs::is_regular_file(model, ignored) ? model.parent_path() : model;
    const Sums sums = fs::exists(dir / "SHA256SUMS", ignored) ? TRY(read_sums_file(dir / "SHA256SUMS")) : hub_sums(dir);
    Known known = read_cache(cache);
    ChecksumReport report{.files = static_cast<int>(sums.size())};
    int at = 0;
    for (const auto& [name, expected] : sums) {
        const fs::path path = dir / name;
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file.is_open()) {
            return Error{ErrorCode::NotFound, fmt::format("{} has a sum and cannot be opened: {}", path.string(), std::strerror(errno))};
        }
        const std::string identity = TRY(identity_of(file.get(), path));
        auto found = known.find(identity);
        if (found == known.end()) {
            std::string sum = TRY(sum_of(file.get(), path, [&](double share) {
                if (on_progress) {
                    on_progress("checksums", (at + share) / static_cast<double>(sums.size()));
                }
            }));
            // A file that was written to meanwhile is not remembered under either state.
            found = known.insert_or_assign(TRY(identity_of(file.get(), path)) == identity ? identity : "changing", std::move(sum)).first;
            ++report.computed;
        }
        if (found->second != expected) {
            return Error{ErrorCode::ParseFailed, fmt::format("{} is not the file that its sum was made of: SHA-256 {} was expected, {} was found",
                                                             path.string(), expected, found->second)};
        }
        ++at;
    }
    known.erase("changing");
    if (report.computed > 0) {
        write_cache(cache, known);
    }
    return report;
}

} // namespace handeye
