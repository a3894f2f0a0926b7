// SPDX-License-Identifier: Apache-2.0
// Where models on servers are, and how patient the client is with them.
#pragma once

#include "base/clock.h"
#include "base/net/http_client.h"
#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// One server, or one path of it.
struct RemoteAddress {
    HttpUrl base;      ///< "http://host:8000/v1"; "/v1" where the URL has no path
    std::string model; ///< the name to ask for; empty: the one that is served there
    bool operator==(const RemoteAddress& other) const { return to_string(*this) == to_string(other); }
    /// "http://host:8000/v1#name". For people: it holds no key.
    friend std::string to_string(const RemoteAddress& address);
};

/// True for what is meant as URLs of servers, well formed or not, and not as a checkpoint.
bool names_servers(std::string_view model);
/// "http://HOST[:PORT][/PATH][#NAME]", or https; several with commas between. InvalidArgument, also for one that is named twice.
Result<std::vector<RemoteAddress>> parse_remote_addresses(std::string_view text);

struct RemoteTimeouts {
    Duration connect = std::chrono::seconds(10);       ///< socket and TLS
    Duration first_token = std::chrono::seconds(300);  ///< from the connection on: waiting in the server's queue and the prompt
    Duration between_tokens = std::chrono::seconds(60);
};

struct RemoteLimits {
    std::size_t event_bytes_max = 1U << 20U;   ///< of one server-sent event, logprobs included
    std::size_t answer_bytes_max = 1U << 20U;  ///< of an answer's text
    std::size_t stream_bytes_max = 64U << 20U; ///< of all that comes for one answer
    std::size_t picture_cache_bytes_max = 64U << 20U; ///< of encoded pictures that are kept
};

struct RemoteOptions {
    std::vector<RemoteAddress> addresses; ///< at least one; the sessions are spread over them
    std::string api_key;                  ///< "Authorization: Bearer KEY"; empty: none is sent. Never in a message or a log
    std::filesystem::path ca_file;        ///< PEM file of authorities; empty: the system's
    bool allows_plain_http = false;       ///< beyond this machine: screenshots and the key go there in the clear
    std::string prompt;                   ///< which prompts/<name>/ to use; empty: what the server or the model's name tells
    RemoteTimeouts timeouts;
    RemoteLimits limits;
    int rounds_max = 5;                   ///< times that each server is asked one question, before it is given up
    Duration pause_first = std::chrono::milliseconds(500); ///< between two rounds; doubled each time, with up to a half less by chance
    Duration pause_max = std::chrono::seconds(30);
    Duration retry_after_max = std::chrono::seconds(60);   ///< a server that wants a longer pause counts as busy for good
    Duration health_pause = std::chrono::seconds(2);       ///< after which one that failed is looked at; doubled up to pause_max
    int breaks_max = 4;                   ///< answers to one question that may break off
};

/// The names of loopback.
bool is_this_machine(const Endpoint& endpoint);
/// What open_remote_model() checks before it asks anybody: PermissionDenied for plain http beyond this machine, unless it is allowed;
/// InvalidArgument for a key that no header can hold.
Result<void> check_remote_options(const RemoteOptions& options);

} // namespace handeye
