// SPDX-License-Identifier: Apache-2.0
#include "platforms/web/cdp.h"

#include "base/json.h"

#include <charconv>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr std::size_t kMessageBytesMax = 192U << 20U; // a picture of 64 million pixels of noise, in base64, is refused by its pixels first
constexpr JsonLimits kMessageLimits{.bytes_max = kMessageBytesMax, .depth_max = 64};
constexpr std::size_t kPendingMax = 4096;
constexpr Duration kSendPatience = std::chrono::seconds(10);
constexpr Duration kReadPatience = std::chrono::hours(1); // silence is no fault: the reader waits on

/// A picture is one long string in a small object: it is cut out before the rest is parsed, which took half of the time of a capture.
std::string cut_data(std::string& bytes) {
    constexpr std::string_view kKey = R"("data":")";
    constexpr std::size_t kWorthIt = 16384;
    constexpr std::size_t kKeyWithin = 64;
    const std::size_t key = std::string_view(bytes).substr(0, kKeyWithin).find(kKey);
    if (bytes.size() < kWorthIt || key == std::string_view::npos || !bytes.starts_with(R"({"id":)")) {
        return {};
    }
    const std::size_t begin = key + kKey.size();
    const std::size_t end = bytes.find('"', begin);
    if (end == std::string::npos || bytes.find('\\', begin) < end) {
        return {};
    }
    std::string data = bytes.substr(begin, end - begin);
    bytes.erase(begin, end - begin);
    return data;
}

} // namespace

struct Cdp::Pending {
    std::uint64_t id = 0;
    std::string session;
    std::string method;
    ReplyHandler on_reply;              // set: nobody waits
    std::optional<Result<json>> reply;  // guarded by Cdp::mutex_
};

Result<std::unique_ptr<Cdp>> Cdp::connect(const Endpoint& endpoint, const std::string& path, const std::stop_token& stop) {
    std::unique_ptr<Cdp> cdp(new Cdp);
    WebSocketOptions options;
    options.target = path;
    options.connect_timeout = std::chrono::seconds(30); // a browser that starts on a busy machine
    options.message_bytes_max = kMessageBytesMax;
    options.inbox_bytes_max = kMessageBytesMax;
    cdp->socket_ = TRY(WebSocketClient::connect(endpoint, options, stop));
    return cdp;
}

void Cdp::listen(EventHandler on_event, std::function<void()> on_lost) {
    on_event_ = std::move(on_event);
    on_lost_ = std::move(on_lost);
    reader_ = std::jthread([this](const std::stop_token& end) { read(end); });
}

void Cdp::close() {
    reader_.request_stop();
    if (reader_.joinable()) {
        reader_.join();
    }
}

bool Cdp::is_lost() const {
    const std::lock_guard lock(mutex_);
    return lost_.has_value();
}

Result<Cdp::Ticket> Cdp::enter(const std::string& session, std::string_view method, ReplyHandler on_reply) {
    const std::lock_guard lock(mutex_);
    if (lost_) {
        return *lost_;
    }
    if (pending_.size() >= kPendingMax) {
        return Error{ErrorCode::Overloaded, fmt::format("{} calls to the browser are unanswered; the limit is {}", pending_.size(), kPendingMax)};
    }
    auto ticket = std::make_shared<Pending>();
    ticket->id = next_id_++;
    ticket->session = session;
    ticket->method = method;
    ticket->on_reply = std::move(on_reply);
    pending_.emplace(ticket->id, ticket);
    return ticket;
}

Result<void> Cdp::send(const Ticket& ticket, const json& params) {
    json message{{"id", ticket->id}, {"method", ticket->method}, {"params", params}};
    if (!ticket->session.empty()) {
        message["sessionId"] = ticket->session;
    }
    auto sent = socket_->send_text(dump_json(message), std::chrono::steady_clock::now() + kSendPatience);
    if (!sent) {
        const std::lock_guard lock(mutex_);
        pending_.erase(ticket->id);
        return std::move(sent).error().with_context(fmt::format("browser, {}", ticket->method));
    }
    return {};
}

Result<Cdp::Ticket> Cdp::start(const std::string& session, std::string_view method, const json& params) {
    Ticket ticket = TRY(enter(session, method, {}));
    TRY(send(ticket, params));
    return ticket;
}

void Cdp::post(const std::string& session, std::string_view method, const json& params, ReplyHandler on_reply) {
    const auto ignore = [](const Result<json>&) {};
    auto ticket = enter(session, method, on_reply ? on_reply : ignore);
    if (!ticket) {
        if (on_reply) {
            on_reply(Result<json>(ticket.error()));
        }
        return;
    }
    if (auto sent = send(*ticket, params); !sent && on_reply) {
        on_reply(Result<json>(std::move(sent).error()));
    }
}

