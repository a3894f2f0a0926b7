// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_worker.h"

#include "base/json.h"
#include "base/log.h"
#include "engine/process/channel.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kExitBadMessage = 3;
constexpr JsonLimits kHeadLimits{.bytes_max = wire::PacketLimits{}.head_bytes_max, .depth_max = 16};

class Worker {
public:
    Worker(int socket, const OpenModel& open) : socket_(socket), open_(open) {}

    [[noreturn]] void run() {
        for (;;) {
            auto packet = wire::receive_packet(socket_, {});
            if (!packet) {
                ::_exit(packet.error().code == ErrorCode::EngineLost ? 0 : kExitBadMessage);
            }
            auto head = parse_json(packet->head_json, kHeadLimits);
            if (!head || !head->is_object()) {
                log::error("engine", "a message that is no JSON object");
                ::_exit(kExitBadMessage);
            }
            take(*head, std::move(packet->body));
        }
    }

private:
    struct Question {
        json head;
        std::vector<std::uint8_t> body;
    };

    void take(const json& head, std::vector<std::uint8_t> body) {
        const std::string type = head.value("type", "");
        if (type == "open" && !engine_.joinable()) {
            start(head);
        } else if (type == "generate") {
            {
                const std::lock_guard lock(mutex_);
                pending_ = {head, std::move(body)};
                has_pending_ = true;
                stop_ = std::stop_source();
                asked_ = head.value("id", std::uint64_t{0});
            }
            changed_.notify_all();
        } else if (type == "cancel") {
            const std::lock_guard lock(mutex_);
            if (head.value("id", std::uint64_t{0}) == asked_) {
                stop_.request_stop();
            }
        } else {
            log::error("engine", "an unknown message: " + type);
            ::_exit(kExitBadMessage);
        }
    }

    void start(const json& head) {
        EngineOptions options{.model_dir = head.value("model_dir", ""),
                              .threads = head.value("threads", 0),
                              .context_tokens = head.value("context_tokens", 0),
                              .checksums = Checksums::Skip}; // compared by who started us: nothing can be remembered from in here
        for (const json& adapter : head.value("adapters", json::array())) {
            options.adapters.emplace_back(adapter.get<std::string>());
        }
        const int quantize = head.value("quantize", 0);
        options.quantize = quantize == 2 ? Quantize::Bits4 : quantize == 1 ? Quantize::Bits8 : Quantize::None;
        options.on_progress = [this](std::string_view stage, double share) {
            say({{"type", "progress"}, {"stage", stage}, {"share", share}});
        };
        const Duration interval = std::chrono::milliseconds(head.value("beat_ms", 1000));
        beats_ = std::jthread([this, interval](const std::stop_token& stop) { beat(interval, stop); });
        engine_ = std::thread([this, options = std::move(options)] { work(options); });
    }

    void beat(Duration interval, const std::stop_token& stop) {
        SystemClock clock;
        while (clock.sleep_for(interval, stop) == WaitResult::Reached) {
            say({{"type", "alive"}});
        }
    }

    void work(const EngineOptions& options) {
        auto model = open_(options);
        if (!model) {
            say({{"type", "failed"}, {"error", wire::encode_error(model.error())}});
            return;
        }
        say({{"type", "ready"}, {"info", wire::encode_info((*model)->info())}});
        for (;;) {
            Question asked;
            std::stop_token stop;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return has_pending_; });
                has_pending_ = false;
                asked = std::move(pending_);
                stop = stop_.get_token();
            }
            answer(**model, asked, std::move(stop));
        }
    }

    void answer(ChatModel& model, const Question& asked, std::stop_token stop) {
        const std::uint64_t id = asked.head.value("id", std::uint64_t{0});
        auto completion = [&]() -> Result<Completion> {
            const ChatRequest request = TRY(wire::decode_request(asked.head, asked.body));
            const auto on_text = [&](std::string_view text) { say({{"type", "text"}, {"id", id}, {"text", text}}); };
            return model.generate(request, on_text, std::move(stop));
        }();
        if (completion) {
            say({{"type", "done"}, {"id", id}, {"completion", wire::encode_completion(*completion)}});
        } else {
            say({{"type", "error"}, {"id", id}, {"error", wire::encode_error(completion.error())}});
        }
    }

    void say(const json& head) {
        const std::lock_guard lock(send_mutex_);
        if (!wire::send_packet(socket_, dump_json(head))) {
            ::_exit(0); // nobody listens any more
        }
    }

    const int socket_;
    const OpenModel& open_;
    std::mutex send_mutex_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Question pending_;
    bool has_pending_ = false;
    std::uint64_t asked_ = 0;
    std::stop_source stop_;
    std::jthread beats_;
    std::thread engine_;
};

} // namespace

void serve_engine(int socket, const OpenModel& open) { Worker(socket, open).run(); }

} // namespace handeye
