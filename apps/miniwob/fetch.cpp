// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/fetch.h"

#include "apps/miniwob/pages.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/net/http_get.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <system_error>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace handeye::miniwob {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWheelUrl = "https://files.pythonhosted.org/packages/fc/a1/a34e0cc33dcba9de00001695979d2b9e3cc2de03bacdf010f045fb084afe/miniwob-1.1.0-py3-none-any.whl";
constexpr const char* kWheelSum = "297006e84219d56ad037e843527ed773a4a82509dc43b6031ec4a3ad3e3e61d9";
constexpr std::string_view kPagesIn = "miniwob/html/";
constexpr std::string_view kLicenceEnd = ".dist-info/licenses/LICENSE";
constexpr std::string_view kOldLicenceEnd = ".dist-info/LICENSE";
constexpr std::size_t kNameBytesMax = 300;
constexpr Duration kPatience = std::chrono::minutes(5);

struct CloseArchive {
    void operator()(archive* handle) const { archive_read_free(handle); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;

Error archive_error(const Archive& wheel) {
    const char* const words = archive_error_string(wheel.get());
    return Error{ErrorCode::ParseFailed, fmt::format("the wheel cannot be unpacked: {}", words == nullptr ? "no reason is given" : words)};
}

/// Where an entry goes, below the folder; empty: nowhere. Only plain names: no "..", nothing hidden, no root, no backslash.
Result<fs::path> place_of(std::string_view name) {
    if (name.ends_with(kLicenceEnd) || name.ends_with(kOldLicenceEnd)) {
        return fs::path("LICENSE");
    }
    if (!name.starts_with(kPagesIn)) {
        return fs::path();
    }
    const std::string_view rest = name.substr(kPagesIn.size());
    const fs::path place(rest);
    const bool is_plain = std::ranges::all_of(place, [](const fs::path& part) { return !part.string().starts_with('.'); }) && place.is_relative() &&
                          std::ranges::all_of(rest, [](char c) { return c > ' ' && c < '\x7F' && c != '\\' && c != ':'; });
    if (rest.size() > kNameBytesMax || (!rest.empty() && !is_plain)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the wheel holds a file named \"{}\", which is no plain name below {}", name.substr(0, kNameBytesMax), kPagesIn)};
    }
    return rest.empty() || rest.ends_with('/') ? fs::path() : fs::path("html") / place;
}

Result<std::string> read_entry(const Archive& wheel, std::string_view name, std::uint64_t bytes_max) {
    std::string bytes;
    std::string piece(64U << 10U, '\0');
    for (;;) {
        const la_ssize_t count = archive_read_data(wheel.get(), piece.data(), piece.size());
        if (count < 0) {
            return archive_error(wheel);
        }
        if (count == 0) {
            return bytes;
        }
        bytes.append(piece.data(), static_cast<std::size_t>(count)); // what the entry's header says of its size counts for nothing
        if (bytes.size() > bytes_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} in the wheel has more than {} bytes, which is all there is room for", name.substr(0, kNameBytesMax), bytes_max)};
        }
    }
}

Result<std::vector<std::uint8_t>> download(const FetchOptions& options, std::size_t bytes_max, const std::stop_token& stop) {
    const HttpUrl url = TRY(parse_http_url(options.url.empty() ? kWheelUrl : options.url));
    std::vector<std::uint8_t> body;
    const HttpSink sink{.on_head = [&](const HttpHead& head) -> Result<HttpBody> {
                            return head.status == 200 ? Result<HttpBody>(HttpBody::Wanted) : Error{ErrorCode::Unavailable, fmt::format("PyPI answers with status {}", head.status)};
                        },
                        .on_body = [&](std::span<const std::uint8_t> piece) -> Result<void> {
                            body.insert(body.end(), piece.begin(), piece.end());
                            return {};
                        }};
    TRY(http_get(url, {.tls = {.ca_file = options.ca_file}, .body_bytes_max = bytes_max, .deadline = SystemClock().now() + kPatience}, sink, stop).with_context("the pages of MiniWoB++"));
    const std::string wanted = options.sha256.empty() ? kWheelSum : options.sha256;
    if (const std::string sum = to_hex(sha256(body)); sum != wanted) {
        return Error{ErrorCode::ParseFailed, fmt::format("what PyPI sent has the sum {}, not {}: nothing of it was unpacked", sum, wanted)};
    }
    return body;
}

/// All or nothing.
Result<void> put_in_place(const fs::path& ready, const fs::path& goal) {
    std::error_code problem;
    fs::remove_all(goal, problem); // half a copy, or of another sum
    fs::rename(ready, goal, problem);
    if (problem && fs::exists(goal / "html")) { // another program was quicker
        return {};
    }
    return problem ? Result<void>(Error{ErrorCode::IoFailed, fmt::format("{}: {}", goal.string(), problem.message())}) : Result<void>();
}

} // namespace

Result<int> unpack_pages(std::span<const std::uint8_t> bytes, const fs::path& folder, const UnpackLimits& limits) {
    if (bytes.size() > limits.wheel_bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("the wheel has {} bytes, the limit is {}", bytes.size(), limits.wheel_bytes_max)};
    }
    const Archive wheel(archive_read_new());
    archive_read_support_format_zip(wheel.get());
    if (archive_read_open_memory(wheel.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
        return archive_error(wheel);
    }
    std::uint64_t left = limits.bytes_max;
    std::size_t entries = 0;
    int pages = 0;
    for (archive_entry* entry = nullptr;;) {
        const int status = archive_read_next_header(wheel.get(), &entry);
        if (status == ARCHIVE_EOF) {
            break;
        }
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
            return archive_error(wheel);
        }
        if (++entries > limits.files_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the wheel has more than {} entries", limits.files_max)};
        }
        const char* const name = archive_entry_pathname(entry);
        const fs::path place = name == nullptr ? fs::path() : TRY(place_of(name));
        if (place.empty()) {
            continue;
        }
        if (archive_entry_filetype(entry) != AE_IFREG) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} in the wheel is no plain file", place.string())};
        }
        const std::string text = TRY(read_entry(wheel, name, std::min(left, limits.file_bytes_max)));
        left -= text.size();
        std::error_code problem;
        fs::create_directories((folder / place).parent_path(), problem);
        TRY(write_file_atomic(folder / place, text));
        pages += place.extension() == ".html" ? 1 : 0;
    }
    return pages > 0 ? Result<int>(pages) : Error{ErrorCode::ParseFailed, fmt::format("the wheel holds nothing below {}", kPagesIn)};
}

Result<bool> fetch_pages(const FetchOptions& options, const std::stop_token& stop) {
    const fs::path goal = fetched_pages_dir();
    std::vector<const Task*> all;
    std::ranges::transform(tasks(), std::back_inserter(all), [](const Task& task) { return &task; });
    if (find_pages(goal.string(), all)) {
        return true;
    }
    const std::vector<std::uint8_t> wheel = TRY(download(options, UnpackLimits().wheel_bytes_max, stop));
    TRY(make_private_dir(goal.parent_path()));
    std::string ready = goal.string() + "-XXXXXX";
    if (::mkdtemp(ready.data()) == nullptr) {
        return Error{ErrorCode::IoFailed, fmt::format("no folder can be made in {}", goal.parent_path().string())};
    }
    const Result<int> pages = unpack_pages(wheel, ready);
    const Result<void> placed = pages ? put_in_place(ready, goal) : Result<void>(pages.error());
    std::error_code problem;
    fs::remove_all(ready, problem);
    TRY(Result<void>(placed));
    return false;
}

} // namespace handeye::miniwob
