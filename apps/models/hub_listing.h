// SPDX-License-Identifier: Apache-2.0
// What hubs say a model consists of: their file listings, read as input from outside. Pure.
#pragma once

#include "apps/models/registry.h"
#include "base/net/http_client.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

inline constexpr std::size_t kListingBytesMax = 16U << 20U; ///< of one page
inline constexpr std::size_t kListingFilesMax = 10'000;     ///< of all pages together
inline constexpr int kListingPagesMax = 50;

struct HubFile {
    std::string path; ///< relative, without "..", of printable ASCII
    std::uint64_t bytes = 0;
    std::string sha256;   ///< lower-case hexadecimal; empty: the listing has none
    std::string git_blob; ///< SHA-1 of git's blob, for small files without a SHA-256
};

/// What a hub says, at most 512 bytes of it, so that a message can hold it: nothing of it begins a line or moves the cursor.
std::string one_line(std::string_view text);

/// One page of GET /api/models/ID/tree/REVISION. ParseFailed names the path that cannot be: absolute, upwards, twice, without
/// a hash; LimitExceeded for too many files or bytes.
Result<std::vector<HubFile>> parse_huggingface_tree(std::string_view json);
/// The answer of GET /api/v1/models/ID/repo/files. Errors as above.
Result<std::vector<HubFile>> parse_modelscope_files(std::string_view json);
/// The commit in the answer of GET /api/models/ID/revision/REVISION.
Result<std::string> parse_huggingface_revision(std::string_view json);
/// The URL of rel="next" in a Link field; empty: none.
std::string next_page(std::string_view link_field);
/// Where a redirect leads. PermissionDenied: from https to anything else, or to no http at all.
Result<HttpUrl> redirected(const HttpUrl& from, std::string_view location);

/// A file that is to be fetched, and its name in the model's folder.
struct PullFile {
    HubFile file;
    std::string name; ///< one path component
};
bool is_weight_file(const PullFile& file);
/// Those of `files` that a row needs: weights, configuration, tokenizer, template; of GGUF the quantisation's own. NotFound when
/// something is missing, with what there is; LimitExceeded for more than 1 GB that is no weights.
Result<std::vector<PullFile>> choose_files(const std::vector<HubFile>& files, const ModelRow& row);

} // namespace handeye
