// SPDX-License-Identifier: Apache-2.0
// Fetches the pages of MiniWoB++: one wheel of a fixed version and sum from PyPI, of which only the pages are unpacked. Nothing of it is run.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye::miniwob {

struct FetchOptions {
    std::string url;               ///< https; empty: PyPI's own
    std::string sha256;            ///< empty: of that file
    std::filesystem::path ca_file; ///< PEM; empty: the system's authorities
};

/// What a wheel may hold: the real one has 200 pages and scripts of 6 MB, packed to 2.
struct UnpackLimits {
    std::size_t wheel_bytes_max = 32U << 20U;
    std::size_t files_max = 2000;
    std::uint64_t file_bytes_max = 16U << 20U;
    std::uint64_t bytes_max = 64U << 20U;
};

/// Writes what lies below miniwob/html/ in the wheel to `folder`/html, and the licence beside it; `folder` must be there and empty. InvalidArgument for a name that
/// leads out of the folder or is no plain file, LimitExceeded, ParseFailed for what is no such wheel.
Result<int> unpack_pages(std::span<const std::uint8_t> wheel, const std::filesystem::path& folder, const UnpackLimits& limits = {});

/// Puts the pages into fetched_pages_dir(), whole or not at all; true: they were there already. Errors as http_get()'s, ParseFailed for another
/// sum, and those of unpacking.
Result<bool> fetch_pages(const FetchOptions& options, const std::stop_token& stop);

} // namespace handeye::miniwob
