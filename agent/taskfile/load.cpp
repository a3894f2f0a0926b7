// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/load.h"

#include "agent/taskfile/check.h"
#include "agent/taskfile/scalars.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/suggest.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

namespace fs = std::filesystem;

bool has_reference(const std::string& text) {
    const auto pieces = parse_text(text);
    return !pieces || std::any_of(pieces->begin(), pieces->end(), [](const TextPiece& piece) { return piece.is_reference; });
}

class Loader {
public:
    LoadedFiles whole(const fs::path& path) {
        std::error_code failed;
        const fs::path canonical = fs::weakly_canonical(path, failed);
        file(failed ? path : canonical, path.string(), nullptr, {});
        return std::move(out_);
    }

private:
    struct Asked {
        const Loaded& from;
        Place place;
    };

    void tell(const std::string& shown, Place place, std::string message) {
        out_.findings.push_back({TaskFinding::Severity::Error, shown, place.line, place.column, std::move(message), ""});
    }
    // Where an error about a file stands: at the step that runs it, or at its own beginning.
    void tell_of_file(const std::string& shown, const Asked* asked, std::string message) {
        if (asked != nullptr) {
            tell(asked->from.shown, asked->place, std::move(message));
        } else {
            tell(shown, {}, std::move(message));
        }
    }

    void file(const fs::path& canonical, const std::string& shown, const Asked* asked, const std::vector<fs::path>& above) {
        if (std::find(above.begin(), above.end(), canonical) != above.end()) {
            tell_of_file(shown, asked, fmt::format("{} runs itself", shown));
            return;
        }
        if (out_.files.find(canonical) != out_.files.end()) {
            return;
        }
        if (above.size() >= kRunDepthMax || out_.files.size() >= kFilesMax) {
            tell_of_file(shown, asked, fmt::format("{}: files that run files are followed {} deep and up to {} of them", shown, kRunDepthMax, kFilesMax));
            return;
        }
        std::error_code failed;
        if (!fs::is_regular_file(canonical, failed)) {
            tell_of_file(shown, asked, fs::exists(canonical, failed) ? fmt::format("{} is no ordinary file", shown) : fmt::format("there is no file {}", shown));
            return;
        }
        const auto text = read_file(canonical, kFileBytesMax);
        if (!text) {
            tell_of_file(shown, asked, text.error().message);
            return;
        }
        Loaded loaded{.shown = shown, .folder = canonical.parent_path(), .tree = {}, .read = {}};
        std::vector<Mistake> mistakes = understand(*text, loaded);
        std::stable_sort(mistakes.begin(), mistakes.end(), [](const Mistake& a, const Mistake& b) { return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column); });
        for (Mistake& mistake : mistakes) {
            tell(shown, mistake.place, std::move(mistake.message));
        }
        out_.order.push_back(canonical);
        const Loaded& kept = out_.files.emplace(canonical, std::move(loaded)).first->second;
        std::vector<fs::path> here = above;
        here.push_back(canonical);
        pictures(kept);
        for_each_step_of_file(kept.tree, [&](const Node& step) {
            if (const Node* const run = step.find("run"); run != nullptr) {
                this->run(kept, *run, here);
            }
            if (const fs::path path = goal_path(kept, step); !path.empty() && fs::is_regular_file(path, failed)) {
                const Asked goal{kept, step.place};
                this->file(fs::weakly_canonical(path, failed), shown_beside(kept, path.lexically_relative(kept.folder).string()), &goal, here);
            }
        });
    }

    static std::vector<Mistake> understand(const std::string& text, Loaded& loaded) {
        Reading reading = read_tree(text);
        if (!reading.mistakes.empty()) {
            return std::move(reading.mistakes);
        }
        std::vector<Mistake> mistakes;
        loaded.tree = checked(reading.tree, ShapeId::File, mistakes);
        if (mistakes.empty()) { // names are looked at in what is otherwise sound
            loaded.read = check_names(loaded.tree, mistakes);
        }
        return mistakes;
    }

    void pictures(const Loaded& loaded) {
        for_each_object(loaded.tree, ShapeId::File, [&](const Node& node, ShapeId shape) {
            const Node* const picture = shape_of(shape).find("template") != nullptr ? node.find("template") : nullptr;
            std::error_code failed;
            if (picture != nullptr && !has_reference(picture->scalar) && !fs::is_regular_file(loaded.folder / picture->scalar, failed)) {
                tell(loaded.shown, picture->place, fmt::format("there is no picture {} beside this file", picture->scalar));
            }
        });
    }

    void run(const Loaded& from, const Node& run, const std::vector<fs::path>& above) {
        const Node* const name = run.find("file");
        const fs::path path = run_path(from, run);
        if (name == nullptr || path.empty()) {
            return;
        }
        std::error_code failed;
        const fs::path canonical = fs::weakly_canonical(path, failed);
        const Asked asked{from, name->place};
        file(canonical, shown_beside(from, name->scalar), &asked, above);
        if (const auto found = out_.files.find(canonical); found != out_.files.end()) {
            variables(from, run, found->second);
        }
    }
    static std::string shown_beside(const Loaded& from, const std::string& name) {
        const fs::path parent = fs::path(from.shown).parent_path();
        return (parent / name).lexically_normal().string();
    }

    void variables(const Loaded& from, const Node& run, const Loaded& callee) {
        const Node* const given = run.find("vars");
        const Node* const known = callee.tree.find("vars");
        std::vector<std::string_view> names;
        if (known != nullptr) {
            for (const Entry& entry : known->entries) {
                names.push_back(entry.key);
                const bool is_missing = given == nullptr || given->find(entry.key) == nullptr;
                if (is_set(entry.value, "required") && is_missing) {
                    tell(from.shown, run.place, fmt::format("{} needs the variable \"{}\"", callee.shown, entry.key));
                }
            }
        }
        if (given != nullptr) {
            for (const Entry& entry : given->entries) {
                if (std::find(names.begin(), names.end(), entry.key) == names.end()) {
                    tell(from.shown, entry.place, fmt::format("{} has no variable \"{}\"; {}", callee.shown, entry.key, suggestion(entry.key, "variables", names)));
                }
            }
        }
    }

    LoadedFiles out_;
};

} // namespace

LoadedFiles load(const fs::path& path) { return Loader().whole(path); }

fs::path run_path(const Loaded& from, const Node& run) {
    const std::string name = text_of(run, "file");
    return name.empty() || has_reference(name) ? fs::path() : from.folder / name;
}

fs::path goal_path(const Loaded& from, const Node& step) {
    constexpr std::size_t kWordsBytesMax = 40;
    const Node* const goal = step.find("goal");
    if (goal == nullptr || text_of(step, "compile") != "on_success") {
        return {};
    }
    const std::string text = text_of(*goal, "text");
    std::string words;
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (words.size() < kWordsBytesMax && (is_plain || (!words.empty() && words.back() != '-'))) {
            words += is_plain ? c : '-';
        }
    }
    return from.folder / (fs::path(from.shown).stem().string() + ".paths") / fmt::format("{}-{}", words, to_hex(sha256(text)).substr(0, 8)) / "task.yaml";
}

} // namespace handeye::taskfile
