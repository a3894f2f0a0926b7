// SPDX-License-Identifier: Apache-2.0
#include "agent/task_program.h"

#include "agent/task_file.h"
#include "agent/taskfile/check.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/policy.h"
#include "agent/taskrun/flow.h"
#include "agent/taskrun/heal.h"
#include "agent/taskrun/healed_files.h"
#include "agent/taskrun/model_words.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
using taskfile::Node;
using taskfile::text_of;
using taskrun::Failure;
using taskrun::FailureKind;

bool asks_model(const Node& tree) {
    bool asks = false;
    taskfile::for_each_object(tree, taskfile::ShapeId::File, [&](const Node& node, taskfile::ShapeId shape) {
        const bool is_of_model = shape != taskfile::ShapeId::File && node.find("model") != nullptr;
        asks = asks || is_of_model || (shape == taskfile::ShapeId::Step && node.find("goal") != nullptr);
    });
    return asks;
}

std::vector<std::string> words(const Node* list) {
    std::vector<std::string> out;
    for (const Node& item : list != nullptr ? list->items : std::vector<Node>()) {
        out.push_back(item.scalar);
    }
    return out;
}

TaskEnd end_of(const taskrun::Outcome& failure, int healed) {
    if (!failure) {
        return {TaskOutcome::Done, healed == 0 ? "every step came true" : fmt::format("every step came true, {} of them healed by the model", healed)};
    }
    const std::string message = failure->place.empty() ? failure->message : fmt::format("{}: {}", failure->place, failure->message);
    switch (failure->kind) {
    case FailureKind::TargetNotFound:
    case FailureKind::NoEffect:
    case FailureKind::AssertFailed:
    case FailureKind::Timeout: return {TaskOutcome::FellShort, message};
    case FailureKind::Refused: return {TaskOutcome::Denied, message};
    case FailureKind::NeedsPerson: return {TaskOutcome::NeedsPerson, message};
    case FailureKind::Failed: return {TaskOutcome::Failed, message};
    case FailureKind::Over: return {failure->outcome, failure->message};
    }
    return {TaskOutcome::Failed, message};
}

class LoadedProgram final : public TaskProgram {
public:
    LoadedProgram(taskfile::LoadedFiles files, taskrun::Given given, std::filesystem::path files_root)
        : files_(std::move(files)), given_(std::move(given)), files_root_(std::move(files_root)) {}

