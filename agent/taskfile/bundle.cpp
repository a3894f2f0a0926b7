// SPDX-License-Identifier: Apache-2.0
// What a task file needs around it, and what of that cannot travel.
#include "agent/task_bundle.h"

#include "agent/taskfile/load.h"
#include "agent/taskfile/scalars.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using taskfile::Loaded;
using taskfile::LoadedFiles;
using taskfile::Node;
using taskfile::ShapeId;

constexpr std::size_t kNameBytesMax = 512;

/// The folder that holds all of them.
fs::path common_folder(const std::vector<fs::path>& paths) {
    fs::path out = paths.front().parent_path();
    for (const fs::path& path : paths) {
        const auto ends = std::mismatch(out.begin(), out.end(), path.begin(), path.end());
        fs::path shared;
        for (auto part = out.begin(); part != ends.first; ++part) {
            shared /= *part;
        }
        out = shared;
    }
    return out;
}

} // namespace

Result<void> check_bundle_name(std::string_view name) {
    const auto wrong = [&](std::string_view why) { return Error{ErrorCode::InvalidArgument, fmt::format("the name \"{}\" {}", name.substr(0, 80), why)}; };
    if (name.empty() || name.size() > kNameBytesMax) {
        return wrong(fmt::format("has {} bytes, it must have 1 to {}", name.size(), kNameBytesMax));
    }
    if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return Error{ErrorCode::InvalidArgument, "a name holds control characters"};
    }
    for (std::string_view rest = name;;) {
        const std::size_t slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        if (part.empty() || part == "." || part == "..") {
            return wrong("must be a relative path without \"..\" and \".\"");
        }
        if (slash == std::string_view::npos) {
            return {};
        }
        rest = rest.substr(slash + 1);
    }
}

Result<TaskBundleFiles> find_task_bundle(const fs::path& path) {
    const LoadedFiles loaded = taskfile::load(path);
    if (!loaded.findings.empty()) {
        return Error{ErrorCode::InvalidArgument, to_text(loaded.findings)};
    }
    std::vector<fs::path> all = loaded.order;
    std::vector<fs::path> pictures;
    for (const fs::path& file : loaded.order) {
        const Loaded& one = loaded.files.at(file);
        taskfile::for_each_picture(one.tree, [&](const Node& name) {
            if (!taskfile::has_reference(name.scalar)) {
                std::error_code failed;
                pictures.push_back(fs::weakly_canonical(one.folder / name.scalar, failed));
            }
        });
    }
    all.insert(all.end(), pictures.begin(), pictures.end());
    const fs::path folder = common_folder(all);
    TaskBundleFiles out;
    for (const fs::path& file : loaded.order) {
        out.texts.emplace(file.lexically_relative(folder).generic_string(), file);
    }
    for (const fs::path& picture : pictures) {
        out.pictures.emplace(picture.lexically_relative(folder).generic_string(), picture);
    }
    if (out.texts.size() > kBundleTextsMax || out.pictures.size() > kBundlePicturesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} runs {} task files and names {} pictures, the limits are {} and {}", path.string(), out.texts.size(), out.pictures.size(),
                                                           kBundleTextsMax, kBundlePicturesMax)};
    }
    out.file = loaded.order.front().lexically_relative(folder).generic_string();
    out.ties = taskfile::machine_ties(loaded, taskfile::MachineFiles::Refused);
    return out;
}

namespace taskfile {
namespace {

class Ties {
public:
    Ties(const Loaded& file, MachineFiles machine_files, std::vector<TaskFinding>& out) : file_(file), machine_files_(machine_files), out_(out) {}

    void look() {
        if (const Node* const model = file_.tree.find("model")) {
            tell(*model, "a model of its own: a daemon works with the one that it has");
        }
        if (const Node* const platform = file_.tree.find("platform"); platform != nullptr && platform->find("locale") != nullptr) {
            tell(*platform->find("locale"), "a locale: it is one of the program that starts the others");
        }
        if (const Node* const vars = file_.tree.find("vars")) {
            for (const Entry& variable : vars->entries) {
                if (const Node* const from = variable.value.find("from"); from != nullptr && !from->scalar.starts_with("store:")) {
                    tell(*from, fmt::format("the secret \"{}\": a daemon types secrets of its own store (store:NAME) only", variable.key));
                }
            }
        }
        for_each_object(file_.tree, ShapeId::File, [&](const Node& node, ShapeId shape) {
            const Node* const named = shape == ShapeId::Run || shape_of(shape).find("file") == nullptr ? nullptr : node.find("file");
            if (named != nullptr && machine_files_ == MachineFiles::Refused) {
                tell(*named, fmt::format("the file \"{}\" of this machine: a daemon looks into files below its tasks.files_root only, and none is set or this one is not known to lie there", named->scalar.substr(0, 80)));
            }
        });
        for_each_picture(file_.tree, [&](const Node& name) {
            if (has_reference(name.scalar)) {
                tell(name, "a picture whose name is known only when the task runs");
            }
        });
    }

private:
    void tell(const Node& node, std::string message) {
        out_.push_back({TaskFinding::Severity::Error, file_.shown, node.place.line, node.place.column, std::move(message), ""});
    }

    const Loaded& file_;
    const MachineFiles machine_files_;
    std::vector<TaskFinding>& out_;
};

} // namespace

std::vector<TaskFinding> machine_ties(const LoadedFiles& loaded, MachineFiles machine_files) {
    std::vector<TaskFinding> out;
    for (const fs::path& path : loaded.order) {
        Ties(loaded.files.at(path), machine_files, out).look();
    }
    return out;
}

} // namespace taskfile
} // namespace handeye
