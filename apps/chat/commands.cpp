// SPDX-License-Identifier: Apache-2.0
// The lines that begin with '/': one row each.
#include "apps/chat/session.h"
#include "base/command_line.h"
#include "base/file.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::chat {

struct Commands {
    using Next = Session::Next; // a friend sees it
    struct Row {
        std::string_view name;
        std::string_view takes;
        std::string_view help;
        Result<Next> (*run)(Session& session, const std::string& rest);
    };
    static const std::vector<Row>& rows();

    static void say(const Session& session, const std::string& text) {
        if (session.options_.is_interactive) {
            fmt::print("{}\n", printable(text));
            std::fflush(stdout);
        }
    }

    /// A name as a shell would read it: quotes, "~/".
    static Result<std::string> one_file(std::string_view command, const std::string& rest) {
        const auto words = rest.empty() ? Result<std::vector<std::string>>(std::vector<std::string>{}) : split_command(rest);
        std::error_code problem;
        if (std::filesystem::exists(rest, problem)) { // blanks and all
            return rest;
        }
        if (!words || words->size() != 1) {
            return Error{ErrorCode::InvalidArgument, words ? fmt::format("/{0} takes one file: /{0} FILE", command) : words.error().message};
        }
        const char* const home = std::getenv("HOME");
        const std::string& word = words->front();
        return word.starts_with("~/") && home != nullptr ? home + word.substr(1) : word;
    }

    enum class Wanted { Anything, Picture, Film };
    static Result<Next> attach(Session& session, std::string_view command, const std::string& rest, Wanted wanted) {
        const std::string name = TRY(one_file(command, rest));
        if (wanted != Wanted::Anything) {
            const std::string first = TRY(read_beginning(name));
            const MediaKind kind = TRY(media_kind(first, name));
            const bool may_be_either = first.starts_with("GIF8") || first.starts_with("II*") || first.starts_with("MM");
            if ((kind == MediaKind::Picture) != (wanted == Wanted::Picture) && !may_be_either) {
                return Error{ErrorCode::InvalidArgument, fmt::format("{} is no {}; /file takes it as what it is", name, wanted == Wanted::Picture ? "picture" : "video")};
            }
        }
        TRY(session.attach(name));
        return Next::Line;
    }
    static Result<std::string> read_beginning(const std::string& name) {
        std::unique_ptr<FILE, int (*)(FILE*)> file(std::filesystem::is_regular_file(name) ? std::fopen(name.c_str(), "rbe") : nullptr, &std::fclose);
        if (!file) {
            return Error{ErrorCode::NotFound, fmt::format("there is no file {}", name)};
        }
        std::string first(512, '\0');
        first.resize(std::fread(first.data(), 1, first.size(), file.get()));
        return first.empty() ? Result<std::string>(Error{ErrorCode::ParseFailed, fmt::format("{} is empty", name)}) : Result<std::string>(first);
    }

