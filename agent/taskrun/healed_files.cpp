// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/healed_files.h"

#include "agent/taskfile/check.h"
#include "base/file.h"
#include "base/printable.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace handeye::taskrun {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDiffName = "heal.diff";
constexpr std::size_t kContext = 3;

/// The offset of a place; columns count characters.
std::size_t offset_of(const std::string& text, taskfile::Place place) {
    std::size_t at = 0;
    for (int line = 1; line < place.line && at != std::string::npos; ++line) {
        at = text.find('\n', at);
        at = at == std::string::npos ? at : at + 1;
    }
    for (int column = 1; column < place.column && at < text.size(); ++column) {
        do {
            ++at;
        } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U);
    }
    return std::min(at, text.size());
}

/// Behind the closing quote of the text that begins at `at`.
std::size_t end_of_quoted(const std::string& text, std::size_t at) {
    const char quote = text[at];
    for (++at; at < text.size(); ++at) {
        const bool is_doubled = quote == '\'' && text.compare(at, 2, "''") == 0;
        if (text[at] == quote && !is_doubled) {
            break;
        }
        at += is_doubled || (quote == '"' && text[at] == '\\') ? 1 : 0;
    }
    return std::min(at + 1, text.size());
}

std::size_t end_of_flow(const std::string& text, std::size_t at) {
    int depth = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"' || c == '\'') {
            at = end_of_quoted(text, at);
            continue;
        }
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        ++at;
        if (depth == 0) {
            break;
        }
    }
    return at;
}

/// Of a text without quotes: to a comment or the line's end, and where it stands within brackets to the next of them or a comma.
std::size_t end_of_plain(const std::string& text, std::size_t at) {
    const std::size_t line = text.rfind('\n', at) == std::string::npos ? 0 : text.rfind('\n', at) + 1;
    const bool is_within = text.find_first_of("{[", line) < at;
    std::size_t end = std::min({text.find('\n', at), text.find(" #", at), is_within ? text.find_first_of(",}]", at) : std::string::npos, text.size()});
    while (end > at && (text[end - 1] == ' ' || text[end - 1] == '\r')) {
        --end;
    }
    return end;
}

bool is_task_file(const std::string& text) {
    const taskfile::Reading reading = taskfile::read_tree(text);
    std::vector<taskfile::Mistake> mistakes = reading.mistakes;
    if (mistakes.empty()) {
        taskfile::checked(reading.tree, taskfile::ShapeId::File, mistakes);
    }
    return mistakes.empty();
}

