// SPDX-License-Identifier: Apache-2.0
#include "tests/secrets/canary_search.h"

#include "agent/recorder.h"
#include "base/hash.h"
#include "base/image_codec.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kBase64RunMin = 24;

std::vector<char32_t> code_points(const std::string& utf8) {
    std::vector<char32_t> out;
    for (std::size_t i = 0; i < utf8.size();) {
        const auto first = static_cast<unsigned char>(utf8[i]);
        const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        char32_t code = size == 1 ? first : first & (0x7fU >> size);
        for (std::size_t k = 1; k < size; ++k) {
            code = code << 6U | (static_cast<unsigned char>(utf8[i + k]) & 0x3fU);
        }
        out.push_back(code);
        i += size;
    }
    return out;
}

/// Only the digits that no neighbour has a part in.
std::string base64_at(std::string_view text, std::size_t place) {
    const std::string_view whole = text.substr((3 - place) % 3);
    std::string out;
    for (std::size_t i = 0; i + 2 < whole.size(); i += 3) {
        const auto byte = [&](std::size_t k) { return static_cast<unsigned>(static_cast<unsigned char>(whole[i + k])); };
        const unsigned bits = byte(0) << 16U | byte(1) << 8U | byte(2);
        for (const unsigned shift : {18U, 12U, 6U, 0U}) {
            out += kBase64[bits >> shift & 63U];
        }
    }
    return out;
}

std::string decode_base64(std::string_view digits) {
    std::string out;
    unsigned bits = 0;
    int count = 0;
    for (const char c : digits) {
        const std::size_t value = kBase64.find(c == '-' ? '+' : c == '_' ? '/' : c);
        bits = bits << 6U | static_cast<unsigned>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xffU);
        }
    }
    return out;
}

std::string read_all(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void add_spellings(const std::string& text, const std::string& part, std::vector<Spelling>& out) {
    const auto add = [&](const std::string& name, std::string bytes) { out.push_back({name + " of " + part, std::move(bytes)}); };
    std::string little, big, wide, escaped, html, hex, url, c;
    for (const char32_t code : code_points(text)) {
        const char low = static_cast<char>(code & 0xffU), high = static_cast<char>(code >> 8U & 0xffU);
        little += {low, high};
        big += {high, low};
        wide += {low, high, '\0', '\0'};
        escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
        html += code == '"' ? "&quot;" : code == '&' ? "&amp;" : code >= 0x80 ? fmt::format("&#{};", static_cast<unsigned>(code)) : std::string(1, low);
    }
    for (const char byte : text) {
        const auto value = static_cast<unsigned char>(byte);
        hex += fmt::format("{:02x}", value);
        url += std::isalnum(value) != 0 ? std::string(1, byte) : fmt::format("%{:02X}", value);
        c += value >= 0x80 ? fmt::format("\\x{:02x}", value) : byte == '"' || byte == '\\' ? std::string("\\") + byte : std::string(1, byte);
    }
    std::string upper = hex, lower_url = url, upper_escaped = escaped;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char d) { return static_cast<char>(std::toupper(d)); });
    add("UTF-8", text);
    add("backwards", std::string(text.rbegin(), text.rend()));
    add("UTF-16LE", little);
    add("UTF-16BE", big);
    add("UTF-32", wide);
    add("hex", hex);
    add("HEX", upper);
    add("JSON", json(text).dump().substr(1, json(text).dump().size() - 2));
    add("ASCII JSON", json(text).dump(-1, ' ', true).substr(1, json(text).dump(-1, ' ', true).size() - 2));
    add("\\u", escaped);
    add("HTML", html);
    add("URL", url);
    add("C", c);
    for (std::size_t place = 0; place < 3; ++place) {
        add(fmt::format("base64 at {}", place), base64_at(text, place));
        add(fmt::format("base64 of UTF-16 at {}", place), base64_at(little, place));
    }
}

} // namespace

