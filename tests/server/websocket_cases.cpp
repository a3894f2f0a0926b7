// SPDX-License-Identifier: Apache-2.0
#include "tests/server/websocket_cases.h"

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using Want = WebSocketCase::Want;
constexpr unsigned kContinuation = 0;
constexpr unsigned kText = 1;
constexpr unsigned kBinary = 2;
constexpr unsigned kClose = 8;
constexpr unsigned kPing = 9;
constexpr unsigned kPong = 10;

std::string echo(const std::string& payload, std::size_t padding = 0) {
    return fmt::format(R"({{"jsonrpc":"2.0","id":"echo","method":"connection.ping",{}"params":{{"payload":"{}"}}}})",
                       std::string(padding, ' '), payload);
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
    return std::string{static_cast<char>(code >> 8U), static_cast<char>(code & 0xFFU)} + std::string(reason);
}

class Table {
public:
    std::vector<WebSocketCase> cases;

    void family(int number) { family_ = number, next_ = 1; }
    WebSocketCase& add(std::string what, std::string clause, std::string bytes, Want want, std::string payload = {}) {
        cases.push_back({fmt::format("{}.{} {}", family_, next_++, what), std::move(clause), std::move(bytes), want, std::move(payload)});
        return cases.back();
    }
    void closes(std::string what, std::string clause, std::string bytes, std::uint16_t code) {
        add(std::move(what), std::move(clause), std::move(bytes), Want::Close).code = code;
    }

private:
    int family_ = 0;
    int next_ = 1;
};

void add_lengths(Table& table) {
    table.family(1);
    const std::size_t base = echo("x").size();
    for (const std::size_t size : {std::size_t{125}, std::size_t{126}, std::size_t{127}, std::size_t{128}, std::size_t{255}, std::size_t{256},
                                   std::size_t{4096}, std::size_t{65535}, std::size_t{65536}, std::size_t{65537}}) {
        table.add(fmt::format("text of {} bytes", size), "5.2", frame_bytes(kText, echo("x", size - base)), Want::Reply, "x");
    }
    table.closes("16-bit length for a short payload", "5.2", frame_bytes(kText, echo("x"), {.length_bytes = 2}), 1002);
    table.closes("64-bit length for a short payload", "5.2", frame_bytes(kText, echo("x"), {.length_bytes = 8}), 1002);
    table.add("one byte at a time", "5.2", frame_bytes(kText, echo("dribble")), Want::Reply, "dribble").is_dribbled = true;
    table.add("two messages in one write", "5.4", frame_bytes(kText, echo("a")) + frame_bytes(kText, echo("b")), Want::Reply, "b");
}

void add_masks(Table& table) {
    table.family(2);
    for (const std::uint32_t mask : {0U, 0xFFFFFFFFU, 0x00FF00FFU, 0x80000001U}) {
        table.add(fmt::format("mask {:08x}", mask), "5.3", frame_bytes(kText, echo("m"), {.mask = mask}), Want::Reply, "m");
    }
    for (const unsigned opcode : {kText, kBinary, kPing, kPong, kClose}) {
        table.closes(fmt::format("no mask on opcode {}", opcode), "5.1", frame_bytes(opcode, opcode == kClose ? close_payload(1000) : "{}", {.is_masked = false}), 1002);
    }
}

void add_reserved(Table& table) {
    table.family(3);
    for (unsigned bits = 1; bits < 8; ++bits) {
        for (const unsigned opcode : {kText, kBinary, kPing, kPong, kClose}) {
            table.closes(fmt::format("reserved bits {} on opcode {}", bits, opcode), "5.2", frame_bytes(opcode, "", {.reserved_bits = bits}), 1002);
        }
    }
    table.family(4);
    for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
        table.closes(fmt::format("reserved opcode {}, empty", opcode), "5.2", frame_bytes(opcode, ""), 1002);
        table.closes(fmt::format("reserved opcode {}, with bytes", opcode), "5.2", frame_bytes(opcode, "abc"), 1002);
        table.closes(fmt::format("reserved opcode {} inside a message", opcode), "5.2",
                     frame_bytes(kText, "{", {.is_last = false}) + frame_bytes(opcode, ""), 1002);
    }
}

