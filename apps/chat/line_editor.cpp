// SPDX-License-Identifier: Apache-2.0
#include "apps/chat/line_editor.h"

#include "base/file.h"

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>

#include <fmt/format.h>
#include <histedit.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace handeye::chat {
namespace {

constexpr std::size_t kLineBytesMax = std::size_t{1} << 20U;
constexpr int kHistoryLines = 500;

/// Standard input, or the end of the program: whichever comes first.
class Input {
public:
    explicit Input(const std::stop_token& stop) : wake_(std::make_shared<FileDescriptor>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))), callback_(stop, Wake{wake_}) {}

    enum class Ready { Bytes, Stopped };
    Ready wait() const {
        std::array<pollfd, 2> both{{{STDIN_FILENO, POLLIN, 0}, {wake_->get(), POLLIN, 0}}};
        while (::poll(both.data(), both.size(), -1) < 0 && errno == EINTR) {
        }
        return both[1].revents != 0 ? Ready::Stopped : Ready::Bytes;
    }

private:
    struct Wake {
        std::shared_ptr<FileDescriptor> at;
        void operator()() const {
            const std::uint64_t one = 1;
            static_cast<void>(::write(at->get(), &one, sizeof one));
        }
    };
    std::shared_ptr<FileDescriptor> wake_;
    std::stop_callback<Wake> callback_;
};

class Editor {
public:
    explicit Editor(const std::stop_token& stop) : input_(stop), stop_(stop) {
        if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) {
            std::setlocale(LC_CTYPE, "C.UTF-8"); // a terminal of today, whatever the variables say
        }
        edit_ = el_init("handeye", stdin, stdout, stderr);
        history_ = history_init();
        HistEvent event;
        history(history_, &event, H_SETSIZE, kHistoryLines);
        history(history_, &event, H_SETUNIQUE, 1);
        el_set(edit_, EL_CLIENTDATA, this);
        el_set(edit_, EL_PROMPT, prompt_of);
        el_set(edit_, EL_EDITOR, "emacs");
        el_set(edit_, EL_SIGNAL, 1); // the size of the terminal
        el_set(edit_, EL_HIST, history, history_);
        el_set(edit_, EL_GETCFN, read_character);
        el_set(edit_, EL_ADDFN, "handeye-drop", "Drop the line", drop);
        el_set(edit_, EL_ADDFN, "handeye-complete", "Complete a file's name", _el_fn_complete);
        el_set(edit_, EL_SETTY, "-d", "-isig", nullptr); // Ctrl-C is a key while a line is typed
        el_set(edit_, EL_BIND, "^C", "handeye-drop", nullptr);
        el_set(edit_, EL_BIND, "^I", "handeye-complete", nullptr);
        el_set(edit_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
        el_set(edit_, EL_BIND, "^@", "em-delete-or-list", nullptr); // what Linux makes of a Ctrl-D that was typed while an answer was shown (n_tty: __DISABLED_CHAR)
    }
    ~Editor() {
        el_end(edit_);
        history_end(history_);
    }
    Editor(const Editor&) = delete;
    Editor& operator=(const Editor&) = delete;

    Result<std::optional<TypedLine>> next(const std::string& prompt) {
        prompt_ = prompt;
        is_dropped_ = false;
        int count = 0;
        el_set(edit_, EL_PREP_TERM, 1); // el_gets() does so after the prompt: a Ctrl-C or Ctrl-D in between would be the terminal's
        const char* const typed = el_gets(edit_, &count);
        if (is_dropped_ && !stop_.stop_requested()) {
            return std::optional(TypedLine{.is_dropped = true});
        }
        if (typed == nullptr || count <= 0 || stop_.stop_requested()) {
            std::fputs("\n", stdout);
            return std::optional<TypedLine>();
        }
        std::string text(typed, static_cast<std::size_t>(count));
        text.erase(text.find_last_not_of("\r\n") + 1);
        if (text.size() > kLineBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("a line of {} bytes; at most {} are taken", text.size(), kLineBytesMax)};
        }
        if (!text.empty()) {
            HistEvent event;
            history(history_, &event, H_ENTER, text.c_str());
        }
        return std::optional(TypedLine{std::move(text)});
    }

private:
    static Editor& of(EditLine* edit) {
        void* self = nullptr;
        el_get(edit, EL_CLIENTDATA, &self);
        return *static_cast<Editor*>(self);
    }
    static char* prompt_of(EditLine* edit) { return of(edit).prompt_.data(); }
    static unsigned char drop(EditLine* edit, int) {
        of(edit).is_dropped_ = true;
        std::fputs("^C\n", stdout);
        return CC_NEWLINE;
    }
    static int read_character(EditLine* edit, wchar_t* out) {
        Editor& self = of(edit);
        std::mbstate_t state{};
        for (;;) {
            char byte = 0;
            if (self.input_.wait() == Input::Ready::Stopped) {
                return 0;
            }
            const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                return static_cast<int>(got);
            }
            const std::size_t used = std::mbrtowc(out, &byte, 1, &state);
            if (used == static_cast<std::size_t>(-2)) {
                continue; // a part of a character
            }
            if (used == static_cast<std::size_t>(-1)) {
                *out = L'?';
            }
            return 1;
        }
    }

    Input input_;
    std::stop_token stop_;
    EditLine* edit_ = nullptr;
    History* history_ = nullptr;
    std::string prompt_;
    bool is_dropped_ = false;
};

class PlainLines {
public:
    explicit PlainLines(const std::stop_token& stop) : input_(stop) {}

    Result<std::optional<TypedLine>> next() {
        std::size_t end = 0;
        while ((end = held_.find('\n')) == std::string::npos) {
            if (held_.size() > kLineBytesMax) {
                return Error{ErrorCode::LimitExceeded, fmt::format("a line of more than {} bytes", kLineBytesMax)};
            }
            std::array<char, 4096> buffer{};
            const ssize_t got = input_.wait() == Input::Ready::Stopped ? 0 : ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (got < 0 && errno != EINTR) {
                return Error{ErrorCode::IoFailed, fmt::format("standard input cannot be read: {}", std::strerror(errno))};
            }
            if (got == 0) {
                std::string last = std::move(held_);
                held_.clear();
                return last.empty() ? std::optional<TypedLine>() : std::optional(TypedLine{std::move(last)});
            }
            held_.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        }
        std::string line = held_.substr(0, end);
        held_.erase(0, end + 1);
        line.erase(line.find_last_not_of('\r') + 1);
        return std::optional(TypedLine{std::move(line)});
    }

private:
    Input input_;
    std::string held_;
};

} // namespace

NextLine edited_lines(std::stop_token stop) {
    return [editor = std::make_shared<Editor>(stop)](const std::string& prompt) { return editor->next(prompt); };
}

NextLine plain_lines(std::stop_token stop) {
    return [lines = std::make_shared<PlainLines>(stop)](const std::string&) { return lines->next(); };
}

} // namespace handeye::chat