std::vector<Spelling> spellings_of(const std::string& secret_utf8) {
    std::vector<Spelling> out;
    add_spellings(secret_utf8, "all", out);
    std::size_t half = secret_utf8.size() / 2;
    while ((static_cast<unsigned char>(secret_utf8[half]) & 0xc0U) == 0x80U) {
        ++half;
    }
    add_spellings(secret_utf8.substr(0, half), "the first half", out);
    add_spellings(secret_utf8.substr(half), "the second half", out);
    return out;
}

CanarySearch::CanarySearch(const std::string& secret_utf8, std::vector<std::string> words, std::filesystem::path picture_reader)
    : spellings_(spellings_of(secret_utf8)), words_(std::move(words)), reader_(Locator::create({.reader = std::move(picture_reader)})) {}

std::vector<std::string> CanarySearch::find_in(const std::filesystem::path& folder) {
    found_.clear();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        const std::string where = entry.path().lexically_relative(folder).string();
        const std::string bytes = read_all(entry.path());
        search(where, bytes);
        if (entry.path().extension() == ".handeye") {
            search_recording(where, entry.path());
        } else if (!search_picture(where, bytes)) {
            search_base64(where, bytes);
        }
    }
    return {found_.begin(), found_.end()};
}

void CanarySearch::search(const std::string& where, std::string_view bytes) {
    bytes_seen_ += bytes.size();
    for (const Spelling& spelling : spellings_) {
        if (bytes.find(spelling.bytes) != std::string_view::npos) {
            found_.insert(where + ": " + spelling.name);
        }
    }
}

void CanarySearch::search_recording(const std::string& where, const std::filesystem::path& file) {
    const auto recording = Recording::open(file);
    const auto events = recording ? recording->events(1, 100'000) : Result<std::vector<StoredEvent>>(recording.error());
    if (!events) {
        found_.insert(where + ": cannot be read: " + events.error().message);
        return;
    }
    const std::function<void(const json&)> visit = [&](const json& value) {
        if (value.is_string()) {
            search(where + " (an event)", value.get<std::string>());
        } else if (value.is_object() && value.contains("sha256") && value["sha256"].is_string()) {
            const auto blob = recording->blob(value["sha256"]);
            const std::string_view bytes = blob ? std::string_view(reinterpret_cast<const char*>(blob->data()), blob->size()) : std::string_view();
            search(where + " (a blob)", bytes);
            search_picture(where + " (a picture)", bytes);
        }
        for (const json& inner : value.is_structured() ? value : json::array()) {
            visit(inner);
        }
    };
    for (const StoredEvent& event : *events) {
        search(where + " (an event)", event.data_json);
        visit(json::parse(event.data_json));
    }
}

void CanarySearch::search_base64(const std::string& where, std::string_view text) {
    const auto is_digit = [](char c) { return kBase64.find(c) != std::string_view::npos || c == '-' || c == '_'; };
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        while (end < text.size() && is_digit(text[end])) {
            ++end;
        }
        if (end - i >= kBase64RunMin) {
            const std::string bytes = decode_base64(text.substr(i, end - i));
            search(where + " (in base64)", bytes);
            search_picture(where + " (a picture in base64)", bytes);
        }
        i = end + 1;
    }
}

bool CanarySearch::search_picture(const std::string& where, std::string_view bytes) {
    const bool is_picture = bytes.starts_with("\x89PNG") || bytes.starts_with("\xff\xd8\xff") || bytes.starts_with("RIFF");
    if (!is_picture || !pictures_.insert(to_hex(sha256(bytes))).second) {
        return is_picture;
    }
    const auto image = decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    const auto lines = image ? reader_->read_lines({*image, {}}, std::nullopt) : Result<std::vector<ReadText>>(image.error());
    if (!lines) {
        found_.insert(where + ": cannot be read: " + lines.error().message);
        return true;
    }
    for (const ReadText& line : *lines) {
        for (const std::string& word : words_) {
            if (line.text_utf8.find(word) != std::string::npos) {
                found_.insert(where + ": shows " + line.text_utf8);
            }
        }
    }
    return true;
}

} // namespace handeye
