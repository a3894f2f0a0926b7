// SPDX-License-Identifier: Apache-2.0
// Rendered prompt text that remembers who wrote it.
#pragma once

#include <string>

namespace handeye {

/// A stretch of rendered text. Text that came from a message (content, metadata, reasoning) is marked, so that a role token
/// typed by a user can be kept from becoming one; text of the template itself is not.
struct RenderedSegment {
    std::string text;
    bool from_content = false;
    bool operator==(const RenderedSegment&) const = default;
};

} // namespace handeye