Result<json> Cdp::wait(const Ticket& ticket, Duration patience, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool is_answered = changed_.wait_for(lock, stop, patience, [&] { return ticket->reply.has_value(); });
    if (is_answered) {
        return std::move(*ticket->reply);
    }
    pending_.erase(ticket->id);
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, fmt::format("stopped while the browser worked on {}", ticket->method)};
    }
    return Error{ErrorCode::DeadlineExceeded,
                 fmt::format("the browser did not answer {} within {:.1f} s: its page may hang", ticket->method,
                             std::chrono::duration<double>(patience).count())};
}

Result<json> Cdp::call(const std::string& session, std::string_view method, const json& params, Duration patience, const std::stop_token& stop) {
    const Ticket ticket = TRY(start(session, method, params));
    return wait(ticket, patience, stop);
}

void Cdp::finish(std::uint64_t id, Result<json> reply) {
    Ticket ticket;
    {
        const std::lock_guard lock(mutex_);
        const auto found = pending_.find(id);
        if (found == pending_.end()) {
            return; // given up before
        }
        ticket = found->second;
        pending_.erase(found);
        if (!ticket->on_reply) {
            ticket->reply = std::move(reply);
        }
    }
    if (ticket->on_reply) {
        ticket->on_reply(reply);
    } else {
        changed_.notify_all();
    }
}

void Cdp::release(std::string_view session, const std::optional<Error>& error) {
    std::vector<std::uint64_t> ids;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, ticket] : pending_) {
            if (ticket->session == session) {
                ids.push_back(id);
            }
        }
    }
    for (const std::uint64_t id : ids) {
        finish(id, error ? Result<json>(*error) : Result<json>(json::object()));
    }
}

Result<void> Cdp::take(std::string bytes) {
    std::string data = cut_data(bytes);
    json message = TRY(parse_json(bytes, kMessageLimits).with_context("the browser's message"));
    if (!message.is_object()) {
        return Error{ErrorCode::ParseFailed, "the browser sent a message that is no object"};
    }
    const auto session = message.find("sessionId");
    const std::string of = session != message.end() && session->is_string() ? session->get<std::string>() : std::string();
    if (const auto method = message.find("method"); method != message.end() && method->is_string()) {
        static const json kNone = json::object();
        const auto params = message.find("params");
        on_event_({method->get_ref<const std::string&>(), of, params != message.end() && params->is_object() ? *params : kNone});
        return {};
    }
    const auto id = message.find("id");
    if (id == message.end() || !id->is_number_unsigned()) {
        return Error{ErrorCode::ParseFailed, "the browser sent a message that is neither a reply nor an event"};
    }
    if (const auto error = message.find("error"); error != message.end()) {
        const auto words = error->is_object() ? error->find("message") : error->end();
        const bool has_words = error->is_object() && words != error->end() && words->is_string();
        finish(id->get<std::uint64_t>(),
               Error{ErrorCode::InvalidArgument,
                     fmt::format("the browser refused: {}", has_words ? words->get<std::string>().substr(0, 300) : "it did not say why")});
        return {};
    }
    json result = message.contains("result") ? message["result"] : json::object();
    if (!result.is_object()) {
        return Error{ErrorCode::ParseFailed, "the browser sent a reply that is no object"};
    }
    if (!data.empty()) {
        result["data"] = std::move(data);
    }
    finish(id->get<std::uint64_t>(), std::move(result));
    return {};
}

void Cdp::lose(const Error& why) {
    std::vector<std::uint64_t> ids;
    {
        const std::lock_guard lock(mutex_);
        lost_ = Error{ErrorCode::Unavailable, fmt::format("the browser is gone: {}", why.message)};
        for (const auto& [id, ticket] : pending_) {
            ids.push_back(id);
        }
    }
    for (const std::uint64_t id : ids) {
        finish(id, *lost_);
    }
    on_lost_();
}

void Cdp::read(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        auto message = socket_->receive(std::chrono::steady_clock::now() + kReadPatience, stop);
        if (!message && message.error().code == ErrorCode::DeadlineExceeded) {
            continue;
        }
        if (!message) {
            if (message.error().code != ErrorCode::Cancelled) {
                lose(message.error());
            }
            return;
        }
        Result<void> taken;
        try {
            taken = take(std::move(message->bytes));
        } catch (const json::exception& problem) { // a field of another type than the protocol says
            taken = Error{ErrorCode::ParseFailed, fmt::format("the browser broke its protocol: {}", problem.what())};
        }
        if (!taken) {
            lose(taken.error());
            return;
        }
    }
}

} // namespace handeye::web
