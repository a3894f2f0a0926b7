// SPDX-License-Identifier: Apache-2.0
// The sockets of the endpoint: accepts, reads requests, writes answers. Knows no routes.
#pragma once

#include "base/result.h"
#include "server/listen_socket.h"
#include "server/loop.h"
#include "server/openai/service.h"

#include <memory>

namespace handeye {

class OpenAiDoor {
public:
    /// Accepts from the moment that the loop runs. Borrows all of them; its connections live in the loop's context and end with it, before
    /// this object does.
    static Result<std::unique_ptr<OpenAiDoor>> open(Loop& loop, OpenAiService& service, const OpenAiOptions& options, ListenSocket socket);
    virtual ~OpenAiDoor() = default;
    /// On the loop: accepts no more, drops every connection and with it stops what is being answered.
    virtual void close() = 0;
    [[nodiscard]] virtual std::uint16_t port() const = 0;
};

} // namespace handeye