    static Result<Next> clear(Session& session, const std::string&) {
        session.conversation_.clear();
        session.tell("A new conversation.");
        return Next::Line;
    }
    static Result<Next> undo(Session& session, const std::string&) {
        if (!session.conversation_.undo()) {
            return Error{ErrorCode::InvalidArgument, "nothing was asked that could be taken back"};
        }
        session.tell(fmt::format("Taken back; {} turn{} left.", session.conversation_.turns().size(), session.conversation_.turns().size() == 1 ? " is" : "s are"));
        return Next::Line;
    }
    static Result<Next> system(Session& session, const std::string& rest) {
        if (!rest.empty()) {
            session.conversation_.set_system(rest == "-" ? "" : rest);
        }
        say(session, session.conversation_.system().empty() ? "There is no system prompt." : session.conversation_.system());
        return Next::Line;
    }
    static Result<Next> think(Session& session, const std::string& rest) {
        std::optional<bool>& thinks = session.options_.dials.thinks;
        if (!rest.empty() && rest != "on" && rest != "off") {
            return Error{ErrorCode::InvalidArgument, fmt::format("/think {}: on or off", rest)};
        }
        thinks = rest.empty() ? thinks : std::optional(rest == "on");
        session.tell(!thinks ? "Thinking: as the model does by itself." : fmt::format("Thinking: {}, where the model's template can switch it.", *thinks ? "on" : "off"));
        return Next::Line;
    }
    static Result<Next> set(Session& session, const std::string& rest) {
        Dials& dials = session.options_.dials;
        const std::size_t blank = rest.find(' ');
        if (!rest.empty()) {
            TRY(turn_dial(dials, rest.substr(0, blank), blank == std::string::npos ? "" : rest.substr(rest.find_first_not_of(' ', blank))));
        }
        for (const DialRow& row : dial_rows()) {
            if (rest.empty() || rest.substr(0, blank) == row.name) {
                say(session, fmt::format("{:20} {:10} {}", row.name, dial_text(row, dials), row.help));
            }
        }
        return Next::Line;
    }
    static Result<Next> save(Session& session, const std::string& rest) {
        const std::string name = TRY(one_file("save", rest));
        std::error_code problem;
        if (std::filesystem::exists(name, problem)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is there already and is not written over", name)};
        }
        TRY(write_file_atomic(name, dump_json(session.conversation_.to_json()) + "\n", 0600));
        session.tell(fmt::format("{} turns are in {}.", session.conversation_.turns().size(), name));
        return Next::Line;
    }
    static Result<Next> help(Session& session, const std::string&) {
        for (const Row& row : rows()) {
            say(session, fmt::format("/{:22} {}", fmt::format("{} {}", row.name, row.takes), row.help));
        }
        say(session, "\"\"\" begins several lines, and ends them; //text sends \"/text\". Ctrl-C stops an answer or drops a line, Ctrl-D ends.");
        return Next::Line;
    }
};

const std::vector<Commands::Row>& Commands::rows() {
    static const std::vector<Row> rows{
        {"image", "FILE", "Show a picture with the next question: PNG, JPEG, WebP, BMP, GIF, TIFF", [](Session& s, const std::string& r) { return attach(s, "image", r, Wanted::Picture); }},
        {"video", "FILE", "Show a video: 2 frames of each second", [](Session& s, const std::string& r) { return attach(s, "video", r, Wanted::Film); }},
        {"file", "FILE[#3-7,9]", "Show any of these, or pages of a PDF, a presentation or a document", [](Session& s, const std::string& r) { return attach(s, "file", r, Wanted::Anything); }},
        {"undo", "", "Take the last question and its answer back", undo},
        {"clear", "", "Begin a new conversation", clear},
        {"system", "TEXT", "Set the system prompt from now on; - takes it away, nothing shows it", system},
        {"think", "on|off", "Whether the model thinks first, where its template can switch it", think},
        {"set", "NAME VALUE", "Turn a dial (temperature, top_p, seed, ...); nothing shows all", set},
        {"save", "FILE", "Write the conversation as JSON", save},
        {"help", "", "Show this", help},
        {"exit", "", "End", [](Session&, const std::string&) -> Result<Next> { return Next::End; }},
    };
    return rows;
}

Result<Session::Next> Session::command(const std::string& line) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string name = line.substr(1, end - 1);
    const std::size_t begin = std::min(line.find_first_not_of(" \t", end), line.size());
    const std::string rest = line.substr(begin, line.find_last_not_of(" \t") + 1 - begin);
    const auto row = std::find_if(Commands::rows().begin(), Commands::rows().end(), [&](const Commands::Row& r) { return r.name == name || (r.name == "exit" && name == "quit"); });
    if (row != Commands::rows().end()) {
        return row->run(*this, rest);
    }
    std::vector<std::string_view> names;
    std::transform(Commands::rows().begin(), Commands::rows().end(), std::back_inserter(names), [](const Commands::Row& r) { return r.name; });
    return Error{ErrorCode::InvalidArgument, fmt::format("there is no /{}; {}; //{} would be a question", name, suggestion(name, "commands", names), name)};
}

} // namespace handeye::chat
