// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <vector>

namespace handeye {

Sha256 sha256(std::span<const std::uint8_t> data) {
    Sha256 out{};
    SHA256(data.data(), data.size(), out.data());
    return out;
}

Sha256 sha256(std::string_view text) {
    return sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 15U];
    }
    return out;
}

Result<std::string> random_hex(std::size_t bytes) {
    std::vector<std::uint8_t> raw(bytes);
    if (RAND_bytes(raw.data(), static_cast<int>(raw.size())) != 1) {
        return Error{ErrorCode::Unavailable, "the system's random generator gave no bytes"};
    }
    return to_hex(raw);
}

Result<std::string> make_ulid(WallTime now) {
    constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    std::array<std::uint8_t, 16> raw{};
    if (RAND_bytes(raw.data() + 6, 10) != 1) {
        return Error{ErrorCode::Unavailable, "the system's random generator gave no bytes"};
    }
    const auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
    for (std::size_t i = 0; i < 6; ++i) {
        raw[i] = static_cast<std::uint8_t>(ms >> (40U - 8U * i));
    }
    // 128 bits, most significant first, as 26 digits of 5 bits: the first digit holds the top 3 bits.
    std::string out(26, '0');
    for (std::size_t digit = 0; digit < 26; ++digit) {
        unsigned value = 0;
        for (std::size_t bit = 0; bit < 5; ++bit) {
            const std::size_t at = digit * 5 + bit; // of 130, the first two are zero
            const unsigned one = at < 2 ? 0U : (raw[(at - 2) / 8] >> (7U - (at - 2) % 8)) & 1U;
            value = value << 1U | one;
        }
        out[digit] = kAlphabet[value];
    }
    return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace handeye
