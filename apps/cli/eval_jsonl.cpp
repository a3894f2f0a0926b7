// SPDX-License-Identifier: Apache-2.0
// `handeye eval jsonl`: a file of questions asked of a model in batch, scored by a rule or by a judge.
#include "apps/batch/failures_page.h"
#include "apps/batch/outcome.h"
#include "apps/chat/dials.h"
#include "apps/cli/command.h"
#include "apps/cli/eval.h"
#include "apps/cli/model_choice.h"
#include "apps/kept/folder.h"
#include "apps/kept/line_log.h"
#include "apps/kept/settings.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;
using namespace batch;

constexpr const char* kSettingsFile = "run.json";
constexpr int kAtOnceMax = 16;
constexpr int kContextMax = 1 << 30;
constexpr chat::Dials kDials = [] {
    chat::Dials dials;
    dials.sampling.repetition_penalty = 1; // greedy and nothing else: what others can repeat
    dials.max_new_tokens = 16384;          // a thought of 8192 and an answer of as many, as the models' own script allows
    return dials;
}();

struct Options {
    std::string file;
    std::string out;
    std::string model;
    std::string judge;
    std::string judge_key_env;
    std::string rule = "exact";
    double tolerance = 0;
    std::vector<std::string> fields;
    std::string media_dir;
    std::string system;
    std::size_t limit = 0;
    bool shuffles = false;
    std::vector<std::pair<std::string, std::string>> dials; ///< name and value, as given
    bool thinks = false, thinks_not = false;
    ModelWish wish{.at_once = 8};
    RemoteSettings remote;
};

/// The model that answers, and the one that judges; the second is unset where it is the first.
struct Models {
    ModelChoice asked;
    std::optional<ModelChoice> judge;
};

Result<Models> choose_models(const Options& options) {
    if (!options.judge.empty() && options.rule != "judge") {
        return Error{ErrorCode::InvalidArgument, fmt::format("--judge {} judges nothing with --score {}: give --score judge, or leave --judge out", options.judge, options.rule)};
    }
    Models out{.asked = TRY(choose_model(options.model, options.wish, options.remote)), .judge = {}};
    if (!options.judge.empty() && wanted_model(options.judge) != wanted_model(options.model)) {
        RemoteSettings settings = options.remote; // a key is for the servers that it was given for, and for no others
        settings.api_key_env = options.judge_key_env;
        settings.api_key_file = out.asked.remote ? "" : settings.api_key_file;
        out.judge = TRY(choose_model(options.judge, options.wish, settings).with_context("--judge"));
    }
    return out;
}

class Evaluation {
public:
    Evaluation(const Options& options, Context context) : options_(options), context_(std::move(context)) {}

    Result<int> run() {
        rule_ = *find_rule(options_.rule); // CLI11 lets no other through
        TRY(read_request());
        TRY(read_file());
        Models models = TRY(choose_models(options_));
        files_ = TRY(FilesBeneath::open(options_.media_dir.empty() ? parent(options_.file) : std::filesystem::path(options_.media_dir)));
        folder_ = options_.out.empty() ? std::filesystem::path(options_.file).stem().string() + ".eval" : options_.out;
        TRY(open_folder(models));
        TRY(work(models));
        Outcome outcome = gather(models);
        TRY(write(outcome));
        tell(outcome);
        const bool is_whole = outcome.bad.empty() && outcome.unanswered.empty() && outcome.unjudged.empty();
        return is_whole ? 0 : 1;
    }

private:
    static std::filesystem::path parent(const std::filesystem::path& file) { return file.has_parent_path() ? file.parent_path() : "."; }

    static std::filesystem::path programs() {
        std::error_code problem;
        return std::filesystem::read_symlink("/proc/self/exe", problem).parent_path();
    }

    Result<void> read_request() {
        chat::Dials dials = kDials;
        for (const auto& [name, value] : options_.dials) {
            TRY(turn_dial(dials, name, value).with_context("--" + name));
        }
        dials.thinks = options_.thinks || options_.thinks_not ? std::optional(options_.thinks) : std::nullopt;
        put_dials(dials, form_);
        for (const std::string& rule : options_.fields) {
            TRY(names_.set(rule));
        }
        return {};
    }

