// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/model_sum.h"

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
#include <unistd.h>

namespace handeye::miniwob {
namespace {

namespace fs = std::filesystem;

constexpr std::array kEndings{".safetensors", ".gguf", ".json", ".jinja", ".model"}; // weights, configs and tokenizers
constexpr std::size_t kPieceBytes = 1U << 20U;
constexpr std::size_t kFilesMax = 10'000;

Result<void> add_file(const fs::path& path, Sha256Stream& sum) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::vector<std::uint8_t> piece(kPieceBytes);
    ssize_t count = file.is_open() ? 1 : -1;
    while (count > 0) {
        count = ::read(file.get(), piece.data(), piece.size());
        if (count > 0) {
            sum.add(std::span(piece).first(static_cast<std::size_t>(count)));
        }
    }
    return count == 0 ? Result<void>() : Error{ErrorCode::IoFailed, fmt::format("{}: {}", path.string(), std::strerror(errno))};
}

} // namespace

Result<std::string> model_sum(const fs::path& model) {
    std::vector<fs::path> files;
    std::error_code problem;
    if (fs::is_regular_file(model, problem)) {
        files.push_back(model);
    }
    for (fs::directory_iterator at(model, problem), end; files.empty() && !problem && at != end;) {
        for (; at != end && !problem && files.size() < kFilesMax; at.increment(problem)) {
            const std::string ending = at->path().extension().string();
            if (at->is_regular_file(problem) && std::ranges::find(kEndings, ending) != kEndings.end()) {
                files.push_back(at->path());
            }
        }
    }
    if (files.empty()) {
        return Error{ErrorCode::NotFound, fmt::format("{} holds no file of a model", model.string())};
    }
    std::ranges::sort(files);
    Sha256Stream sum;
    for (const fs::path& file : files) {
        const std::string head = fmt::format("{} {}\n", file.filename().string(), fs::file_size(file, problem));
        sum.add({reinterpret_cast<const std::uint8_t*>(head.data()), head.size()}); // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
        TRY(add_file(file, sum));
    }
    return to_hex(sum.finish());
}

} // namespace handeye::miniwob
