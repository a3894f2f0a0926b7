// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/pages.h"

#include "apps/data_dir.h"
#include "base/file.h"
#include "base/hash_stream.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

namespace handeye::miniwob {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 2000;           // the package has 200
constexpr std::size_t kFileBytesMax = 16U << 20U; // and 6 MB in all
constexpr const char* kHowToGet = "`handeye eval miniwob --fetch` fetches them from PyPI, and so does tools/miniwob.sh of the source tree; --pages names a folder that has them";

bool holds_pages(const fs::path& folder) {
    std::error_code problem;
    return fs::is_regular_file(folder / "core" / "core.js", problem) && fs::is_directory(folder / "miniwob", problem);
}

std::span<const std::uint8_t> bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; } // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)

Result<std::string> sum_of(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code problem;
    for (fs::recursive_directory_iterator at(folder, problem), end; !problem && at != end; at.increment(problem)) {
        if (at->is_regular_file(problem)) {
            files.push_back(at->path());
        }
        if (files.size() > kFilesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} has more than {} files: it does not look like the pages of MiniWoB++", folder.string(), kFilesMax)};
        }
    }
    if (problem) {
        return Error{ErrorCode::IoFailed, fmt::format("{}: {}", folder.string(), problem.message())};
    }
    std::ranges::sort(files);
    Sha256Stream sum;
    for (const fs::path& file : files) {
        const std::string bytes = TRY(read_file(file, kFileBytesMax));
        const std::string head = fmt::format("{} {}\n", fs::relative(file, folder, problem).string(), bytes.size());
        sum.add(bytes_of(head));
        sum.add(bytes_of(bytes));
    }
    return to_hex(sum.finish());
}

} // namespace

std::string PlacedPages::title() const {
    return sum == kPagesSum ? fmt::format("MiniWoB++ {}", kPagesVersion) : fmt::format("MiniWoB++ with changed pages (not those of {}, but {})", kPagesVersion, sum.substr(0, 12));
}

fs::path fetched_pages_dir() { return data_dir() / fmt::format("miniwob-{}", kPagesVersion); }

std::vector<fs::path> pages_places(const std::string& given) {
    if (!given.empty()) {
        return {given};
    }
    if (const char* const set = std::getenv("HANDEYE_MINIWOB"); set != nullptr && set[0] != '\0') {
        return {set};
    }
    std::error_code problem;
    const fs::path program = fs::read_symlink("/proc/self/exe", problem).parent_path(); // build/PRESET/bin
    return {fetched_pages_dir(), program.parent_path().parent_path() / "miniwob"};
}

Result<PlacedPages> find_pages(const std::string& given, std::span<const Task* const> tasks) {
    std::string looked;
    for (const fs::path& place : pages_places(given)) {
        std::error_code problem;
        const fs::path folder = holds_pages(place / "html") ? place / "html" : place;
        looked += fmt::format("{}{}", looked.empty() ? "" : " and ", place.string());
        if (!holds_pages(folder)) {
            continue;
        }
        for (const Task* const task : tasks) {
            if (!fs::is_regular_file(folder / "miniwob" / fmt::format("{}.html", task->name), problem)) {
                return Error{ErrorCode::NotFound, fmt::format("{} has no page of the task {}: it is not the package miniwob {}; {}", folder.string(), task->name, kPagesVersion, kHowToGet)};
            }
        }
        return PlacedPages{fs::canonical(folder, problem), TRY(sum_of(folder))};
    }
    return Error{ErrorCode::NotFound, fmt::format("the pages of MiniWoB++ are not in {}: {}", looked, kHowToGet)};
}

} // namespace handeye::miniwob
