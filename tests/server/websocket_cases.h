// SPDX-License-Identifier: Apache-2.0
// What a client may send after the upgrade, and what RFC 6455 wants to happen. Numbers are our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::testing {

/// A client's frame as bytes on the wire.
struct FrameOptions {
    bool is_last = true;
    unsigned reserved_bits = 0;          ///< RSV1..3 as 4, 2, 1
    bool is_masked = true;
    std::uint32_t mask = 0x37FA213D;
    int length_bytes = 0;                ///< 0: the shortest form; 2 or 8: this one
};
std::string frame_bytes(unsigned opcode, std::string_view payload, const FrameOptions& options = {});

struct WebSocketCase {
    enum class Want {
        Reply, ///< the request in it is answered, `payload` comes back in the answer
        Pong,  ///< a pong with `payload`, and the connection goes on
        Alive, ///< nothing in particular, and the connection goes on
        Close, ///< a close frame with `code`, then the end
    };
    std::string name;   ///< "3.2 ..."
    std::string clause; ///< of RFC 6455
    std::string bytes;  ///< after connection.identify
    Want want = Want::Alive;
    std::string payload;
    std::uint16_t code = 0;
    bool is_dribbled = false; ///< sent byte by byte
};

/// All of them; messages may hold at most `message_bytes_max` bytes.
std::vector<WebSocketCase> websocket_cases(std::size_t message_bytes_max);

} // namespace handeye::testing
