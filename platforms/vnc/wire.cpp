// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/wire.h"

#include <cstring>

namespace handeye::vnc {

std::string pack_texts(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) {
        const auto size = static_cast<std::uint32_t>(text.size());
        out.append(reinterpret_cast<const char*>(&size), sizeof size);
        out += text;
    }
    return out;
}

std::vector<std::string> unpack_texts(std::string_view packed) {
    std::vector<std::string> texts;
    while (!packed.empty()) {
        std::uint32_t size = 0;
        if (packed.size() < sizeof size) {
            return {};
        }
        std::memcpy(&size, packed.data(), sizeof size);
        packed.remove_prefix(sizeof size);
        if (packed.size() < size) {
            return {};
        }
        texts.emplace_back(packed.substr(0, size));
        packed.remove_prefix(size);
    }
    return texts;
}

} // namespace handeye::vnc
