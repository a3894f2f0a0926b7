// SPDX-License-Identifier: Apache-2.0
#include "apps/chat/session.h"

#include "apps/cli/command.h"
#include "base/printable.h"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::chat {
namespace {

constexpr std::string_view kBlock = "\"\"\"";
constexpr std::size_t kBlockBytesMax = std::size_t{4} << 20U;

std::string short_name(const std::string& name) { return std::filesystem::path(name).filename().string(); }

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t") == std::string_view::npos; }

} // namespace

Session::Session(SessionOptions options, const std::filesystem::path& programs, std::stop_token stop)
    : options_(std::move(options)), loader_(programs), stop_(std::move(stop)) {
    conversation_.set_system(options_.system);
}

// About the conversation, not of it.
void Session::tell(std::string_view text) const {
    if (options_.is_interactive) {
        fmt::print("{}\n", dimmed(text, options_.style));
        std::fflush(stdout);
    }
}

std::stop_token Session::begin_work() {
    const std::lock_guard lock(mutex_);
    return work_.emplace().get_token();
}

void Session::end_work() {
    const std::lock_guard lock(mutex_);
    work_.reset();
}

bool Session::interrupt() {
    const std::lock_guard lock(mutex_);
    if (work_) {
        work_->request_stop();
    }
    return work_.has_value();
}

Result<void> Session::check_sight(const std::string& name) const {
    if (model_ == nullptr || model_->info().reads_pictures) {
        return {};
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("{}: {} is a {} model of text alone, which is shown no pictures, videos or pages; those that are have \"vision\" in `handeye models list`", name, model_->info().name, model_->info().family)};
}

Result<void> Session::set_model(ChatModel& model) {
    model_ = &model;
    return conversation_.waiting().empty() ? Result<void>() : check_sight(conversation_.waiting().front().caption);
}

Result<void> Session::attach(const std::string& name) {
    TRY(check_sight(name));
    if (const auto& waiting = conversation_.waiting(); conversation_.pictures_left() == 0) { // before a file is read in vain
        return Error{ErrorCode::LimitExceeded, fmt::format("{} would be picture {}: a conversation takes at most {} pictures{}", name, kPicturesMax + 1, kPicturesMax, waiting.empty() ? "; /clear begins another" : "")};
    }
    const std::stop_token work = begin_work();
    const std::stop_callback program_ends(stop_, [this] { interrupt(); });
    const LoadOptions wish{.dpi = options_.dials.dpi, .pictures_max = conversation_.pictures_left(), .bytes_max = conversation_.bytes_left(),
                           .on_progress = [&](double share) { cli::print_progress(fmt::format("reading {} {:.0f} %", short_name(name), share * 100)); }};
    Result<LoadedMedia> media = loader_.load(name, wish, work);
    end_work();
    cli::print_progress("");
    if (!media) {
        return media.error();
    }
    const std::string caption = media->caption;
    TRY(conversation_.attach(std::move(*media)));
    tell(caption);
    return {};
}

Result<void> Session::ask(const std::string& question) {
    ChatRequest request{.messages = conversation_.messages(question)};
    put_dials(options_.dials, request);
    AnswerView view(options_.style);
    const std::stop_token work = begin_work();
    const std::stop_callback program_ends(stop_, [this] { interrupt(); });
    if (!options_.is_json) {
        cli::print_progress(conversation_.waiting().empty() ? "..." : "looking ...");
    }
    const auto show = [&](std::string_view text) {
        if (!options_.is_json) {
            if (!view.has_begun()) {
                cli::print_progress("");
            }
            view.put(text);
        }
    };
    Result<Completion> completion = model_->generate(request, show, work);
    end_work();
    if (!view.has_begun()) { // otherwise it would take the answer's last line
        cli::print_progress("");
    }
    if (!options_.is_json) {
        view.end();
    }
    if (!completion) {
        return completion.error();
    }
    const Spoken spoken = take_apart(completion->text_utf8);
    tell_answer(question, *completion, spoken);
    if (!conversation_.keep(question, spoken)) {
        has_fallen_short_ = true;
        const std::string why = fmt::format("it came to no answer ({}): the question is not kept", stop_reason_name(completion->stop_reason));
        if (!options_.is_interactive && !options_.is_json) {
            fmt::print(stderr, "handeye: {}\n", why);
        }
        tell(why);
    }
    return {};
}

