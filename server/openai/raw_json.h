// SPDX-License-Identifier: Apache-2.0
// Parts of a JSON text as they were written. A parsed document forgets the order of names, which models, templates and grammars see.
#pragma once

#include <string_view>
#include <vector>

namespace handeye {

/// The value of that name in an object, as it stands in the text; empty: there is none. The text is one JSON value that was parsed before.
std::string_view raw_member(std::string_view object, std::string_view name);
/// The elements of an array.
std::vector<std::string_view> raw_elements(std::string_view array);

} // namespace handeye
