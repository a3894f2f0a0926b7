// SPDX-License-Identifier: Apache-2.0
// The prompt templates that were put into the program at build.
#pragma once

#include <span>
#include <string_view>

namespace handeye {

struct EmbeddedTemplate {
    std::string_view path; ///< "glm-4.1v/desktop.md"
    std::string_view source;
};
std::span<const EmbeddedTemplate> embedded_templates();

} // namespace handeye
