// SPDX-License-Identifier: Apache-2.0
// The supervisor: one thread that owns the worker process, listens to it, and starts it again when it is lost.
#include "engine/engine_process.h"

#include "base/json.h"
#include "engine/process/channel.h"
#include "base/child_process.h"
#include "engine/weights/checksums.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr JsonLimits kHeadLimits{.bytes_max = wire::kFromWorker.head_bytes_max, .depth_max = 16};
constexpr Duration kLookInterval = std::chrono::milliseconds(500);

TimePoint now() { return std::chrono::steady_clock::now(); }

// On this side of the sandbox, where the cache can be written.
Result<void> compare_checksums(const EngineOptions& engine) {
    if (engine.checksums == Checksums::Verify) {
        TRY(verify_checksums(engine.model_dir, checksum_cache(), engine.on_progress));
        for (const std::filesystem::path& adapter : engine.adapters) {
            TRY(verify_checksums(adapter, checksum_cache(), engine.on_progress));
        }
    }
    return {};
}

json names_of(const std::vector<std::filesystem::path>& paths) {
    json names = json::array();
    for (const std::filesystem::path& path : paths) {
        names.push_back(path.string());
    }
    return names;
}

class Supervisor final : public EngineProcess {
public:
    explicit Supervisor(EngineProcessOptions options) : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC)) {}
    ~Supervisor() override {
        {
            const std::lock_guard lock(mutex_);
            is_ending_ = true;
        }
        changed_.notify_all();
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    Result<void> open();
    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override;
    Result<TokenizedPrompt> tokenize(const ChatRequest& request) override;
    const ModelInfo& info() const override { return info_; }
    EngineLoad load() const override {
        const std::lock_guard lock(mutex_);
        return load_;
    }
    EngineProcessStatus status() const override {
        const std::lock_guard lock(mutex_);
        return status_;
    }

private:
    struct Call {
        std::deque<json> inbox;
        std::string lost; // why; not empty: over
        std::vector<TokenLogprobs> logprobs; // of all pieces
    };
    using Line = std::shared_ptr<FileDescriptor>; // to the worker; kept open by whoever still writes

    void run();
    void serve_one_worker();
    /// Until the worker is lost: why. Empty when this object ends.
    std::string listen(int socket);
    std::string take(const json& head);
    void on_ready(const json& head);
    void on_lost(const std::string& why);
    [[nodiscard]] std::string silence() const;

    Result<Line> wait_ready(std::unique_lock<std::mutex>& lock, const std::stop_token& stop);
    Result<json> ask(std::string_view type, const ChatRequest& request, Call& call, const OnText& on_text, const std::stop_token& stop);
    Result<json> exchange(std::uint64_t id, Call& call, const Line& line, const wire::EncodedRequest& request, const OnText& on_text,
                          const std::stop_token& stop);
    static Result<void> take_piece(const json& head, Call& call, const OnText& on_text);

    const EngineProcessOptions options_;
    const FileDescriptor wake_;
    ModelInfo info_; // set once, before open() returns
    std::mutex send_mutex_; // held while a packet of a call goes out; never together with mutex_
    mutable std::mutex mutex_; // guards the rest
    std::condition_variable_any changed_;
    EngineProcessStatus status_;
    std::optional<Error> open_error_;
    bool is_opened_ = false;
    bool is_ending_ = false;
    Line line_;         // set while the worker is ready
    Line pending_line_; // of a worker that is not yet
    std::map<std::uint64_t, Call*> calls_; // that the worker has been asked
    TimePoint last_word_{};                // of any of them
    EngineLoad load_;
    std::uint64_t next_id_ = 1;
    Duration pause_{};     // before the next start
    TimePoint lost_at_{};
    TimePoint last_beat_{}; // the supervisor thread's
    std::thread thread_;
};

