// SPDX-License-Identifier: Apache-2.0
// The head of an answer out of Beast's parser. Included by .cpp files of this folder only.
#pragma once

#include "base/net/beast_types.h"
#include "base/net/http_get.h"

namespace handeye {

using PieceParser = http::response_parser<http::buffer_body>;
inline constexpr std::uint32_t kHeadBytesMax = 64U << 10U;

HttpHead head_of(const PieceParser& parser);

} // namespace handeye