void add_control(Table& table) {
    table.family(5);
    for (const std::size_t size : {0U, 1U, 124U, 125U}) {
        table.add(fmt::format("ping of {} bytes", size), "5.5.2", frame_bytes(kPing, std::string(size, 'p')), Want::Pong, std::string(size, 'p'));
    }
    table.add("ping of bytes that are no text", "5.5.2", frame_bytes(kPing, "\xFF\xFE\x80"), Want::Pong, "\xFF\xFE\x80");
    table.add("ping byte by byte", "5.5.2", frame_bytes(kPing, "slow"), Want::Pong, "slow").is_dribbled = true;
    for (const unsigned opcode : {kPing, kPong, kClose}) {
        table.closes(fmt::format("126 bytes in opcode {}", opcode), "5.5", frame_bytes(opcode, std::string(126, 'x')), 1002);
        table.closes(fmt::format("opcode {} in fragments", opcode), "5.5", frame_bytes(opcode, "", {.is_last = false}), 1002);
    }
    table.add("pong that nobody asked for", "5.5.3", frame_bytes(kPong, "x"), Want::Alive);
    table.add("ten pings, the last is answered", "5.5.3",
              [] {
                  std::string bytes;
                  for (int i = 0; i < 10; ++i) {
                      bytes += frame_bytes(kPing, std::to_string(i));
                  }
                  return bytes;
              }(),
              Want::Pong, "9");
}

std::string fragments(const std::string& text, std::size_t bytes_each, const std::string& between = {}) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += bytes_each) {
        const bool is_last = at + bytes_each >= text.size();
        out += frame_bytes(at == 0 ? kText : kContinuation, std::string_view(text).substr(at, bytes_each), {.is_last = is_last});
        out += is_last ? "" : between;
    }
    return out;
}

void add_fragments(Table& table) {
    table.family(6);
    for (const std::size_t each : {1U, 2U, 7U, 30U, 64U}) {
        table.add(fmt::format("fragments of {} bytes", each), "5.4", fragments(echo("pieces"), each), Want::Reply, "pieces");
        table.add(fmt::format("fragments of {} bytes with pings between", each), "5.4", fragments(echo("pieces"), each, frame_bytes(kPing, "p")),
                  Want::Reply, "pieces");
        table.add(fmt::format("fragments of {} bytes with empty ones between", each), "5.4",
                  fragments(echo("pieces"), each, frame_bytes(kContinuation, "", {.is_last = false})), Want::Reply, "pieces");
    }
    table.add("an empty first and an empty last fragment", "5.4",
              frame_bytes(kText, "", {.is_last = false}) + frame_bytes(kContinuation, echo("e"), {.is_last = false}) + frame_bytes(kContinuation, ""),
              Want::Reply, "e");
    table.add("fragments byte by byte", "5.4", fragments(echo("slow"), 9), Want::Reply, "slow").is_dribbled = true;
    table.closes("a continuation of nothing, last", "5.4", frame_bytes(kContinuation, "x"), 1002);
    table.closes("a continuation of nothing, not last", "5.4", frame_bytes(kContinuation, "x", {.is_last = false}), 1002);
    table.closes("a continuation after a whole message", "5.4", frame_bytes(kText, echo("x")) + frame_bytes(kContinuation, "x"), 1002);
    for (const unsigned opcode : {kText, kBinary}) {
        table.closes(fmt::format("opcode {} inside a message", opcode), "5.4", frame_bytes(kText, "{", {.is_last = false}) + frame_bytes(opcode, "x"), 1002);
    }
    table.closes("a close inside a message is a close", "5.4", frame_bytes(kText, "{", {.is_last = false}) + frame_bytes(kClose, close_payload(1000)), 1000);
}

void add_text(Table& table) {
    table.family(7);
    for (const char* good : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBD", "\xEF\xBF\xBF", "\xF0\x90\x80\x80",
                             "\xF4\x8F\xBF\xBF", "\xCE\xBA\xE1\xBD\xB9\xCF\x83", "\xF0\x9F\x98\x80", "\xEF\xB7\x90", "\xC3\xA9\xE2\x82\xAC"}) {
        table.add(fmt::format("good text {:02x}", static_cast<unsigned char>(good[0])), "8.1", frame_bytes(kText, echo(good)), Want::Reply, good);
        table.add("the same cut at each byte", "8.1", fragments(echo(good), 1), Want::Reply, good);
    }
    const std::vector<std::string> bad{
        "\x80", "\xBF", "\x80\xBF", "\xC0\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", "\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBF\xBF", "\xED\xA0\xBD\xED\xB8\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xF7\xBF\xBF\xBF", "\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80", "\xFE", "\xFF", "\xC2", "\xC2\x20", "\xE2\x82", "\xE2\x28\xA1",
        "\xE2\x82\x28", "\xF0\x9F\x98", "\xF0\x28\x8C\xBC", "\xF0\x90\x28\xBC", "\xF0\x28\x8C\x28"};
    for (const std::string& bytes : bad) {
        table.closes(fmt::format("bad text {:02x} of {} bytes", static_cast<unsigned char>(bytes[0]), bytes.size()), "8.1", frame_bytes(kText, echo(bytes)), 1007);
        table.closes("the same as a whole message", "8.1", frame_bytes(kText, bytes), 1007);
        table.closes("the same cut at each byte", "8.1", fragments(echo(bytes), 1), 1007);
    }
    table.closes("bad text is told before the message ends", "8.1", frame_bytes(kText, "ab\xFF", {.is_last = false}), 1007);
    table.closes("a character that never ends", "8.1", frame_bytes(kText, "\xE2\x82", {.is_last = false}) + frame_bytes(kContinuation, ""), 1007);
}

