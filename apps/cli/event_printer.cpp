// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/event_printer.h"

#include "apps/cli/command.h"
#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

// Fields may be absent or of another type in recordings of other versions.
std::string text_of(const nlohmann::json& data, const char* key) {
    const auto found = data.find(key);
    if (found == data.end() || found->is_null()) {
        return {};
    }
    return found->is_string() ? found->get<std::string>() : dump_json(*found);
}

/// Whether steps of this verb hold others.
bool holds_steps(const std::string& verb) { return verb == "for_each" || verb == "repeat" || verb == "group" || verb == "run"; }

/// The step of a task file, as its events name it.
std::string place_of(const nlohmann::json& data) { return fmt::format("{}:{}:{}", text_of(data, "file"), text_of(data, "line"), text_of(data, "verb")); }

/// 50, not 50.0.
std::string short_number(const nlohmann::json& data, const char* key) {
    const auto found = data.find(key);
    return found != data.end() && found->is_number() ? fmt::format("{:g}", found->get<double>()) : text_of(data, key);
}

} // namespace

void EventPrinter::print_file_step(const std::string& type, const nlohmann::json& data) {
    const auto title = [&](int number) {
        const std::string label = text_of(data, "label");
        return fmt::format("{:>4}  {:{}}{}{}{}", number, "", 2 * begun_.size(), text_of(data, "verb"), label.empty() ? "" : " ", label);
    };
    if (type == "taskfile.step_started") {
        if (!begun_.empty() && !begun_.back().is_told) { // a goal that goes its kept path
            begun_.back().is_told = true;
            print_progress("");
            print("    " + begun_.back().title);
        }
        const bool holds = holds_steps(text_of(data, "verb")); // its own line comes before theirs
        const int number = ++file_steps_;
        Begun step{number, place_of(data), title(number), holds};
        begun_.push_back(std::move(step));
        is_fixed_step_ = text_of(data, "verb") != "goal";
        if (holds) {
            print_progress("");
            print("    " + begun_.back().title);
        } else {
            print_progress(begun_.back().title + " ...");
        }
    } else if (type == "taskfile.output") {
        print_progress("");
        print(fmt::format("      {} = {}", text_of(data, "name"), text_of(data, "value")));
    } else if (type == "taskfile.step_finished") {
        is_fixed_step_ = false;
        print_progress("");
        const std::string status = text_of(data, "status");
        const bool has_begun = !begun_.empty() && begun_.back().place == place_of(data); // one whose `when` is not so has not
        const int number = has_begun ? begun_.back().number : ++file_steps_;
        if (has_begun) {
            begun_.pop_back();
        }
        if (has_begun && status == "passed" && holds_steps(text_of(data, "verb"))) {
            return; // told when it began, and by what lies within it
        }
        const auto failure = data.find("failure");
        const std::string place = fmt::format("{}:{}: ", std::filesystem::path(text_of(data, "file")).filename().string(), text_of(data, "line"));
        std::string why = failure != data.end() ? place + text_of(*failure, "message") : text_of(data, "note");
        for (std::size_t at = why.find('\n'); at != std::string::npos; at = why.find('\n', at + 1)) {
            why.insert(at + 1, "          ");
        }
        const std::string drift = count_drift(data);
        why += why.empty() || drift.empty() ? drift : "\n          " + drift;
        const std::string rung = data.contains("found") ? ", found by " + text_of(data["found"], "rung") : "";
        const char* const sign = status == "passed" ? "ok  " : status == "skipped" ? "--  " : data.value("optional", false) ? "opt " : "FAIL";
        print(fmt::format("{}{}  ({:.1f} s{}){}", sign, title(number), data.value("seconds", 0.0), rung, why.empty() ? "" : "\n          " + why));
    }
}

std::string EventPrinter::count_drift(const nlohmann::json& data) {
    const auto drift = data.find("drift");
    if (drift == data.end() || !drift->is_object()) {
        return "";
    }
    const int off_px = static_cast<int>(std::lround(std::hypot(drift->value("right", 0), drift->value("down", 0))));
    ++targets_;
    targets_moved_ += off_px > 0 ? 1 : 0;
    targets_found_otherwise_ += drift->contains("instead_of") ? 1 : 0;
    farthest_px_ = std::max(farthest_px_, off_px);
    const std::string text = text_of(*drift, "text");
    return text.empty() ? "" : "drift: " + text;
}

void EventPrinter::print_drift() const {
    if (targets_ == 0) {
        return;
    }
    const std::string moved = targets_moved_ == 0 ? fmt::format("all {} targets are where they were", targets_)
                                                  : fmt::format("{} of {} targets lie elsewhere, at most {} px away", targets_moved_, targets_, farthest_px_);
    print(fmt::format("drift: {}{}", moved, targets_found_otherwise_ == 0 ? "" : fmt::format("; {} found in another way than meant", targets_found_otherwise_)));
}

void EventPrinter::print_event(std::uint64_t seq, const std::string& t_wall, std::int64_t t_mono_ns,
                               const std::string& type, const std::string& data_json) {
    const nlohmann::json data = parse_json(data_json).value_or(nlohmann::json::object());
    if (json_) {
        print_json({{"session", session_}, {"seq", seq}, {"t_wall", t_wall}, {"t_mono_ns", t_mono_ns}, {"type", type}, {"data", data}});
        return;
    }
    const bool is_of_fixed_step = is_fixed_step_ && (type.starts_with("task.step") || type == "action.proposed");
    if (type.starts_with("taskfile.")) {
        print_file_step(type, data);
    } else if (is_of_fixed_step || (asks_itself_ && type == "approval.requested")) {
        return; // told once, by the step of the file and by whoever asks
    } else if (type == "task.step_started") {
        step_line_ = fmt::format("step {:>2}", text_of(data, "step"));
        print_progress(step_line_ + ": looking and thinking ...");
    } else if (type == "action.proposed") {
        step_line_ += "  " + text_of(data, "call");
        print_progress(step_line_);
    } else if (type == "task.step_finished") {
        print_progress("");
        print(fmt::format("{}  {} ({})", step_line_, text_of(data, "result"), text_of(data, "observation")));
    } else if (type == "approval.requested") {
        print_progress("");
        print(fmt::format("waiting for a person: {}; handeye approve {} yes, or no", text_of(data, "reason"), text_of(data, "approval")));
    } else if (type == "question.asked") {
        print_progress("");
        std::string choices;
        for (const nlohmann::json& choice : data.value("choices", nlohmann::json::array())) {
            choices += (choices.empty() ? " [" : ", ") + (choice.is_string() ? choice.get<std::string>() : "");
        }
        print(fmt::format("the task asks: {}{}{}; handeye answer {} TEXT", text_of(data, "text"), choices, choices.empty() ? "" : "]", text_of(data, "question")));
    } else if (type == "question.settled") {
        print_progress("");
        print(text_of(data, "state") == "answered" ? "answered by " + text_of(data, "by") : "nobody answered in time");
    } else if (type == "approval.expired") {
        print_progress("");
        const std::string why = text_of(data, "why");
        print(why == "target_changed" ? "the approval is void: the target changed" : why == "interrupted" ? "the approval is void: the task was interrupted" : "nobody said yes in time");
    } else if (type == "loop.suspected") {
        print_progress("");
        print("this looks like a loop: " + text_of(data, "message"));
    } else if (type == "task.finished") {
        print_drift();
    } else if (type == "budget.exceeded") {
        print_progress("");
        print(fmt::format("the limit of {} is reached: {}", text_of(data, "budget"), short_number(data, "limit")));
    }
}

} // namespace handeye::cli