    Result<void> prepare() {
        for (const std::filesystem::path& path : files_.order) {
            const taskfile::Loaded& file = files_.files.at(path);
            needs_model_ = needs_model_ || asks_model(file.tree);
        }
        for (const bool is_of_store : {true, false}) { // first those whose names are given
            name_secrets(is_of_store);
        }
        name_ = text_of(root().tree, "name");
        model_ = text_of(root().tree, "model");
        if (const Node* const policy = root().tree.find("policy")) {
            policy_ = TRY(taskfile::policy_of(*policy));
            budget_ = policy->find("budget") == nullptr ? budget_ : TRY(taskfile::budget_of(*policy->find("budget"), budget_));
        }
        // What is wrong with the variables is said before a screen is opened.
        TRY(taskrun::Values::of(root().tree, given_, [](const std::string& variable) { return variable; }));
        return {};
    }

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] const std::string& model() const override { return model_; }
    [[nodiscard]] bool needs_model() const override { return needs_model_; }
    [[nodiscard]] const Policy& policy() const override { return policy_; }
    [[nodiscard]] Budget budget() const override { return budget_; }
    [[nodiscard]] bool holds_without_approver() const override {
        const Node* const policy = root().tree.find("policy");
        return policy != nullptr && text_of(*policy, "on_no_approver") == "hold";
    }
    [[nodiscard]] const std::map<std::string, std::string>& secrets() const override { return secrets_; }
    [[nodiscard]] std::vector<std::string> warnings() const override {
        std::vector<std::string> out;
        for (const auto& [path, finding] : files_.broken_paths) {
            out.push_back(to_text(finding));
        }
        return out;
    }
    void set_languages(std::string tesseract_names) override { languages_ = std::move(tesseract_names); }
    void allow_healing(int steps_max) override {
        healing_steps_max_ = steps_max;
        needs_model_ = needs_model_ || steps_max > 0;
    }
    [[nodiscard]] std::vector<std::string> keep_paths(const Recording& recording) const override {
        std::vector<std::string> out;
        for (const taskrun::ReachedGoal& reached : reached_) {
            const Result<void> kept = keep_path(recording, reached);
            out.push_back(kept ? fmt::format("kept the path of \"{}\": {}", reached.goal_utf8, reached.path.string())
                               : fmt::format("the path of \"{}\" is not kept: {}", reached.goal_utf8, kept.error().message));
        }
        return out;
    }
    [[nodiscard]] int healed_steps() const override { return healer_ ? static_cast<int>(healer_->healed().size()) : 0; }
    [[nodiscard]] Result<std::filesystem::path> write_healed(const std::filesystem::path& folder) const override {
        return healer_ ? taskrun::write_healed(*healer_, files_.order.front(), folder) : Error{ErrorCode::InvalidArgument, "nothing was healed"};
    }

    [[nodiscard]] TaskFilePlatform platform() const override {
        TaskFilePlatform out;
        const Node* const platform = root().tree.find("platform");
        if (platform == nullptr) {
            return out;
        }
        out.kind = text_of(*platform, "kind");
        out.display = text_of(*platform, "display");
        out.window = text_of(*platform, "window");
        out.attach = text_of(*platform, "attach");
        out.locale = text_of(*platform, "locale");
        out.launch = words(platform->find("launch"));
        if (const std::vector<std::string> size = words(platform->find("min_size")); size.size() == 2) {
            out.min_size = Size{};
            std::from_chars(size[0].data(), size[0].data() + size[0].size(), out.min_size->width_px);
            std::from_chars(size[1].data(), size[1].data() + size[1].size(), out.min_size->height_px);
        }
        return out;
    }

    Result<TaskEnd> run(Hands& hands) override {
        started_ = hands.clock().wall_now();
        const TimePoint begin = hands.clock().now();
        LocatorOptions options;
        options.languages = languages_;
        if (needs_model_) {
            options.ask_model = [&hands](const Image& image, const std::string& description) { return taskrun::ask_where(hands, image, description); };
        }
        locator_ = Locator::create(std::move(options));
        taskrun::Context context{.hands = hands, .locator = *locator_, .files = files_, .disk = taskrun::DiskView(files_root_)};
        if (healing_steps_max_ > 0) {
            healer_.emplace(healing_steps_max_, *locator_);
            context.healer = &*healer_;
        }
        context.task_started = started_;
        taskrun::Flow flow(context, [this](const taskfile::Loaded& file, const std::string& variable) { return secret_names_.at(file.shown + "\n" + variable); });
        taskrun::Outcome failure = check_size(hands);
        if (!failure) {
            failure = flow.run_file(root(), given_, records_, outputs_);
        }
        took_ = hands.clock().now() - begin;
        reached_ = std::move(context.reached);
        if (context.broken) {
            return *context.broken;
        }
        end_ = end_of(failure, healed_steps());
        TRY(tell_result(hands));
        return end_;
    }

    [[nodiscard]] std::string result_json() const override {
        json out{{"name", name_}, {"file", root().shown}, {"outcome", task_outcome_name(end_.outcome)}, {"message", end_.message},
                 {"seconds", std::chrono::duration<double>(took_).count()}, {"outputs", outputs_}, {"steps", json::array()}};
        for (const taskrun::StepRecord& record : records_) {
            out["steps"].push_back(taskrun::to_json(record));
        }
        return dump_json(out);
    }
    [[nodiscard]] std::string result_junit() const override {
        return taskrun::to_junit({name_, started_, took_, std::string(task_outcome_name(end_.outcome)), end_.message}, records_);
    }