void Session::tell_answer(const std::string& question, const Completion& completion, const Spoken& spoken) {
    if (!options_.is_json) {
        tell(usage_line(completion));
        return;
    }
    nlohmann::json shown = nlohmann::json::array();
    for (const LoadedMedia& media : conversation_.waiting()) {
        shown.push_back(media.caption);
    }
    const Usage& usage = completion.usage;
    cli::print_json({{"turn", ++turns_told_}, {"shown", shown}, {"question", question}, {"thought", spoken.thought}, {"answer", spoken.answer}, {"text", completion.text_utf8},
                     {"ids", completion.ids}, {"stop_reason", stop_reason_name(completion.stop_reason)},
                     {"usage", {{"prompt_tokens", usage.prompt_tokens}, {"image_tokens", usage.image_tokens}, {"completion_tokens", usage.completion_tokens},
                                {"reused_tokens", usage.reused_tokens}, {"thinking_forced_close", usage.thinking_forced_close},
                                {"decode_seconds", std::chrono::duration<double>(usage.timings.decode).count()}}}});
}

// The lines after one that begins with """, up to one that ends with it; nullopt: they ended before, or were dropped.
Result<std::optional<std::string>> Session::rest_of_block(std::string first, const NextLine& next_line) const {
    std::string block = first.substr(kBlock.size());
    bool is_first = true;
    for (;;) {
        if (block.ends_with(kBlock)) {
            block.erase(block.size() - kBlock.size());
            return std::optional(std::move(block));
        }
        const std::optional<TypedLine> line = TRY(next_line(". "));
        if (!line || line->is_dropped) {
            return !line && !options_.is_interactive ? Result<std::optional<std::string>>(Error{ErrorCode::ParseFailed, "the lines end within a block: \"\"\" closes it"}) : std::optional<std::string>();
        }
        block += (is_first && block.empty() ? "" : "\n") + line->text;
        is_first = false;
        if (block.size() > kBlockBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("a block of more than {} bytes", kBlockBytesMax)};
        }
    }
}

Result<Session::Next> Session::take(const std::string& line) {
    if (is_blank(line)) {
        return Next::Line;
    }
    if (line[0] == '/' && !line.starts_with("//")) {
        return command(line);
    }
    TRY(ask(line.starts_with("//") ? line.substr(1) : line));
    return Next::Line;
}

Result<void> Session::run(const NextLine& next_line) {
    while (!stop_.stop_requested()) {
        const std::optional<TypedLine> typed = TRY(next_line("> "));
        if (!typed) {
            break;
        }
        if (typed->is_dropped) {
            tell("Ctrl-D ends, /help shows what there is.");
            continue;
        }
        const bool is_block = typed->text.starts_with(kBlock);
        const auto block = is_block ? rest_of_block(typed->text, next_line) : Result<std::optional<std::string>>(std::optional<std::string>());
        const Result<Next> next = !block ? Result<Next>(block.error()) : !is_block ? take(typed->text) : *block ? [&]() -> Result<Next> {
            TRY(ask(**block));
            return Next::Line;
        }()
                                                                                                               : Result<Next>(Next::Line);
        if (!next && !options_.is_interactive) {
            return next.error();
        }
        if (!next) {
            fmt::print(stderr, "handeye: {}\n", printable(next.error().message));
        } else if (*next == Next::End) {
            break;
        }
    }
    return stop_.stop_requested() && !options_.is_interactive ? Result<void>(Error{ErrorCode::Cancelled, "stopped"}) : Result<void>();
}

} // namespace handeye::chat
