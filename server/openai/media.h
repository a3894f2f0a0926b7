// SPDX-License-Identifier: Apache-2.0
// Pictures and videos of one request: from data: URLs, and from where the server was allowed to look. First all are opened and measured
// by their headers; when all together are within the limits, they are decoded.
#pragma once

#include "server/openai/chat_call.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// All functions throw Refused with the place. Borrows the context.
class MediaReader {
public:
    explicit MediaReader(const ChatContext& context) : context_(context), begun_(std::chrono::steady_clock::now()) {}

    /// Parts without pixels, in the order in which decode() finds them again.
    Part picture(const std::string& url, const std::string& where);
    Part video(const std::string& url, const std::string& where);
    /// Fills the parts.
    void decode(std::vector<Message>& messages);

private:
    struct Opened {
        std::string where;
        std::vector<std::uint8_t> bytes;
    };
    std::vector<std::uint8_t> open(const std::string& url, const std::string& where);
    void measure(const Opened& picture);
    [[nodiscard]] Part decoded(const Part& part, const Opened& opened) const;

    const ChatContext& context_;
    const TimePoint begun_;
    std::size_t pictures_ = 0;
    std::size_t videos_ = 0;
    std::vector<Opened> opened_;       ///< in the order of the parts
    std::uint64_t opened_bytes_ = 0;   ///< that were fetched or read
    std::uint64_t decoded_bytes_ = 0;  ///< that the pictures will take
};

} // namespace handeye
