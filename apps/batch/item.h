// SPDX-License-Identifier: Apache-2.0
// A file of questions with what the right answer is: one JSON object a line, in whatever names its maker gave the fields. The file is a
// stranger's: every line is checked before anything is asked.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::batch {

inline constexpr std::size_t kFileBytesMax = std::size_t{256} << 20U;
inline constexpr std::size_t kLineBytesMax = std::size_t{32} << 20U; ///< pictures may stand in it as data: URLs
inline constexpr std::size_t kItemsMax = 1'000'000;
inline constexpr std::size_t kPromptBytesMax = std::size_t{4} << 20U;
inline constexpr std::size_t kPicturesMax = 300; ///< as the models were trained
inline constexpr std::size_t kReferencesMax = 1000;
inline constexpr std::size_t kReferenceBytesMax = 64U << 10U;
inline constexpr std::size_t kChoicesMax = 26; ///< A to Z

struct Item {
    std::size_t line = 0; ///< of the file, from 1 on: what an item is known by
    std::string id;       ///< what the file calls it; may be empty, and nothing goes by it
    std::string system;
    std::string prompt;   ///< "<image>" and "<video>" in it say where those are shown; without, before it
    std::vector<std::string> images; ///< paths or data: URLs; none beside a video
    std::string video;               ///< a path; empty: none
    std::vector<std::string> references; ///< any of them is right; empty where none is asked for
    std::vector<std::string> choices;    ///< shown as "A. ...", "B. ..." below the prompt
};

/// A line that is no item, and why.
struct BadLine {
    std::size_t line = 0;
    std::string reason;
};

struct ItemFile {
    std::string sha256; ///< of the whole file, hexadecimal
    std::vector<Item> items;
    std::vector<BadLine> bad;
};

/// What the fields are called: for each of ours the names under which it is looked for, the first that is there counts.
class FieldNames {
public:
    FieldNames();
    /// "prompt=question": that one name instead of the usual ones. InvalidArgument for what is no field of ours.
    Result<void> set(std::string_view rule);
    [[nodiscard]] const std::vector<std::string>& of(const std::string& field) const { return names_.at(field); }
    /// "prompt=question, ...": what was set; empty: nothing.
    [[nodiscard]] std::string said() const;
    /// For --help: "prompt (question, ...), ...".
    [[nodiscard]] std::string usual() const;

private:
    std::map<std::string, std::vector<std::string>> names_;
    std::map<std::string, std::string> set_;
};

enum class References { Wanted, NotNeeded };

/// ParseFailed, LimitExceeded or InvalidArgument with what is wrong with the line.
Result<Item> read_item(std::string_view line, const FieldNames& names, References references);
/// All lines; empty ones are no items and no mistakes. Errors are of the file: NotFound, LimitExceeded, ParseFailed where it holds no line at all.
Result<ItemFile> read_items(const std::filesystem::path& file, const FieldNames& names, References references);

} // namespace handeye::batch
