// SPDX-License-Identifier: Apache-2.0
// A PCRE2 pattern whose matching takes bounded time and memory. Inside this folder and apps/batch only.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace handeye {

class TextPattern {
public:
    static constexpr std::size_t kBytesMax = 1024;
    /// InvalidArgument names the place of the mistake. UTF-8, letter case matters, "." takes no line feed: PCRE2's defaults.
    static Result<TextPattern> compile(const std::string& pattern);

    enum class Found { Yes, No, Unknown }; ///< Unknown: the limits came first, or the text is not UTF-8
    /// Pure; any thread.
    [[nodiscard]] Found find_in(std::string_view text_utf8) const;
    /// What it finds first: its first group, or all of it where it has none. nullopt: nothing, or Unknown.
    [[nodiscard]] std::optional<std::string> first_in(std::string_view text_utf8) const;

private:
    struct Code;
    struct Match;
    [[nodiscard]] Match match(std::string_view text_utf8) const;
    std::shared_ptr<const Code> code_;
};

} // namespace handeye
