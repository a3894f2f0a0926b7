// SPDX-License-Identifier: Apache-2.0
// The printable spelling of bytes in vocabularies. Only engine/tokenizer/ includes it.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/utf8.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace handeye {

/// tokenizer.json and GGUF write bytes as printable characters: most of Latin-1 as itself, the other 68 from U+0100 on.
class ByteAlphabet {
public:
    ByteAlphabet() {
        unsigned next = 0x100;
        for (unsigned byte = 0; byte < 256; ++byte) {
            const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
            const unsigned code = printable ? byte : next++;
            byte_of_[code] = static_cast<std::int16_t>(byte);
        }
    }

    [[nodiscard]] Result<std::string> bytes_of(std::string_view written) const {
        std::string bytes;
        while (!written.empty()) {
            const auto lead = static_cast<std::uint8_t>(written[0]);
            const std::size_t length = lead < 0x80 ? 1 : 2;
            const unsigned code =
                length == 1 ? lead
                            : (lead & 0x1FU) << 6U | (written.size() > 1 ? static_cast<std::uint8_t>(written[1]) & 0x3FU : 0U);
            if (length > written.size() || lead >= 0xE0 || code >= byte_of_.size() || byte_of_[code] < 0) {
                return Error{ErrorCode::ParseFailed, fmt::format("\"{}\" is not in the byte-level alphabet", utf8_repaired(written))};
            }
            bytes.push_back(static_cast<char>(byte_of_[code]));
            written.remove_prefix(length);
        }
        return bytes;
    }

private:
    std::array<std::int16_t, 0x144> byte_of_ = [] {
        std::array<std::int16_t, 0x144> none{};
        none.fill(-1);
        return none;
    }();
};

} // namespace handeye
