// SPDX-License-Identifier: Apache-2.0
// A worker as handeye-engine is one, with a model that does what the request's text says: for tests of crashes and hangs.
#include "engine/engine_worker.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace handeye;

// "socket:1 ..." for each thing that the sandbox must refuse: 1 refused, 0 done.
std::string try_to_escape() {
    std::string said;
    const auto note = [&](const char* name, bool is_done) {
        said += fmt::format("{}:{} ", name, !is_done && (errno == EPERM || errno == EACCES) ? 1 : 0);
    };
    note("socket", ::socket(AF_INET, SOCK_STREAM, 0) >= 0);
    note("unix", ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    char word[] = "/bin/true";
    char* argv[] = {word, nullptr};
    note("exec", ::execv(word, argv) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0);
    }
    note("fork", child > 0);
    note("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
    note("mount", ::mount("none", "/tmp", "tmpfs", 0, nullptr) == 0);
    note("kill", ::kill(::getppid(), 0) == 0);
    note("write", ::open("/tmp/handeye-escape", O_WRONLY | O_CREAT, 0600) >= 0);
    note("rewrite", ::open("/dev/null", O_RDWR) >= 0);
    note("unlink", ::unlink("/tmp/handeye-escape") == 0);
    return said;
}

std::string describe_process() {
    std::string said;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        said += std::string(*variable) + "\n";
    }
    for (int fd = 0; fd < 256; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) {
            said += fmt::format("fd={}\n", fd);
        }
    }
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    said += fmt::format("core={}\nno_new_privs={}\ndumpable={}\nleads={}\n", core.rlim_cur, ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
                        ::prctl(PR_GET_DUMPABLE), ::getsid(0) == ::getpid());
    return said;
}

class ScriptedEngine final : public ChatModel {
public:
    explicit ScriptedEngine(std::filesystem::path folder) : folder_(std::move(folder)) {
        info_ = {.name = "scripted", .family = "none", .weight_format = "none", .prompt = "glm-4.1v", .parameters = 7,
                 .weights_bytes = 8, .context_tokens_max = 4096};
    }
    const ModelInfo& info() const override { return info_; }

    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override {
        const Message& message = request.messages.front();
        const auto* const text = std::get_if<TextPart>(&message.parts.front());
        const std::string wish = text != nullptr ? text->text_utf8 : "";
        Completion out;
        if (wish == "segfault") {
            on_text({"half an "});
            std::signal(SIGSEGV, SIG_DFL); // a sanitizer would turn the signal into an exit code
            std::raise(SIGSEGV);
        } else if (wish == "kill") {
            std::abort();
        } else if (wish == "freeze") {
            on_text({"half an "});
            std::raise(SIGSTOP);
        } else if (wish == "silent") {
            std::this_thread::sleep_until(std::chrono::steady_clock::time_point::max());
        } else if (wish == "endless") {
            while (!stop.stop_requested()) {
                on_text({"x"});
                out.text_utf8 += 'x';
                ++out.usage.completion_tokens;
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            out.stop_reason = StopReason::Cancelled;
            return out;
        } else if (wish == "fail") {
            return Error{ErrorCode::LimitExceeded, "a prompt too long"};
        } else if (wish == "escape") {
            out.text_utf8 = try_to_escape();
        } else if (wish == "describe") {
            out.text_utf8 = describe_process();
        } else if (wish == "hash") {
            for (const Part& part : message.parts) {
                if (const auto* const image = std::get_if<ImagePart>(&part)) {
                    out.text_utf8 += fmt::format("{} ", image->image.content_hash());
                } else if (const auto* const video = std::get_if<VideoPart>(&part)) {
                    for (const Image& frame : video->frames) {
                        out.text_utf8 += fmt::format("{} ", frame.content_hash());
                    }
                }
            }
        } else if (std::filesystem::exists(folder_ / "answer")) { // what a whole session is told; held while "hold" is there
            std::ifstream file(folder_ / "answer");
            std::getline(file, out.text_utf8);
            while (std::filesystem::exists(folder_ / "hold") && !stop.stop_requested()) {
                on_text({"x"});
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        } else {
            out.text_utf8 = "said: " + wish;
        }
        on_text({out.text_utf8});
        out.ids = {1, 2, 3};
        out.usage.prompt_tokens = 12;
        out.usage.completion_tokens = 3;
        out.usage.timings.decode = std::chrono::microseconds(5);
        return out;
    }

private:
    std::filesystem::path folder_;
    ModelInfo info_;
};

// The model's folder says how opening goes: its last name is the wish.
Result<std::unique_ptr<ChatModel>> open_scripted(const EngineOptions& options) {
    options.on_progress("weights", 0.5);
    const std::string wish = options.model_dir.filename().string();
    if (wish == "refuses") {
        return Error{ErrorCode::ParseFailed, "config.json: no such family"};
    }
    if (wish == "crashes") {
        std::raise(SIGSEGV);
    }
    if (std::filesystem::exists(options.model_dir / "gone")) {
        return Error{ErrorCode::NotFound, "the checkpoint is gone"};
    }
    return std::unique_ptr<ChatModel>(std::make_unique<ScriptedEngine>(options.model_dir));
}

} // namespace

int main(int argc, char** argv) {
    const bool has_device = argc == 5 && std::string_view(argv[3]) == "--device";
    if (has_device) { // a driver that takes its time
        const SignsOfLife beats(3, std::chrono::milliseconds(50));
        std::this_thread::sleep_for(std::chrono::seconds(2));
    }
    if (const auto inside = enter_engine_sandbox(has_device ? DriverFiles::Nvidia : DriverFiles::None); !inside) {
        return 4;
    }
    serve_engine(3, open_scripted);
}