    Result<void> read_file() {
        const References references = rule_ == Rule::None ? References::NotNeeded : References::Wanted;
        file_ = TRY(read_items(options_.file, names_, references));
        std::vector<const Item*> good;
        for (Item& item : file_.items) {
            if (item.system.empty()) {
                item.system = options_.system;
            }
            const Result<void> shows = check_marks(item);
            if (const Result<void> fits = shows ? check_references(item, score_options()) : shows; !fits) {
                file_.bad.push_back({item.line, fits.error().message});
            } else {
                good.push_back(&item);
            }
        }
        std::sort(file_.bad.begin(), file_.bad.end(), [](const BadLine& a, const BadLine& b) { return a.line < b.line; });
        if (good.empty()) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: none of its {} lines can be asked; line {}: {}", options_.file, file_.bad.size(), file_.bad.front().line, file_.bad.front().reason)};
        }
        if (options_.shuffles) {
            std::mt19937_64 random(form_.sampling.seed);
            for (std::size_t left = good.size(); left > 1; --left) { // the standard library's own order is another one elsewhere
                std::swap(good[left - 1], good[random() % left]);
            }
        }
        good.resize(options_.limit == 0 ? good.size() : std::min(options_.limit, good.size()));
        chosen_ = std::move(good);
        return {};
    }

    [[nodiscard]] ScoreOptions score_options() const { return {.rule = rule_, .tolerance = options_.tolerance}; }

    /// All that an answer depends on, and what it was given to.
    [[nodiscard]] json settings(const Models& models) const {
        const SamplingOptions& sampling = form_.sampling;
        json out{{"version", 1},
                 {"handeye", HANDEYE_VERSION},
                 {"file", file_.sha256},
                 {"model", models.asked.name},
                 {"fields", names_.said()},
                 {"media", files_->folder().string()},
                 {"system", options_.system},
                 {"max_new_tokens", form_.max_new_tokens},
                 {"thinking_budget", form_.thinking_budget.value_or(0)},
                 {"thinking", form_.enable_thinking ? json(*form_.enable_thinking) : json()},
                 {"temperature", sampling.temperature},
                 {"repetition_penalty", sampling.repetition_penalty}};
        if (sampling.temperature > 0) {
            out.update({{"top_p", sampling.top_p}, {"top_k", sampling.top_k}, {"min_p", sampling.min_p}, {"seed", sampling.seed}});
        }
        return out;
    }

    Result<void> open_folder(const Models& models) {
        TRY(kept::open_folder(folder_, kSettingsFile));
        TRY(kept::keep_settings(folder_ / kSettingsFile, settings(models)));
        kept::LineLog answers = TRY(kept::LineLog::open(folder_ / "answers.jsonl", [this](const json& line) { return take_answer(line); }));
        answers_log_ = std::make_unique<kept::LineLog>(std::move(answers));
        if (rule_ == Rule::Judge) {
            TRY(kept::keep_settings(folder_ / "judge.json", {{"judge", models.judge.value_or(models.asked).name}, {"judge's question", judge_version()}}));
            kept::LineLog judgements = TRY(kept::LineLog::open(folder_ / "judgements.jsonl", [this](const json& line) { return take_judgement(line); }));
            judgements_log_ = std::make_unique<kept::LineLog>(std::move(judgements));
        }
        return {};
    }

    Result<void> take_answer(const json& line) {
        Answer answer = TRY(answer_from(line));
        answers_.insert_or_assign(answer.line, std::move(answer));
        return {};
    }

    Result<void> take_judgement(const json& line) {
        Judgement judgement = TRY(judgement_from(line));
        judgements_.insert_or_assign(judgement.line, std::move(judgement));
        return {};
    }

    Result<void> work(const Models& models) {
        SystemClock clock;
        std::unique_ptr<ChatModel> model;
        std::vector<const Item*> todo;
        std::copy_if(chosen_.begin(), chosen_.end(), std::back_inserter(todo), [this](const Item* item) { return answers_.count(item->line) == 0; });
        if (!todo.empty()) {
            model = TRY(open_chosen_model(models.asked, clock, context_.stop));
            TRY(check_sight(*model));
            TRY(ask_all(*model, todo));
        }
        const std::vector<ToJudge> judged = to_judge();
        if (!judged.empty()) {
            if (models.judge || !model) {
                model.reset(); // two at a time may be more than the memory holds
                model = TRY(open_chosen_model(models.judge.value_or(models.asked), clock, context_.stop).with_context("the judge"));
            }
            TRY(judge_all(*model, judged));
        }
        return {};
    }

    Result<void> check_sight(const ChatModel& model) const {
        const auto shows = std::find_if(chosen_.begin(), chosen_.end(), [](const Item* item) { return !item->images.empty() || !item->video.empty(); });
        if (model.info().reads_pictures || shows == chosen_.end()) {
            return {};
        }
        return Error{ErrorCode::InvalidArgument, fmt::format("line {} shows a picture, and {} is a {} model of text alone; those that see have \"vision\" in `handeye models list`", (*shows)->line,
                                                             model.info().name, model.info().family)};
    }

    Result<void> ask_all(ChatModel& model, const std::vector<const Item*>& todo) {
        const auto start = std::chrono::steady_clock::now();
        const auto seconds = [start] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
        std::size_t right = 0;
        const auto show = [&] {
            const std::size_t done = asked_now_ + unanswered_.size();
            const double left = done == 0 ? 0 : seconds() / static_cast<double>(done) * static_cast<double>(todo.size() - done);
            const bool is_scored = rule_ != Rule::None && rule_ != Rule::Judge;
            print_progress(fmt::format("{} of {}{}{}{}", done, todo.size(), is_scored ? fmt::format(", {} right", right) : "", unanswered_.empty() ? "" : fmt::format(", {} could not be asked", unanswered_.size()),
                                       done == 0 ? "" : fmt::format(", {:.0f} min {:02.0f} s left", std::floor(left / 60), std::fmod(left, 60))));
        };
        show();
        const AskOptions how{.form = form_, .at_once = static_cast<std::size_t>(options_.wish.at_once), .programs = programs()};
        const Result<void> end = ask(
            model, todo, *files_, how,
            [&](const Item& item, const Answer& answer) -> Result<void> {
                TRY(answers_log_->add(to_json(answer, item)));
                ++asked_now_;
                right += score(item, read_answer(answer.text), score_options()).is_right ? 1 : 0;
                answers_.insert_or_assign(item.line, answer);
                show();
                return {};
            },
            [&](const Item& item, const Error& why) {
                unanswered_.push_back({item.line, why.message});
                show();
            },
            context_.stop);
        print_progress("");
        seconds_ = seconds();
        return end ? Result<void>() : told_where_it_stands(end.error());
    }

    Result<void> judge_all(ChatModel& model, const std::vector<ToJudge>& todo) {
        std::size_t done = 0;
        const auto show = [&] { print_progress(fmt::format("judging {} of {}", done, todo.size())); };
        show();
        const Result<void> end = judge(
            model, todo, static_cast<std::size_t>(options_.wish.at_once),
            [&](const Item& item, const Judgement& judgement) -> Result<void> {
                TRY(judgements_log_->add(to_json(judgement)));
                judgements_.insert_or_assign(item.line, judgement);
                ++done;
                show();
                return {};
            },
            [&](const Item& item, const Error& why) { unjudged_.push_back({item.line, why.message}); }, context_.stop);
        print_progress("");
        return end ? Result<void>() : told_where_it_stands(end.error());
    }

    [[nodiscard]] Error told_where_it_stands(const Error& error) const {
        const auto answered = std::count_if(chosen_.begin(), chosen_.end(), [this](const Item* item) { return answers_.count(item->line) > 0; });
        return {error.code, fmt::format("{}: {} of {} are answered and kept in {}; the same command goes on", error.message, answered, chosen_.size(), folder_.string())};
    }

    /// Answers without a verdict; one that never came needs no judge.
    [[nodiscard]] std::vector<ToJudge> to_judge() const {
        std::vector<ToJudge> out;
        for (const Item* const item : chosen_) {
            const auto answer = answers_.find(item->line);
            if (rule_ != Rule::Judge || answer == answers_.end() || judgements_.count(item->line) > 0) {
                continue;
            }
            const Reading reading = read_answer(answer->second.text);
            if (!reading.is_thought_open && !reading.answer.empty()) {
                out.push_back({item, reading.answer});
            }
        }
        return out;
    }

    [[nodiscard]] std::optional<Verdict> verdict_of(const Item& item, const Reading& reading) const {
        if (rule_ == Rule::None) {
            return std::nullopt;
        }
        if (rule_ != Rule::Judge || reading.is_thought_open || reading.answer.empty()) {
            return score(item, reading, score_options());
        }
        const auto judgement = judgements_.find(item.line);
        return judgement == judgements_.end() ? std::nullopt : std::optional(Verdict{.is_right = judgement->second.is_right, .read = reading.answer});
    }

    [[nodiscard]] Outcome gather(const Models& models) const {
        Outcome out{.file = options_.file, .model = models.asked.name, .rule = options_.rule, .judge = rule_ == Rule::Judge ? models.judge.value_or(models.asked).name : "", .chosen = chosen_.size(),
                    .answered = {}, .bad = file_.bad, .unanswered = unanswered_, .unjudged = unjudged_, .seconds = seconds_, .asked_now = asked_now_};
        std::vector<const Item*> in_order = chosen_;
        std::sort(in_order.begin(), in_order.end(), [](const Item* a, const Item* b) { return a->line < b->line; });
        for (const Item* const item : in_order) {
            const auto answer = answers_.find(item->line);
            if (answer == answers_.end()) {
                continue;
            }
            Reading reading = read_answer(answer->second.text);
            std::optional<Verdict> verdict = verdict_of(*item, reading);
            out.answered.push_back({.item = item, .answer = &answer->second, .reading = std::move(reading), .verdict = std::move(verdict)});
            const auto judgement = judgements_.find(item->line);
            out.judge_tokens += judgement == judgements_.end() ? 0 : judgement->second.tokens;
        }
        const auto by_line = [](const BadLine& a, const BadLine& b) { return a.line < b.line; };
        std::sort(out.unanswered.begin(), out.unanswered.end(), by_line);
        std::sort(out.unjudged.begin(), out.unjudged.end(), by_line);
        return out;
    }

    Result<void> write(const Outcome& outcome) const {
        std::string lines;
        for (const Scored& one : outcome.answered) {
            lines += dump(to_json(one)) + "\n";
        }
        TRY(write_file_atomic(folder_ / "results.jsonl", lines, 0600));
        TRY(write_file_atomic(folder_ / "results.json", dump(to_json(outcome)) + "\n", 0600));
        if (rule_ == Rule::None) {
            return {};
        }
        print_progress("writing failures.html");
        ItemMedia media(*files_, programs());
        const Result<std::string> page = failures_page(outcome, media, context_.stop);
        print_progress("");
        return page ? write_file_atomic(folder_ / "failures.html", *page, 0600) : page.error();
    }

    static std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

    void tell(const Outcome& outcome) const {
        if (context_.json) {
            json out = to_json(outcome);
            out["folder"] = folder_.string();
            print_json(out);
            return;
        }
        print(to_text(outcome));
        print(fmt::format("{:<10} {}{}", "kept in", folder_.string(), failures_of(outcome).empty() ? "" : fmt::format("; the failures with their pictures: {}", (folder_ / "failures.html").string())));
    }

    const Options& options_;
    Context context_;
    Rule rule_ = Rule::Exact;
    FieldNames names_;
    ChatRequest form_;
    ItemFile file_;
    std::vector<const Item*> chosen_; ///< in the order of asking
    std::optional<FilesBeneath> files_;
    std::filesystem::path folder_;
    std::unique_ptr<kept::LineLog> answers_log_, judgements_log_;
    std::map<std::size_t, Answer> answers_;         ///< by line
    std::map<std::size_t, Judgement> judgements_;   ///< by line
    std::vector<BadLine> unanswered_, unjudged_;
    std::size_t asked_now_ = 0;
    double seconds_ = 0;
};

} // namespace