Result<void> Supervisor::open() {
    pause_ = options_.restart_pause_first;
    thread_ = std::thread([this] { run(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_opened_ || open_error_; });
    if (open_error_) {
        return *open_error_;
    }
    return {};
}

void Supervisor::run() {
    for (;;) {
        serve_one_worker();
        std::unique_lock lock(mutex_);
        if (is_ending_ || !is_opened_) { // the first start is the caller's to repeat
            return;
        }
        changed_.wait_for(lock, pause_, [this] { return is_ending_; });
        if (is_ending_) {
            return;
        }
        pause_ = std::min(pause_ * 2, options_.restart_pause_max);
    }
}

void Supervisor::serve_one_worker() {
    if (is_opened_) { // the files may be others by now; open_engine_process() has compared them before the first start
        if (const auto same = compare_checksums(options_.engine); !same) {
            on_lost(same.error().message);
            return;
        }
    }
    // A device is opened before the process shuts itself in, and so before it hears of anything else.
    const std::string& device = options_.engine.device;
    auto child = Child::start(options_.program, device == "cpu" ? std::vector<std::string>() : std::vector<std::string>{"--device", device});
    if (!child) {
        on_lost(child.error().message);
        return;
    }
    const int socket = (*child)->socket()->get();
    const auto patience = std::chrono::duration_cast<std::chrono::seconds>(options_.beat_timeout).count();
    const timeval half_packet{.tv_sec = std::max<std::int64_t>(1, patience), .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &half_packet, sizeof half_packet);
    {
        const std::lock_guard lock(mutex_);
        status_.pid = (*child)->pid();
    }
    last_beat_ = now();
    const EngineOptions& engine = options_.engine;
    const auto beat_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.beat_interval).count();
    const json open{{"type", "open"},
                    {"model_dir", engine.model_dir.string()},
                    {"threads", engine.threads},
                    {"context_tokens", engine.context_tokens},
                    {"adapters", names_of(engine.adapters)},
                    {"quantize", static_cast<int>(engine.quantize)},
                    {"kv_format", static_cast<int>(engine.kv_format)},
                    {"sequences_max", engine.sequences_max},
                    {"waiting_max", engine.waiting_max},
                    {"guesses", engine.guesses},
                    {"gpu_memory_bytes", engine.gpu_memory_bytes},
                    {"exact", engine.exact},
                    {"beat_ms", beat_ms}};
    std::string why = "it does not listen";
    if (wire::send_packet(socket, dump_json(open))) {
        {
            const std::lock_guard lock(mutex_);
            pending_line_ = (*child)->socket();
        }
        why = listen(socket);
    }
    if (why.empty()) {
        return; // this object ends, and the child with it
    }
    const std::string how = (*child)->reap();
    on_lost(why == "gone" ? fmt::format("the engine process was {}", how) : fmt::format("the engine process: {}; {}", why, how));
}

