// SPDX-License-Identifier: Apache-2.0
// Start and orderly end of the endpoint.
#include "server/openai_server.h"

#include "server/openai/door.h"

#include <future>

#include <fmt/format.h>

namespace handeye {
namespace {

class Server final : public OpenAiServer {
public:
    explicit Server(OpenAiOptions options) : options_(std::move(options)), service_(options_) {}
    ~Server() override {
        if (!is_running_) {
            return;
        }
        std::promise<void> closed;
        loop_.post([this, &closed] {
            door_->close();
            closed.set_value();
        });
        closed.get_future().wait();
        loop_.stop();
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Result<void> listen() {
        const bool is_beyond = !is_loopback(options_.listen);
        if (is_beyond && options_.api_key.empty()) {
            return Error{ErrorCode::PermissionDenied, fmt::format("{} can be reached from other machines: say --api-key, so that not everybody may ask", to_string(options_.listen))};
        }
        ListenSocket socket = TRY(ListenSocket::open(options_.listen, is_beyond ? ListenSocket::Reach::Anywhere : ListenSocket::Reach::ThisMachine));
        door_ = TRY(OpenAiDoor::open(loop_, service_, options_, std::move(socket)));
        loop_.run_on_thread();
        is_running_ = true;
        return {};
    }

    void set_loading(const std::string& stage) override { service_.gate().set_loading(stage); }
    void set_model(ChatModel& model) override { service_.gate().set_ready(model); }
    std::uint16_t port() const override { return door_->port(); }

private:
    const OpenAiOptions options_;
    std::unique_ptr<OpenAiDoor> door_; // before the loop: connections end with its context and take themselves out here
    Loop loop_;
    OpenAiService service_; // after the loop: its worker answers through it
    bool is_running_ = false;
};

} // namespace

Result<std::unique_ptr<OpenAiServer>> OpenAiServer::start(OpenAiOptions options) {
    auto server = std::make_unique<Server>(std::move(options));
    TRY(server->listen());
    return std::unique_ptr<OpenAiServer>(std::move(server));
}

} // namespace handeye