std::vector<std::string_view> lines_of(const std::string& text) {
    std::vector<std::string_view> lines;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        lines.push_back(std::string_view(text).substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

std::string in_one_line(const std::string& text) {
    std::string out = printable(text);
    std::replace(out.begin(), out.end(), '\n', ' ');
    return out;
}

/// A healed task file, and what is told before its diff.
struct Change {
    std::string after, notes;
};

/// The places are those of the text as it was, and each change stays within its line: from right to left none moves another. A target that
/// was healed twice, in two rounds of a loop, becomes what it was last.
Change changed(const std::string& before, const std::vector<const Healed*>& all) {
    Change out{before, {}};
    std::map<std::pair<int, int>, std::string> problems; // by place
    std::map<std::pair<int, int>, const Healed*, std::greater<>> last;
    for (const Healed* const healed : all) {
        last[{healed->place.line, healed->place.column}] = healed;
    }
    for (const auto& [place, healed] : last) {
        Result<std::string> after = with_target(out.after, healed->place, healed->words);
        problems[place] = after ? "" : after.error().message;
        out.after = after ? *std::move(after) : out.after;
    }
    for (const Healed* const healed : all) {
        for (const auto& [what, text] : {std::pair<std::string_view, const std::string&>{"", healed->title}, {"  was: ", healed->missing}, {"  the model: ", healed->call}, {"  now: ", healed->words}}) {
            out.notes += fmt::format("# {}{}\n", what, in_one_line(text));
        }
        const std::pair<int, int> place{healed->place.line, healed->place.column};
        out.notes += last.at(place) != healed ? "#   found in another way later in the same run\n" : problems.at(place).empty() ? "" : fmt::format("#   to be put there by hand: {}\n", problems.at(place));
    }
    return out;
}

/// The folder of `root`, or the nearest above it, that holds every file.
fs::path common_folder(const std::map<fs::path, std::vector<const Healed*>>& files, const fs::path& root) {
    fs::path base = root.parent_path();
    const auto holds = [&base](const auto& row) {
        const fs::path inner = row.first.lexically_relative(base);
        return !inner.empty() && *inner.begin() != "..";
    };
    while (base.has_relative_path() && !std::all_of(files.begin(), files.end(), holds)) {
        base = base.parent_path();
    }
    return base;
}

Result<void> make_folders(const fs::path& folder, const fs::path& inner) {
    fs::path at = folder;
    for (const fs::path& part : inner) {
        at /= part;
        TRY(make_private_dir(at));
    }
    return {};
}

} // namespace

Result<std::string> with_target(const std::string& text, taskfile::Place place, std::string_view words) {
    const std::size_t from = offset_of(text, place);
    if (from >= text.size()) {
        return Error{ErrorCode::OutOfBounds, fmt::format("line {}, column {} lies behind the end of the file", place.line, place.column)};
    }
    const char first = text[from];
    const std::size_t to = first == '{' ? end_of_flow(text, from) : first == '"' || first == '\'' ? end_of_quoted(text, from) : end_of_plain(text, from);
    std::string out = text.substr(0, from) + std::string(words) + text.substr(to);
    const bool has_as_many_lines = std::count(out.begin(), out.end(), '\n') == std::count(text.begin(), text.end(), '\n');
    if (!has_as_many_lines || !is_task_file(out)) {
        return Error{ErrorCode::Unsupported, "the target stands in several lines"};
    }
    return out;
}

// As git writes a name that holds a line feed or another sign that a diff has a use for.
static std::string diff_name(const std::string& name) {
    const auto is_odd = [](unsigned char c) { return c < 0x20 || c == 0x7F || c == '"' || c == '\\'; };
    if (std::none_of(name.begin(), name.end(), is_odd)) {
        return name;
    }
    std::string out = "\"";
    for (const char c : name) {
        out += is_odd(static_cast<unsigned char>(c)) ? fmt::format("\\{:03o}", static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return out + "\"";
}

std::string unified_diff(const std::string& name, const std::string& before, const std::string& after) {
    const std::vector<std::string_view> old_lines = lines_of(before), new_lines = lines_of(after);
    const std::size_t count = std::min(old_lines.size(), new_lines.size());
    std::string out;
    for (std::size_t at = 0; at < count; ++at) {
        if (old_lines[at] == new_lines[at]) {
            continue;
        }
        const std::size_t from = at > kContext ? at - kContext : 0;
        std::size_t last = at; // changed lines whose contexts touch are one hunk
        for (std::size_t i = at; i < std::min(count, last + 2 * kContext + 1); ++i) {
            last = old_lines[i] == new_lines[i] ? last : i;
        }
        const std::size_t to = std::min(count, last + kContext + 1);
        std::string hunk = fmt::format("@@ -{0},{1} +{0},{1} @@\n", from + 1, to - from);
        for (std::size_t i = from; i < to; ++i) {
            hunk += old_lines[i] == new_lines[i] ? fmt::format(" {}\n", old_lines[i]) : fmt::format("-{}\n+{}\n", old_lines[i], new_lines[i]);
        }
        out += hunk;
        at = last + kContext;
    }
    return out.empty() ? out : fmt::format("--- {}\n+++ {}\n{}", diff_name("a/" + name), diff_name("b/" + name), out);
}

Result<fs::path> write_healed(const Healer& healer, const fs::path& root, const fs::path& folder) { return write_healed(healer.healed(), healer.writer().pictures(), root, folder); }

Result<fs::path> write_healed(const std::vector<Healed>& all, const std::map<std::string, std::vector<std::uint8_t>>& pictures, const fs::path& root, const fs::path& folder) {
    std::map<fs::path, std::vector<const Healed*>> by_file;
    for (const Healed& healed : all) {
        by_file[healed.file].push_back(&healed);
    }
    const fs::path base = common_folder(by_file, root);
    std::string diff = base == root.parent_path() ? "" : fmt::format("# its paths are those from {}\n", in_one_line(base.string()));
    for (const auto& [file, changes] : by_file) {
        const std::string before = TRY(read_file(file, taskfile::kFileBytesMax));
        const Change change = changed(before, changes);
        const fs::path name = file.lexically_relative(base);
        if (name == kDiffName) {
            return Error{ErrorCode::InvalidArgument, fmt::format("a task file cannot be called {} where one is healed: that is the difference's own name", kDiffName)};
        }
        TRY(make_folders(folder, name.parent_path()));
        TRY(write_file_atomic(folder / name, change.after, 0600));
        diff += change.notes + unified_diff(name.generic_string(), before, change.after);
        for (const auto& [picture, png] : pictures) {
            const bool is_named = std::any_of(changes.begin(), changes.end(), [&](const Healed* healed) { return healed->words.find(picture) != std::string::npos; });
            TRY(is_named ? write_file_atomic((folder / name).parent_path() / picture, std::string_view(reinterpret_cast<const char*>(png.data()), png.size()), 0600) : Result<void>());
        }
    }
    const fs::path path = folder / kDiffName;
    TRY(write_file_atomic(path, diff, 0600));
    return path;
}

} // namespace handeye::taskrun
