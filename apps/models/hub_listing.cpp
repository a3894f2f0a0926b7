// SPDX-License-Identifier: Apache-2.0
#include "apps/models/hub_listing.h"

#include "base/json.h"
#include "base/printable.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kPathBytesMax = 512;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 45U; // 32 TiB
constexpr std::size_t kSha1Digits = 40;
constexpr std::size_t kSha256Digits = 64;
constexpr int kDepthMax = 16;

Error bad(const std::string& what) { return {ErrorCode::ParseFailed, "the hub's listing: " + what}; }

bool is_hex(std::string_view text, std::size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_component(std::string_view text) {
    const auto is_fine = [](char c) { return c > ' ' && c < '\x7F' && c != '\\' && c != ':' && c != '"'; };
    return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), is_fine);
}

// Relative, downwards, in printable ASCII: it becomes a path here and a part of a URL.
bool is_safe_path(std::string_view path) {
    if (path.empty() || path.size() > kPathBytesMax) {
        return false;
    }
    for (;;) {
        const std::size_t slash = path.find('/');
        if (!is_component(path.substr(0, slash))) {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        path.remove_prefix(slash + 1);
    }
}

std::string text_in(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Collects rows under the limits.
class Rows {
public:
    Result<void> add(HubFile file, const json& size) {
        if (!is_safe_path(file.path)) {
            return bad(fmt::format("\"{}\" is no path of a file below the model's folder", one_line(file.path)));
        }
        if (!size.is_number_unsigned() || size.get<std::uint64_t>() > kFileBytesMax) {
            return bad(fmt::format("{} has no size from 0 to {} bytes", file.path, kFileBytesMax));
        }
        file.bytes = size.get<std::uint64_t>();
        if (!file.sha256.empty() && !is_hex(file.sha256, kSha256Digits)) {
            return bad(fmt::format("{} has a hash that is no SHA-256", file.path));
        }
        if (!file.git_blob.empty() && !is_hex(file.git_blob, kSha1Digits)) {
            return bad(fmt::format("{} has a hash that is no git object", file.path));
        }
        if (file.sha256.empty() && file.git_blob.empty()) {
            return bad(fmt::format("{} comes without a hash to check it by", file.path));
        }
        if (!seen_.insert(file.path).second) {
            return bad(fmt::format("{} is there twice", file.path));
        }
        if (files_.size() == kListingFilesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the hub's listing has more than {} files", kListingFilesMax)};
        }
        files_.push_back(std::move(file));
        return {};
    }
    [[nodiscard]] std::vector<HubFile> take() { return std::move(files_); }

private:
    std::vector<HubFile> files_;
    std::set<std::string> seen_;
};

} // namespace

std::string one_line(std::string_view text) {
    std::string out;
    for (const char c : printable(text.substr(0, kPathBytesMax))) {
        out += c == '\n' ? "\\x0a" : c == '\t' ? "\\x09" : std::string(1, c);
    }
    return out;
}

Result<std::vector<HubFile>> parse_huggingface_tree(std::string_view text) {
    const json document = TRY(parse_json(text, {.bytes_max = kListingBytesMax, .depth_max = kDepthMax}).with_context("the hub's listing"));
    if (!document.is_array()) {
        return bad("it is no list");
    }
    Rows rows;
    for (const json& row : document) {
        const std::string type = text_in(row, "type");
        if (type == "directory") {
            continue;
        }
        if (type != "file") {
            return bad("a row is neither a file nor a directory");
        }
        const auto lfs = row.find("lfs");
        const bool is_large = lfs != row.end() && lfs->is_object();
        HubFile file{.path = text_in(row, "path"), .sha256 = is_large ? text_in(*lfs, "oid") : "", .git_blob = is_large ? "" : text_in(row, "oid")};
        TRY(rows.add(std::move(file), is_large ? lfs->value("size", json()) : row.value("size", json())));
    }
    return rows.take();
}

Result<std::vector<HubFile>> parse_modelscope_files(std::string_view text) {
    const json document = TRY(parse_json(text, {.bytes_max = kListingBytesMax, .depth_max = kDepthMax}).with_context("the hub's listing"));
    const json data = document.is_object() ? document.value("Data", json()) : json();
    const json list = data.is_object() ? data.value("Files", json()) : json();
    if (!list.is_array()) {
        const std::string said = text_in(document, "Message");
        return bad(fmt::format("it has no Data.Files{}", said.empty() ? "" : ", but says: " + one_line(said)));
    }
    Rows rows;
    for (const json& row : list) {
        const std::string type = text_in(row, "Type");
        if (type == "tree") {
            continue;
        }
        if (type != "blob") {
            return bad("a row is neither a blob nor a tree");
        }
        TRY(rows.add({.path = text_in(row, "Path"), .sha256 = text_in(row, "Sha256")}, row.value("Size", json())));
    }
    return rows.take();
}

Result<std::string> parse_huggingface_revision(std::string_view text) {
    const json document = TRY(parse_json(text, {.bytes_max = kListingBytesMax, .depth_max = kDepthMax}).with_context("the hub's answer"));
    std::string commit = text_in(document, "sha");
    if (!is_hex(commit, kSha1Digits)) {
        return bad("its revision is no commit");
    }
    return commit;
}

std::string next_page(std::string_view link) {
    const std::size_t open = link.find('<');
    const std::size_t close = link.find('>');
    const bool is_next = close != std::string_view::npos && link.substr(close).find("rel=\"next\"") != std::string_view::npos;
    return is_next && open < close ? std::string(link.substr(open + 1, close - open - 1)) : "";
}

Result<HttpUrl> redirected(const HttpUrl& from, std::string_view location) {
    const bool is_relative = location.starts_with('/') && !location.starts_with("//");
    const auto to = parse_http_url(is_relative ? origin_of(from) + std::string(location) : std::string(location));
    if (!to) { // its text may hold a signature
        const std::size_t colon = std::min<std::size_t>(location.find(':'), 16);
        return Error{ErrorCode::PermissionDenied, fmt::format("{} redirects to what is no http or https URL (\"{}\"...)", origin_of(from), location.substr(0, colon))};
    }
    if (from.endpoint.is_tls && !to->endpoint.is_tls) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{} redirects from https to http, at {}", origin_of(from), origin_of(*to))};
    }
    return *to;
}

} // namespace handeye
