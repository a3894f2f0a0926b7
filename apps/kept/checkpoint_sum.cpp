// SPDX-License-Identifier: Apache-2.0
#include "apps/kept/checkpoint_sum.h"

#include "base/file.h"
#include "base/hash_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::kept {
namespace {

namespace fs = std::filesystem;

constexpr std::array kEndings{".safetensors", ".gguf", ".json", ".jinja", ".model"}; // weights, configs and tokenizers
constexpr std::uint64_t kWholeBytesMax = 64U << 20U;
constexpr std::uint64_t kPieceBytes = 64U << 10U;
constexpr std::uint64_t kPieces = 256; // of a file that is not read whole
constexpr std::size_t kFilesMax = 4096;

std::span<const std::uint8_t> bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; } // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)

Error unreadable(const fs::path& path) { return {ErrorCode::IoFailed, fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno))}; }

Result<void> add_file(const fs::path& path, Sha256Stream& sum) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a FIFO would wait for its writer
    struct stat facts {};
    if (!file.is_open() || ::fstat(file.get(), &facts) != 0) {
        return unreadable(path);
    }
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    sum.add(bytes_of(fmt::format("{} {}\n", path.filename().string(), size)));
    const bool is_whole = size <= kWholeBytesMax;
    const std::uint64_t count = is_whole ? (size + kPieceBytes - 1) / kPieceBytes : kPieces;
    std::vector<std::uint8_t> piece(kPieceBytes);
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t at = is_whole ? i * kPieceBytes : (size - kPieceBytes) / (kPieces - 1) * i;
        const ssize_t got = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(at));
        if (got <= 0) {
            return unreadable(path);
        }
        sum.add(std::span(piece).first(static_cast<std::size_t>(got)));
    }
    return {};
}

} // namespace

Result<std::string> checkpoint_sum(const fs::path& checkpoint) {
    std::vector<fs::path> files;
    std::error_code problem;
    if (fs::is_regular_file(checkpoint, problem)) {
        files.push_back(checkpoint);
    } else {
        for (fs::directory_iterator at(checkpoint, problem), end; !problem && at != end && files.size() < kFilesMax; at.increment(problem)) {
            std::error_code is_none;
            if (std::ranges::find(kEndings, at->path().extension().string()) != kEndings.end() && at->is_regular_file(is_none)) {
                files.push_back(at->path());
            }
        }
    }
    if (files.empty()) {
        return Error{ErrorCode::NotFound, fmt::format("{} holds no file of a model", checkpoint.string())};
    }
    std::ranges::sort(files);
    Sha256Stream sum;
    for (const fs::path& file : files) {
        TRY(add_file(file, sum));
    }
    return to_hex(sum.finish());
}

} // namespace handeye::kept