std::string Supervisor::silence() const {
    if (now() - last_beat_ > options_.beat_timeout) {
        return fmt::format("no sign of life for {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(options_.beat_timeout).count());
    }
    const std::lock_guard lock(mutex_);
    if (!calls_.empty() && now() - last_word_ > options_.silence_max) {
        return fmt::format("no token for {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(options_.silence_max).count());
    }
    return "";
}

std::string Supervisor::listen(int socket) {
    const Duration look = std::min({kLookInterval, options_.beat_timeout / 4, options_.silence_max / 4});
    const int look_ms = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(look).count()) + 1;
    for (;;) {
        std::array<pollfd, 2> waits{{{socket, POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
        ::poll(waits.data(), waits.size(), look_ms);
        if (waits[1].revents != 0) {
            return "";
        }
        if (waits[0].revents != 0) {
            auto packet = wire::receive_packet(socket, wire::kFromWorker);
            if (!packet) {
                return packet.error().code == ErrorCode::EngineLost ? "gone" : packet.error().message;
            }
            auto head = parse_json(packet->head_json, kHeadLimits);
            if (!head || !head->is_object()) {
                return "it said what is no message";
            }
            last_beat_ = now();
            if (std::string fault = take(*head); !fault.empty()) {
                return fault;
            }
        }
        if (std::string fault = silence(); !fault.empty()) {
            return fault;
        }
    }
}

// One message; not empty: why the worker cannot be trusted any more.
std::string Supervisor::take(const json& head) {
    try {
        const std::string type = head.at("type").get<std::string>();
        if (head.contains("load")) {
            auto load = wire::decode_load(head.at("load"));
            if (!load) {
                return load.error().message;
            }
            const std::lock_guard lock(mutex_);
            load_ = *load;
        }
        if (type == "alive") {
            return "";
        }
        if (type == "progress") {
            if (options_.engine.on_progress) {
                options_.engine.on_progress(head.at("stage").get<std::string>(), head.at("share").get<double>());
            }
            return "";
        }
        if (type == "ready") {
            on_ready(head.at("info"));
            return "";
        }
        const std::lock_guard lock(mutex_);
        if (type == "failed") {
            const Error error = wire::decode_error(head.at("error"));
            if (!is_opened_) {
                open_error_ = error;
            }
            return error.message;
        }
        if (type != "text" && type != "done" && type != "error") {
            return "it said what is no message";
        }
        if (const auto call = calls_.find(head.at("id").get<std::uint64_t>()); call != calls_.end()) {
            call->second->inbox.push_back(head);
            last_word_ = now();
            changed_.notify_all();
        }
        return "";
    } catch (const json::exception& problem) {
        return problem.what();
    }
}

void Supervisor::on_ready(const json& head) {
    auto info = wire::decode_info(head);
    std::optional<EngineEvent> event;
    {
        const std::lock_guard lock(mutex_);
        if (is_opened_) {
            ++status_.restarts;
            const auto away = std::chrono::duration_cast<std::chrono::milliseconds>(now() - lost_at_).count();
            event = EngineEvent{EngineEvent::Kind::Restarted, fmt::format("the engine is back after {} ms", away)};
        } else if (info) {
            info_ = *std::move(info);
        } else {
            open_error_ = info.error();
        }
        is_opened_ = !open_error_;
        status_.is_ready = true;
        line_ = pending_line_;
    }
    changed_.notify_all();
    if (event && options_.on_event) {
        options_.on_event(*event);
    }
}

void Supervisor::on_lost(const std::string& why) {
    bool was_opened = false;
    {
        const std::lock_guard lock(mutex_);
        was_opened = is_opened_;
        status_.is_ready = false;
        status_.pid = -1;
        status_.last_loss = why;
        lost_at_ = now();
        line_.reset();
        pending_line_.reset();
        for (const auto& [id, call] : calls_) {
            call->lost = why;
        }
        load_ = {};
        if (!was_opened && !open_error_) {
            open_error_ = Error{ErrorCode::EngineLost, why};
        }
    }
    changed_.notify_all();
    if (was_opened && options_.on_event) {
        options_.on_event({EngineEvent::Kind::Lost, why});
    }
}

Result<Supervisor::Line> Supervisor::wait_ready(std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
    const bool is_ready =
        changed_.wait_for(lock, stop, options_.restart_wait_max, [this] { return line_ != nullptr || is_ending_; });
    if (is_ready && line_) {
        return line_;
    }
    return stop.stop_requested() ? Error{ErrorCode::Cancelled, "stopped while the engine was starting again"}
                                 : Error{ErrorCode::EngineLost, "the engine is not back yet: " + status_.last_loss};
}

Result<Completion> Supervisor::generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) {
    Call call;
    const json head = TRY(ask("generate", request, call, on_text, stop));
    Completion completion = TRY(wire::decode_completion(head.value("completion", json())));
    completion.logprobs = std::move(call.logprobs);
    const std::lock_guard lock(mutex_);
    pause_ = options_.restart_pause_first;
    return completion;
}

Result<TokenizedPrompt> Supervisor::tokenize(const ChatRequest& request) {
    Call call;
    const json head = TRY(ask("tokenize", request, call, {}, {}));
    return wire::decode_tokens(head.value("tokens", json()));
}

// The head of the last packet of the answer.
Result<json> Supervisor::ask(std::string_view type, const ChatRequest& request, Call& call, const OnText& on_text, const std::stop_token& stop) {
    Line line;
    std::uint64_t id = 0;
    {
        std::unique_lock lock(mutex_);
        line = TRY(wait_ready(lock, stop));
        id = next_id_++;
        if (calls_.empty()) {
            last_word_ = now();
        }
        calls_[id] = &call;
    }
    auto head = exchange(id, call, line, wire::encode_request(type, id, request), on_text, stop);
    const std::lock_guard lock(mutex_);
    calls_.erase(id);
    return head;
}

Result<json> Supervisor::exchange(std::uint64_t id, Call& call, const Line& line, const wire::EncodedRequest& request, const OnText& on_text,
                                  const std::stop_token& stop) {
    Result<void> sent;
    {
        const std::lock_guard lock(send_mutex_); // packets of two callers do not mix
        sent = wire::send_packet(line->get(), request.head_json, request.body);
    }
    if (!sent && sent.error().code != ErrorCode::EngineLost) {
        return sent.error(); // too large: the worker has not seen a byte of it
    }
    bool is_cancel_sent = false;
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto has_news = [&] { return !call.inbox.empty() || !call.lost.empty(); };
        if (is_cancel_sent) {
            changed_.wait(lock, has_news);
        } else if (!changed_.wait(lock, stop, has_news)) {
            is_cancel_sent = true;
            lock.unlock();
            {
                const std::lock_guard sending(send_mutex_);
                (void)wire::send_packet(line->get(), dump_json({{"type", "cancel"}, {"id", id}})); // a lost one is told below
            }
            lock.lock();
            continue;
        }
        if (call.inbox.empty()) {
            return Error{ErrorCode::EngineLost, call.lost + "; it is started again"};
        }
        json head = std::move(call.inbox.front());
        call.inbox.pop_front();
        const std::string type = head.value("type", "");
        if (type == "done") {
            return head;
        }
        if (type == "error") {
            return wire::decode_error(head.value("error", json()));
        }
        lock.unlock();
        TRY(take_piece(head, call, on_text));
        lock.lock();
    }
}

Result<void> Supervisor::take_piece(const json& head, Call& call, const OnText& on_text) {
    const json text = head.value("text", json());
    if (!text.is_string()) {
        return Error{ErrorCode::ParseFailed, "engine message: a piece without text"};
    }
    const std::vector<TokenLogprobs> logprobs = TRY(wire::decode_logprobs(head.value("logprobs", json::array())));
    call.logprobs.insert(call.logprobs.end(), logprobs.begin(), logprobs.end());
    if (on_text) {
        on_text({.text_utf8 = text.get_ref<const std::string&>(), .logprobs = logprobs});
    }
    return {};
}

std::filesystem::path beside_this_program() {
    std::error_code problem;
    return std::filesystem::read_symlink("/proc/self/exe", problem).parent_path() / "handeye-engine";
}

} // namespace

Result<std::unique_ptr<EngineProcess>> open_engine_process(const EngineProcessOptions& options) {
    EngineProcessOptions filled = options;
    if (filled.program.empty()) {
        filled.program = beside_this_program();
    }
    if (::access(filled.program.c_str(), X_OK) != 0) {
        return Error{ErrorCode::NotFound, fmt::format("{} is not there or cannot be run", filled.program.string())};
    }
    TRY(compare_checksums(filled.engine));
    auto supervisor = std::make_unique<Supervisor>(std::move(filled));
    TRY(supervisor->open());
    return std::unique_ptr<EngineProcess>(std::move(supervisor));
}

} // namespace handeye