Runner declare_eval_jsonl(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("FILE", options->file, "JSON lines: a question, pictures or a video, and what is right")->required();
    app.add_option("--out", options->out, "Folder of answers and results; what is answered there is not asked again (default: FILE's name with .eval, here)")->type_name("DIR");
    app.add_option("--model", options->model, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelOrServerHelp))->join(',');
    app.add_option("--score", options->rule, "What makes an answer right; none: nothing is scored")->check(CLI::IsMember(rule_names()))->capture_default_str();
    app.add_option("--tolerance", options->tolerance, "Of --score number: a share of the right number")->check(CLI::Range(0.0, 1.0))->capture_default_str();
    app.add_option("--judge", options->judge, "Model that judges, for --score judge (default: the one that answers)");
    app.add_option("--judge-key-env", options->judge_key_env, "Variable that holds the key of the judge's server, where it is another server than the model's")->type_name("NAME");
    app.add_option("--field", options->fields, fmt::format("OURS=THEIRS: what the file calls a field (repeatable). Looked for by themselves: {}", FieldNames().usual()))->allow_extra_args(false);
    app.add_option("--media-dir", options->media_dir, "Pictures and videos are files below this folder (default: FILE's)")->type_name("DIR");
    app.add_option("--system", options->system, "System prompt of items that have none");
    app.add_option("--limit", options->limit, "Items at most; 0: all")->capture_default_str();
    app.add_flag("--shuffle", options->shuffles, "Take them in an order of chance, that of --seed");
    app.add_option("--concurrency", options->wish.at_once, "Items that are asked at a time: a pass over the weights gives a token to each")->check(CLI::Range(1, kAtOnceMax))->capture_default_str();
    app.add_flag("--think", options->thinks, "Have the model think first, where its template can switch it");
    app.add_flag("--no-think", options->thinks_not, "Have it not think first")->excludes("--think");
    app.add_option("--max-model-len", options->wish.max_model_len, "Tokens of context that memory is taken for (default: what the model says, or less where memory is short)")->check(CLI::Range(1, kContextMax));
    app.add_option("--threads", options->wish.threads, "0: one per core")->check(CLI::Range(0, 1024));
    add_checksums_option(app, options->wish.skips_checksums);
    add_model_options(app, options->wish.extra);
    add_remote_options(app, options->remote);
    for (const chat::DialRow& row : chat::dial_rows()) {
        if (row.name == "dpi") {
            continue; // there are no pages here
        }
        std::string name = "--" + std::string(row.name);
        std::replace(name.begin(), name.end(), '_', '-');
        app.add_option_function<std::string>(name, [options, row](const std::string& value) { options->dials.emplace_back(row.name, value); },
                                             fmt::format("{} [{}]", row.help, dial_text(row, kDials)))->group("Dials");
    }
    app.footer("Examples: handeye eval jsonl questions.jsonl --model glm-4.1v-thinking --score number\n"
               "          handeye eval jsonl vqa.jsonl --field reference=gold --score judge --judge http://127.0.0.1:8000/v1\n"
               "          handeye eval jsonl clicks.jsonl --score click --limit 100 --shuffle --seed 7\n"
               "A line: {\"prompt\": \"How many cups?\", \"images\": [\"a.png\"], \"reference\": \"3\"}. Ctrl-C stops; the same command goes on.\n"
               "How answers are compared: docs/eval-jsonl.md");
    return [options](const Context& context) { return Evaluation(*options, context).run(); };
}

} // namespace handeye::cli