private:
    [[nodiscard]] const taskfile::Loaded& root() const { return files_.files.at(files_.order.front()); }

    Result<void> tell_result(Hands& hands) const {
        const std::string text = result_json();
        auto bytes = std::make_shared<const std::vector<std::uint8_t>>(text.begin(), text.end());
        const Blob document{to_hex(sha256(text)), "application/json", bytes};
        const json data{{"name", name_}, {"file", root().shown}, {"outcome", task_outcome_name(end_.outcome)}, {"message", end_.message},
                        {"result", {{"sha256", document.sha256_hex}, {"media_type", document.media_type}, {"bytes", bytes->size()}}}};
        return hands.tell("taskfile.finished", dump_json(data), {document});
    }

    void name_secrets(bool is_of_store) {
        for (const std::filesystem::path& path : files_.order) {
            const taskfile::Loaded& file = files_.files.at(path);
            for (const taskfile::Entry& entry : file.tree.find("vars") != nullptr ? file.tree.find("vars")->entries : std::vector<taskfile::Entry>()) {
                const std::string from = text_of(entry.value, "from");
                if (text_of(entry.value, "type") == "secret" && from.starts_with(kStore) == is_of_store) {
                    name_secret(file, entry.key, from);
                }
            }
        }
    }

    // One name for one source, though two files may call it differently or two sources the same.
    void name_secret(const taskfile::Loaded& file, const std::string& variable, const std::string& from) {
        const std::string wanted = from.starts_with(kStore) ? from.substr(kStore.size()) : variable;
        std::string name = wanted;
        for (int i = 2; secrets_.contains(name) && secrets_.at(name) != from; ++i) {
            name = fmt::format("{}.{}", wanted, i);
        }
        secrets_[name] = from;
        secret_names_[file.shown + "\n" + variable] = name;
    }

    Result<void> keep_path(const Recording& recording, const taskrun::ReachedGoal& reached) const {
        const CompiledTask task = TRY(compile_task(recording, {.name = reached.path.parent_path().filename().string(), .description = reached.goal_utf8, .steps = reached.steps, .secrets = secrets_, .values = reached.values}, *locator_));
        const taskfile::Reading reading = taskfile::read_tree(task.yaml);
        std::vector<taskfile::Mistake> mistakes = reading.mistakes;
        if (mistakes.empty()) {
            taskfile::check_names(taskfile::checked(reading.tree, taskfile::ShapeId::File, mistakes), mistakes);
        }
        if (!mistakes.empty()) {
            return Error{ErrorCode::Unsupported, "what was done cannot be written as a task file: " + mistakes.front().message};
        }
        std::error_code problem;
        for (const std::filesystem::path& folder : {reached.path.parent_path().parent_path(), reached.path.parent_path()}) {
            if (std::filesystem::is_symlink(folder, problem)) {
                return Error{ErrorCode::InvalidArgument, fmt::format("{} is a link", folder.string())};
            }
            TRY(make_private_dir(folder));
        }
        return write_task(task, reached.path);
    }

    taskrun::Outcome check_size(Hands& hands) const {
        const std::optional<Size> wanted = platform().min_size;
        const Result<DisplayInfo> display = wanted ? hands.platform().display() : Result<DisplayInfo>(DisplayInfo{});
        if (!wanted || (display && display->size.width_px >= wanted->width_px && display->size.height_px >= wanted->height_px)) {
            return std::nullopt;
        }
        return taskrun::fail(FailureKind::Failed, display ? fmt::format("the target has {}x{} pixels, the task wants {}x{} at least", display->size.width_px, display->size.height_px,
                                                                        wanted->width_px, wanted->height_px)
                                                          : display.error().message);
    }

    static constexpr std::string_view kStore = "store:";
    const taskfile::LoadedFiles files_;
    const taskrun::Given given_;
    const std::filesystem::path files_root_; ///< empty: the whole machine
    std::string name_, model_, languages_ = "eng";
    bool needs_model_ = false;
    Policy policy_;
    Budget budget_ = taskrun::program_budget();
    std::map<std::string, std::string> secrets_;      // name where it is typed, source
    std::map<std::string, std::string> secret_names_; // file and variable, name where it is typed
    std::vector<taskrun::ReachedGoal> reached_;
    int healing_steps_max_ = 0;
    std::unique_ptr<Locator> locator_; // of the run
    std::optional<taskrun::Healer> healer_;
    std::vector<taskrun::StepRecord> records_;
    json outputs_ = json::object();
    TaskEnd end_;
    WallTime started_{};
    Duration took_{};
};

Result<std::unique_ptr<TaskProgram>> prepared(taskfile::LoadedFiles files, const std::map<std::string, std::string>& vars, const std::filesystem::path& files_root) {
    if (!files.findings.empty()) {
        return Error{ErrorCode::InvalidArgument, to_text(files.findings)};
    }
    auto program = std::make_unique<LoadedProgram>(std::move(files), taskrun::Given(vars.begin(), vars.end()), files_root);
    TRY(program->prepare());
    return std::unique_ptr<TaskProgram>(std::move(program));
}

} // namespace

Result<std::unique_ptr<TaskProgram>> TaskProgram::load(const std::filesystem::path& path, const std::map<std::string, std::string>& vars, const std::string& shown) {
    return prepared(taskfile::load(path, shown), vars, {});
}

Result<std::unique_ptr<TaskProgram>> TaskProgram::load(std::shared_ptr<const TaskBundle> bundle, const std::map<std::string, std::string>& vars,
                                                       const std::filesystem::path& files_root) {
    taskfile::LoadedFiles files = taskfile::load(std::move(bundle));
    if (files.findings.empty()) {
        for (TaskFinding& tie : taskfile::machine_ties(files, files_root.empty() ? taskfile::MachineFiles::Refused : taskfile::MachineFiles::Allowed)) {
            tie.message = "a daemon does not carry this out for you: " + tie.message;
            files.findings.push_back(std::move(tie));
        }
    }
    return prepared(std::move(files), vars, files_root);
}

} // namespace handeye
