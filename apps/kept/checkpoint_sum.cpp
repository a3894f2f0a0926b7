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
constexpr std::uint64_t kPieces = 256; // of a larger file, evenly spread
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
    const std::uint64_t whole = (std::min(size, kWholeBytesMax) + kPieceBytes - 1) / kPieceBytes; // of the beginning, where metadata stand
    const std::uint64_t count = whole + (size > kWholeBytesMax ? kPieces : 0);
    std::vector<std::uint8_t> piece(kPieceBytes);
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t at = i < whole ? i * kPieceBytes : (size - kPieceBytes) / (kPieces - 1) * (i - whole);
        const ssize_t got = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(at));
        if (got <= 0) {
            return unreadable(path);
        }
        sum.add(std::span(piece).first(static_cast<std::size_t>(got)));
    }
    return {};
}

// What the engine reads with a GGUF file: the other parts of its model, and the vision tower.
bool is_beside(const fs::path& model, const fs::path& other) {
    const std::string name = other.filename().string(), first = model.filename().string();
    const std::size_t part = first.rfind("-00001-of-");
    return other.extension() == ".gguf" && (name.find("mmproj") != std::string::npos || (part != std::string::npos && name.starts_with(first.substr(0, part)) && name.find("-of-") != std::string::npos));
}

} // namespace

Result<std::string> checkpoint_sum(const fs::path& checkpoint) {
    std::vector<fs::path> files;
    std::error_code problem;
    const bool is_file = fs::is_regular_file(checkpoint, problem);
    if (is_file && checkpoint.extension() != ".gguf") {
        files.push_back(checkpoint);
    } else {
        const auto belongs = [&](const fs::path& path) { return !is_file || path == checkpoint || is_beside(checkpoint, path); };
        const fs::path folder = !is_file ? checkpoint : checkpoint.parent_path().empty() ? "." : checkpoint.parent_path();
        for (fs::directory_iterator at(folder, problem), end; !problem && at != end && files.size() < kFilesMax; at.increment(problem)) {
            std::error_code is_none;
            if (std::ranges::find(kEndings, at->path().extension().string()) != kEndings.end() && at->is_regular_file(is_none) && belongs(at->path())) {
                files.push_back(at->path());
            }
        }
    }
    if (problem) {
        return Error{ErrorCode::IoFailed, fmt::format("{} cannot be listed: {}", checkpoint.string(), problem.message())};
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
