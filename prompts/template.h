// SPDX-License-Identifier: Apache-2.0
// The template language of prompt files: {{field}}, {{kind:style}}, {{#field}}..{{/field}}, {{^field}}..{{/field}}, {{! comment }}.
// A line that holds nothing but sections, comments or images vanishes with its line break.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct TemplateNode {
    enum class Kind {
        Text,
        Field,   ///< {{goal}}
        Block,   ///< {{history:numbered}}: name and style
        Section, ///< {{#name}} when the field has a value, {{^name}} when it has none
    };
    Kind kind = Kind::Text;
    std::string name;
    std::string style; ///< of Block
    std::string text;  ///< of Text
    bool is_inverse = false; ///< of Section: {{^name}}
    int line = 0;      ///< from 1
    std::vector<TemplateNode> children;
};

/// ParseFailed names `file`, the line and what is wrong (a tag that is not closed, a section that ends elsewhere).
Result<std::vector<TemplateNode>> parse_template(std::string_view source, std::string_view file);

} // namespace handeye
