// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/load.h"

#include "agent/taskfile/check.h"
#include "agent/taskfile/scalars.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/image_codec.h"
#include "base/suggest.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

namespace fs = std::filesystem;

fs::path canonical_of(const fs::path& path, bool is_bundled) {
    std::error_code failed;
    const fs::path canonical = is_bundled ? path.lexically_normal() : fs::weakly_canonical(path, failed);
    return failed ? path : canonical;
}

class Loader {
public:
    explicit Loader(std::shared_ptr<const TaskBundle> bundle) { out_.bundle = std::move(bundle); }

    LoadedFiles whole(const fs::path& path, const std::string& shown = {}) {
        file(canonical_of(path, out_.bundle != nullptr), shown.empty() ? path.string() : shown, nullptr, {});
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
        const auto text = read(canonical, shown);
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
            if (const std::string path = goal_path(step, kept); !path.empty()) {
                goal(kept, step, path, here);
            }
        });
    }

    /// The path that was kept of it, where there is one.
    void goal(const Loaded& from, const Node& step, const std::string& name, const std::vector<fs::path>& above) {
        std::error_code failed;
        const fs::path path = out_.resolve(from, name);
        const bool is_there = out_.bundle != nullptr ? out_.bundle->texts.contains(path.generic_string()) : fs::is_regular_file(path, failed);
        if (!is_there) {
            return;
        }
        const std::size_t n_findings = out_.findings.size(), n_files = out_.order.size();
        const Asked asked{from, step.place};
        file(path, shown_beside(from, name), &asked, above);
        if (out_.findings.size() == n_findings) {
            return;
        }
        TaskFinding finding = out_.findings[n_findings]; // a path is a help and no part of the file: the model can do without
        finding.severity = TaskFinding::Severity::Warning;
        finding.rule = "kept-path";
        finding.message = "this kept path of a goal is not taken: " + finding.message;
        out_.broken_paths.emplace(path, std::move(finding));
        out_.findings.resize(n_findings);
        for (std::size_t i = n_files; i < out_.order.size(); ++i) {
            out_.files.erase(out_.order[i]);
        }
        out_.order.resize(n_files);
    }

    [[nodiscard]] Result<std::string> read(const fs::path& canonical, const std::string& shown) const {
        const Error none{ErrorCode::NotFound, fmt::format("there is no file {}", shown)};
        if (out_.bundle != nullptr) {
            const auto found = out_.bundle->texts.find(canonical.generic_string());
            const bool fits = found == out_.bundle->texts.end() || found->second.size() <= kFileBytesMax;
            return found == out_.bundle->texts.end() ? Result<std::string>(none)
                   : fits                            ? Result<std::string>(found->second)
                                                     : Error{ErrorCode::LimitExceeded, fmt::format("{} has {} bytes, the limit is {}", shown, found->second.size(), kFileBytesMax)};
        }
        std::error_code failed;
        if (!fs::is_regular_file(canonical, failed)) {
            return fs::exists(canonical, failed) ? Error{ErrorCode::InvalidArgument, fmt::format("{} is no ordinary file", shown)} : none;
        }
        return read_file(canonical, kFileBytesMax);
    }

    static std::vector<Mistake> understand(const std::string& text, Loaded& loaded) {
        Reading reading = read_tree(text);
        if (!reading.mistakes.empty()) {
            return std::move(reading.mistakes);
        }
        std::vector<Mistake> mistakes;
        loaded.tree = checked(reading.tree, ShapeId::File, mistakes);
        loaded.read = check_names(loaded.tree, mistakes);
        return mistakes;
    }

    void pictures(const Loaded& loaded) {
        for_each_picture(loaded.tree, [&](const Node& picture) {
            std::error_code failed;
            const fs::path path = loaded.folder / picture.scalar;
            const bool is_there = out_.bundle != nullptr ? out_.bundle->pictures.contains(path.lexically_normal().generic_string()) : fs::is_regular_file(path, failed);
            if (!is_there && !has_reference(picture.scalar)) {
                tell(loaded.shown, picture.place, fmt::format("there is no picture {} beside this file", picture.scalar));
            }
        });
    }

    void run(const Loaded& from, const Node& run, const std::vector<fs::path>& above) {
        const Node* const name = run.find("file");
        const fs::path path = run_path(from, run);
        if (name == nullptr || path.empty()) {
            return;
        }
        const fs::path canonical = canonical_of(path, out_.bundle != nullptr);
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

LoadedFiles load(const fs::path& path, const std::string& shown) { return Loader(nullptr).whole(path, shown); }
LoadedFiles load(std::shared_ptr<const TaskBundle> bundle) {
    const fs::path file = bundle->file;
    return Loader(std::move(bundle)).whole(file);
}

bool has_reference(const std::string& text) {
    const auto pieces = parse_text(text);
    return !pieces || std::any_of(pieces->begin(), pieces->end(), [](const TextPiece& piece) { return piece.is_reference; });
}

fs::path LoadedFiles::resolve(const Loaded& from, const std::string& name) const { return canonical_of(from.folder / name, bundle != nullptr); }

Result<Image> LoadedFiles::picture(const Loaded& from, const std::string& name) const {
    if (bundle == nullptr) {
        return read_image(from.folder / name);
    }
    const auto found = bundle->pictures.find(resolve(from, name).generic_string());
    return found == bundle->pictures.end() ? Result<Image>(Error{ErrorCode::NotFound, "no such picture was handed over with the task file"}) : found->second;
}

fs::path run_path(const Loaded& from, const Node& run) {
    const std::string name = text_of(run, "file");
    return name.empty() || has_reference(name) ? fs::path() : from.folder / name;
}

std::string goal_path(const Node& step, const Loaded& from) {
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
    return fmt::format("{}.paths/{}-{}/task.yaml", fs::path(from.shown).stem().string(), words, to_hex(sha256(text)).substr(0, 8));
}

} // namespace handeye::taskfile
