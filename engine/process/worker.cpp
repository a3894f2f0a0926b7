// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_worker.h"

#include "base/json.h"
#include "base/log.h"
#include "engine/process/channel.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr int kExitBadMessage = 3;
constexpr int kExitDeviceLost = 6;
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
    void take(const json& head, std::vector<std::uint8_t> body) {
        const std::string type = head.value("type", "");
        if (type == "open" && !opener_.joinable()) {
            start(head);
        } else if ((type == "generate" || type == "tokenize") && model_ != nullptr) {
            ask(head, std::move(body));
        } else if (type == "cancel") {
            const std::lock_guard lock(mutex_);
            if (const auto asked = stops_.find(head.value("id", std::uint64_t{0})); asked != stops_.end()) {
                asked->second.request_stop();
            }
        } else {
            log::error("engine", "an unknown message, or one before its time: " + type);
            ::_exit(kExitBadMessage);
        }
    }

    /// A thread for each, which mostly waits: how many there may be is the engine's to say, and it refuses the others at once.
    void ask(const json& head, std::vector<std::uint8_t> body) {
        const std::uint64_t id = head.value("id", std::uint64_t{0});
        std::stop_token stop;
        {
            const std::lock_guard lock(mutex_);
            stop = stops_[id].get_token();
        }
        std::thread([this, id, head, body = std::move(body), stop = std::move(stop)] {
            answer(id, head, body, stop);
            const std::lock_guard lock(mutex_);
            stops_.erase(id);
        }).detach(); // this object ends with the process
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
        const int kv = head.value("kv_format", static_cast<int>(KvFormat::F16));
        options.kv_format = kv == static_cast<int>(KvFormat::F32) ? KvFormat::F32 : kv == static_cast<int>(KvFormat::Q8) ? KvFormat::Q8 : KvFormat::F16;
        options.sequences_max = head.value("sequences_max", options.sequences_max);
        options.guesses = head.value("guesses", true);
        options.gpu_memory_bytes = head.value("gpu_memory_bytes", options.gpu_memory_bytes);
        options.exact = head.value("exact", false);
        options.waiting_max = head.value("waiting_max", options.waiting_max);
        options.quantize = quantize == 2 ? Quantize::Bits4 : quantize == 1 ? Quantize::Bits8 : Quantize::None;
        options.on_progress = [this](std::string_view stage, double share) {
            say({{"type", "progress"}, {"stage", stage}, {"share", share}});
        };
        const Duration interval = std::chrono::milliseconds(head.value("beat_ms", 1000));
        beats_ = std::jthread([this, interval](const std::stop_token& stop) { beat(interval, stop); });
        opener_ = std::thread([this, options = std::move(options)] { open(options); });
    }

    void beat(Duration interval, const std::stop_token& stop) {
        SystemClock clock;
        while (clock.sleep_for(interval, stop) == WaitResult::Reached) {
            json alive{{"type", "alive"}};
            if (const ChatModel* const model = model_; model != nullptr) {
                alive["load"] = wire::encode_load(model->load());
            }
            say(alive);
        }
    }

    void open(const EngineOptions& options) {
        auto model = open_(options);
        if (!model) {
            say({{"type", "failed"}, {"error", wire::encode_error(model.error())}});
            return;
        }
        owned_ = std::move(model).value();
        model_ = owned_.get();
        say({{"type", "ready"}, {"info", wire::encode_info(owned_->info())}});
    }

    void answer(std::uint64_t id, const json& head, std::span<const std::uint8_t> body, const std::stop_token& stop) {
        const Result<json> said = head.value("type", "") == "tokenize" ? tokenize(head, body) : generate(id, head, body, stop);
        json last = said ? *said : json{{"type", "error"}, {"error", wire::encode_error(said.error())}};
        last["id"] = id;
        last["load"] = wire::encode_load(model_.load()->load());
        say(last);
        if (!said && said.error().code == ErrorCode::EngineLost) {
            log::error("engine", said.error().message);
            ::_exit(kExitDeviceLost); // a device does not mend within a process: the supervisor starts another
        }
    }

    Result<json> generate(std::uint64_t id, const json& head, std::span<const std::uint8_t> body, const std::stop_token& stop) {
        const ChatRequest request = TRY(wire::decode_request(head, body));
        const auto on_text = [&](const TextPiece& piece) {
            json text{{"type", "text"}, {"id", id}, {"text", piece.text_utf8}};
            if (!piece.logprobs.empty()) {
                text["logprobs"] = wire::encode_logprobs(piece.logprobs);
            }
            say(text);
        };
        const Completion completion = TRY(model_.load()->generate(request, on_text, stop));
        return json{{"type", "done"}, {"completion", wire::encode_completion(completion)}};
    }

    Result<json> tokenize(const json& head, std::span<const std::uint8_t> body) {
        const ChatRequest request = TRY(wire::decode_request(head, body));
        const TokenizedPrompt tokens = TRY(model_.load()->tokenize(request));
        return json{{"type", "done"}, {"tokens", wire::encode_tokens(tokens)}};
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
    std::mutex mutex_; // guards the next
    std::map<std::uint64_t, std::stop_source> stops_;
    std::unique_ptr<ChatModel> owned_;
    std::atomic<ChatModel*> model_{nullptr}; // once it is open
    std::jthread beats_;
    std::thread opener_;
};

} // namespace

SignsOfLife::SignsOfLife(int socket, Duration interval)
    : beats_([socket, interval](const std::stop_token& stop) {
          SystemClock clock;
          do {
              if (!wire::send_packet(socket, dump_json(json{{"type", "alive"}}))) {
                  ::_exit(0); // nobody listens any more
              }
          } while (clock.sleep_for(interval, stop) == WaitResult::Reached);
      }) {}

void serve_engine(int socket, const OpenModel& open) { Worker(socket, open).run(); }

} // namespace handeye
