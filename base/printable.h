// SPDX-License-Identifier: Apache-2.0
// Text for a terminal: what comes from elsewhere (a window's title, a model's words) made safe to show, and amounts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace handeye {

/// The text with everything that could move the cursor, change colours, hide or turn the direction of writing shown as `\x1b` or `\u202e`
/// instead; line feeds and tabs stay. Bytes that are not UTF-8 become `\xff`.
std::string printable(std::string_view text_utf8);

/// The same for one line, which a stranger's text cannot end to begin another in our name: line feeds and tabs are `\n` and `\t` too.
std::string printable_line(std::string_view text_utf8);

/// "18.6 GB": powers of ten, as disks and memory are sold.
std::string bytes_text(std::int64_t bytes);

} // namespace handeye
