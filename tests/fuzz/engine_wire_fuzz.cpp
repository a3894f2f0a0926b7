// SPDX-License-Identifier: Apache-2.0
// Any bytes as a packet between daemon and engine process: as a request on one side, as an answer on the other.
#include "base/json.h"
#include "engine/process/wire.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    const auto packet = wire::parse_packet({data, size}, {});
    if (!packet) {
        return 0;
    }
    const auto head = parse_json(packet->head_json, {.bytes_max = 1U << 20U, .depth_max = 16});
    if (!head) {
        return 0;
    }
    if (const auto request = wire::decode_request(*head, packet->body); request) {
        // What was understood says the same when it is sent on.
        const auto again = wire::encode_request("generate", 1, *request);
        if (!parse_json(again.head_json)) {
            std::abort();
        }
    }
    (void)wire::decode_completion(*head);
    (void)wire::decode_info(*head);
    (void)wire::decode_error(*head);
    return 0;
}
