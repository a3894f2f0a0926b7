// SPDX-License-Identifier: Apache-2.0
// Presentations and text documents as PDF, by LibreOffice in its cage: a profile of its own, no macros, no network.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

namespace handeye {

/// Whether LibreOffice is asked about files with this ending (".pptx").
bool is_office_ending(std::string_view ending);

/// `file` lies in `folder`; so does the PDF that comes back. Unavailable where LibreOffice is not installed, with the line that
/// installs it; ParseFailed where it makes no PDF of the file; DeadlineExceeded after two minutes; Cancelled. `name`: for errors.
Result<std::filesystem::path> office_to_pdf(const std::string& name, const std::filesystem::path& file, const std::filesystem::path& folder, const std::stop_token& stop);

} // namespace handeye
