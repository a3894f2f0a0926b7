// SPDX-License-Identifier: Apache-2.0
// What handeye-vnc and the platform say to each other over their socket: a head, then as many bytes as it names. Both ends are of
// one build; the platform believes nothing of it all the same, since the program reads what strangers send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::vnc {

enum class Ask : std::uint32_t {
    Connect,   ///< pack_texts() of ConnectText
    Pointer,   ///< PointerAsk
    Key,       ///< KeyAsk
    Clipboard, ///< UTF-8; empty: it is given up
    Fence,     ///< std::uint64_t: answered once the server has read all that was sent before
    Snapshot,  ///< the same, with the pixels of that moment in the shared memory
};
enum class Tell : std::uint32_t {
    Size,      ///< SizeTell; the shared memory for that many pixels comes with it
    Ready,     ///< ReadyTell, then the desktop's name
    Changed,   ///< nothing: pixels changed
    Answered,  ///< std::uint64_t of a Fence or a Snapshot
    Clipboard, ///< UTF-8: the server's
    Fetched,   ///< nothing: a program there asked for our clipboard's text, and has it
    Renamed,   ///< the desktop's name
    Pointer,   ///< PointerTell
    Failed,    ///< FailedTell, then a message; the last thing it says
};
struct MessageHead {
    std::uint32_t kind = 0;
    std::uint32_t bytes = 0;
};
constexpr std::uint32_t kMessageBytesMax = 4U << 20U;

struct PointerAsk {
    std::uint32_t buttons = 0; ///< bit 0 is button 1
    std::int32_t x = 0;
    std::int32_t y = 0;
};
struct KeyAsk {
    std::uint32_t keysym = 0;
    std::uint32_t is_press = 0;
};
struct SizeTell {
    std::int32_t width_px = 0;
    std::int32_t height_px = 0;
};
struct ReadyTell {
    std::uint32_t takes_unicode = 0; ///< its clipboard takes any Unicode, not Latin-1 alone, and says when a program fetched it
    std::uint32_t is_encrypted = 0;
};
struct PointerTell {
    std::uint32_t has_shape = 0; ///< for us to draw; without one the server paints it into the picture, or there is none to be seen
};
struct FailedTell {
    std::uint32_t code = 0; ///< ErrorCode
};

/// The places of what Connect brings.
enum ConnectText : std::size_t { kHost, kPort, kUnixPath, kUser, kPassword, kHasPassword, kCaPem, kTls, kConnectTexts };

std::string pack_texts(const std::vector<std::string>& texts);
/// Empty where it is not what pack_texts() makes.
std::vector<std::string> unpack_texts(std::string_view packed);

} // namespace handeye::vnc