void add_closing(Table& table) {
    table.family(8);
    table.closes("no code", "5.5.1", frame_bytes(kClose, ""), 1000); // any code may answer
    for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 3000U, 3999U, 4000U, 4999U}) {
        table.closes(fmt::format("code {}", code), "7.4", frame_bytes(kClose, close_payload(code)), static_cast<std::uint16_t>(code));
        table.closes(fmt::format("code {} with a reason", code), "7.4", frame_bytes(kClose, close_payload(code, "bye \xE2\x82\xAC")), static_cast<std::uint16_t>(code));
    }
    for (const unsigned code : {0U, 1U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U}) {
        table.closes(fmt::format("code {} is not for the wire", code), "7.4.1", frame_bytes(kClose, close_payload(code)), 1002);
    }
    for (const std::uint16_t code : {std::uint16_t{5000}, std::uint16_t{65535}}) { // RFC 6455 gives these no meaning; Beast echoes them
        table.closes(fmt::format("code {} is echoed", code), "7.4.2", frame_bytes(kClose, close_payload(code)), code);
    }
    table.closes("half a code", "5.5.1", frame_bytes(kClose, "\x03"), 1002);
    table.closes("a reason of 123 bytes", "5.5.1", frame_bytes(kClose, close_payload(1000, std::string(123, 'r'))), 1000);
    table.closes("a reason of 124 bytes", "5.5", frame_bytes(kClose, close_payload(1000, std::string(124, 'r'))), 1002);
    table.closes("what follows a close is not read", "5.5.1", frame_bytes(kClose, close_payload(1000)) + frame_bytes(kText, "\xFF"), 1000);
}

void add_limits(Table& table, std::size_t max) {
    table.family(9);
    const std::string at_limit = echo("x", max - echo("x").size());
    table.add("a message of exactly the limit", "10.4", frame_bytes(kText, at_limit), Want::Reply, "x");
    table.closes("one byte more", "10.4", frame_bytes(kText, at_limit + " "), 1009);
    table.closes("one byte more in fragments", "10.4", fragments(at_limit + " ", 4000), 1009);
    table.closes("an announced terabyte", "10.4", std::string("\x81\xFF\x00\x00\x01\x00\x00\x00\x00\x00", 10) + "mask", 1009);
    table.closes("a length with its highest bit set", "5.2", std::string("\x81\xFF\x80\x00\x00\x00\x00\x00\x00\x01", 10) + "mask", 1009);
    table.closes("binary requests are not served", "7.4.1", frame_bytes(kBinary, "abc"), 1003);
}

} // namespace

std::string frame_bytes(unsigned opcode, std::string_view payload, const FrameOptions& options) {
    std::string out;
    out += static_cast<char>((options.is_last ? 0x80U : 0U) | (options.reserved_bits << 4U) | opcode);
    const unsigned mask_bit = options.is_masked ? 0x80U : 0U;
    const int length_bytes = options.length_bytes != 0 ? options.length_bytes : payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
    out += static_cast<char>(mask_bit | (length_bytes == 0 ? static_cast<unsigned>(payload.size()) : length_bytes == 2 ? 126U : 127U));
    for (int i = length_bytes - 1; i >= 0; --i) {
        out += static_cast<char>((static_cast<std::uint64_t>(payload.size()) >> (8U * static_cast<unsigned>(i))) & 0xFFU);
    }
    if (!options.is_masked) {
        return out + std::string(payload);
    }
    std::string key;
    for (int i = 3; i >= 0; --i) {
        key += static_cast<char>((options.mask >> (8U * static_cast<unsigned>(i))) & 0xFFU);
    }
    out += key;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out += static_cast<char>(payload[i] ^ key[i % 4]);
    }
    return out;
}

std::vector<WebSocketCase> websocket_cases(std::size_t message_bytes_max) {
    Table table;
    add_lengths(table);
    add_masks(table);
    add_reserved(table);
    add_control(table);
    add_fragments(table);
    add_text(table);
    add_closing(table);
    add_limits(table, message_bytes_max);
    return std::move(table.cases);
}

} // namespace handeye::testing
