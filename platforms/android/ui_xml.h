// SPDX-License-Identifier: Apache-2.0
// The small part of XML that `uiautomator dump` writes: elements with attributes. What it comes from may lie: sizes, counts and
// depths are limited, there are no entities but the five and character references, and no document types.
#pragma once

#include "base/result.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::android {

struct XmlElement {
    std::string name;
    std::map<std::string, std::string, std::less<>> attributes;
    int parent = -1; ///< place in the list; -1: the root
    /// Empty where there is none.
    [[nodiscard]] std::string_view operator[](std::string_view attribute) const;
};

inline constexpr std::size_t kXmlBytesMax = 8U << 20U;
inline constexpr std::size_t kXmlElementsMax = 20'000;
inline constexpr int kXmlDepthMax = 256;
inline constexpr std::size_t kXmlAttributesMax = 64;
inline constexpr std::size_t kXmlValueBytesMax = 256U << 10U;

/// All elements, parents before their children. ParseFailed names the byte; LimitExceeded the limit.
Result<std::vector<XmlElement>> parse_ui_xml(std::string_view text);

} // namespace handeye::android
