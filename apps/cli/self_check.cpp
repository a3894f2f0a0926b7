// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/self_check.h"

#include "apps/batch/asking.h"
#include "apps/batch/score.h"
#include "base/printable.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace handeye::cli {
namespace {

constexpr int kTokensMax = 256;
constexpr std::size_t kScreensMax = 200;
constexpr std::size_t kNamedMax = 5;
constexpr double kSecondsMax = 60; // a slow machine is told so, and not kept waiting

std::string name_of(const batch::Item& item) { return item.id.empty() ? fmt::format("line {}", item.line) : item.id; }

ScreenCheck judged(const batch::Item& item, const batch::Answer& answer) {
    const batch::Verdict verdict = score(item, batch::read_answer(answer.text), {.rule = batch::Rule::Click});
    return {.name = name_of(item), .pass = verdict.is_right, .said = verdict.read.empty() ? "no click" : verdict.read, .box = fmt::format("[{}]", fmt::join(item.references, ", ")), .seconds = answer.seconds};
}

} // namespace

std::size_t SelfCheck::passed() const {
    return static_cast<std::size_t>(std::count_if(screens.begin(), screens.end(), [](const ScreenCheck& screen) { return screen.pass; }));
}

double SelfCheck::seconds() const {
    return std::accumulate(screens.begin(), screens.end(), 0.0, [](double sum, const ScreenCheck& screen) { return sum + screen.seconds; });
}

Result<SelfCheck> check_screens(ChatModel& model, const std::filesystem::path& checkpoint, const std::stop_token& stop) {
    const std::filesystem::path folder = checkpoint / "eval" / "selfcheck";
    SelfCheck out;
    std::error_code problem;
    if (!std::filesystem::exists(folder / "screens.jsonl", problem)) {
        return out;
    }
    const batch::ItemFile file = TRY(batch::read_items(folder / "screens.jsonl", {}, batch::References::Wanted));
    std::vector<const batch::Item*> items;
    for (const batch::Item& item : file.items) {
        TRY(check_references(item, {.rule = batch::Rule::Click}).with_context(fmt::format("{} line {}", (folder / "screens.jsonl").string(), item.line)));
        items.push_back(&item);
    }
    if (!file.bad.empty() || items.size() > kScreensMax) {
        return Error{ErrorCode::ParseFailed, file.bad.empty() ? fmt::format("{} has {} screens; at most {} are asked", (folder / "screens.jsonl").string(), items.size(), kScreensMax)
                                                              : fmt::format("{} line {}: {}", (folder / "screens.jsonl").string(), file.bad.front().line, file.bad.front().reason)};
    }
    const FilesBeneath files = TRY(FilesBeneath::open(folder));
    batch::AskOptions how{.form = {}, .at_once = 1, .programs = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path()};
    how.form.max_new_tokens = kTokensMax;
    out.wanted = items.size();
    bool is_late = false;
    const Result<void> asked = batch::ask(
        model, items, files, how,
        [&](const batch::Item& item, const batch::Answer& answer) -> Result<void> {
            out.screens.push_back(judged(item, answer));
            is_late = out.seconds() > kSecondsMax && out.screens.size() < items.size();
            return is_late ? Result<void>(Error{ErrorCode::DeadlineExceeded, "slow"}) : Result<void>();
        },
        [&](const batch::Item& item, const Error& why) { out.screens.push_back({.name = name_of(item), .said = why.message, .box = fmt::format("[{}]", fmt::join(item.references, ", "))}); }, stop);
    return asked || is_late ? Result<SelfCheck>(std::move(out)) : asked.error();
}

std::string to_text(const SelfCheck& check, bool is_changed) {
    if (check.screens.empty()) {
        return "no screens beside this model";
    }
    const auto [fastest, slowest] = std::minmax_element(check.screens.begin(), check.screens.end(), [](const ScreenCheck& a, const ScreenCheck& b) { return a.seconds < b.seconds; });
    std::string out = fmt::format("{} of {} screens are clicked where they must be, {:.2f} s each ({:.2f} to {:.2f})", check.passed(), check.screens.size(),
                                  check.seconds() / static_cast<double>(check.screens.size()), fastest->seconds, slowest->seconds);
    if (check.screens.size() < check.wanted) {
        out += fmt::format("; {} more were left out after {:.0f} s", check.wanted - check.screens.size(), check.seconds());
    }
    std::size_t named = 0;
    for (const ScreenCheck& screen : check.screens) {
        if (!screen.pass && named++ < kNamedMax) {
            out += fmt::format("{} {}: {} instead of within {}", named == 1 ? ";" : ",", printable_line(screen.name), printable_line(screen.said), printable_line(screen.box));
        }
    }
    const std::size_t failed = check.screens.size() - check.passed();
    out += failed > kNamedMax ? fmt::format(" and {} more", failed - kNamedMax) : "";
    if (failed > 0 && is_changed) {
        out += ". A bundled model as it was trained answers all of its screens: the others are what packing or the adapter costs";
    } else if (failed > 0) {
        out += ". A bundled model answers all of its screens: its files are damaged, or this build or its kernels for this CPU compute something else";
    }
    return out;
}

} // namespace handeye::cli
