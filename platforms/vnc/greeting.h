// SPDX-License-Identifier: Apache-2.0
// The first bytes of a connection, up to the security types that the server offers. Pure.
//
// Where a server offers no type at all it refuses, and says why. libgvnc reads the length of the reason as the result of a handshake that
// did not take place, and a length of 0 as its success: so it sees no such list.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace handeye::vnc {

class Greeting {
public:
    /// How many bytes to read from the server next; never more than belong to one part of the greeting. 0: it is over.
    [[nodiscard]] std::size_t wanted() const;
    /// At most wanted() bytes of the server's. Returns what is for libgvnc.
    std::string take(std::string_view bytes);
    /// What libgvnc says. It decides by its version in which form the server's types come.
    void sent(std::string_view bytes);

    /// The server offers nothing. The reason follows, and is whole when wanted() is 0.
    [[nodiscard]] bool is_refusal() const { return state_ == State::ReasonLength || state_ == State::Reason || state_ == State::Refused; }
    [[nodiscard]] const std::string& reason() const { return reason_; }

private:
    enum class State { Version, Types, ReasonLength, Reason, Refused, Over };
    [[nodiscard]] bool is_one_number() const; ///< the types are one, of four bytes, which the server chose

    State state_ = State::Version;
    std::string head_;     ///< of the part that is being read
    std::string ours_;     ///< the client's version
    std::size_t reason_bytes_ = 0;
    std::string reason_;
};

} // namespace handeye::vnc
