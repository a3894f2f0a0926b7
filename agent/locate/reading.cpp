// SPDX-License-Identifier: Apache-2.0
// The reader's side: Tesseract over one line after the other.
#include "agent/locate/reading_wire.h"
#include "agent/text_reader.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>

#include <fcntl.h>
#include <leptonica/allheaders.h>
#include <tesseract/baseapi.h>
#include <tesseract/resultiterator.h>
#include <unistd.h>

namespace handeye {
namespace {

using reading::Moved;
using tesseract::TessBaseAPI;

constexpr auto kNever = reading::Deadline::max();
constexpr int kExitNonsense = 1;
constexpr int kExitSandbox = 4;

bool is_name(const std::string& languages) {
    return !languages.empty() && std::all_of(languages.begin(), languages.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+';
    });
}

bool init(TessBaseAPI& api, const std::string& languages) { return api.Init(nullptr, languages.c_str(), tesseract::OEM_LSTM_ONLY) == 0; }

/// Which of the languages cannot be loaded, and where Debian has them. Tesseract goes on without one of several; we do not.
std::string missing_languages(const std::string& languages) {
    if (!is_name(languages)) {
        return "\"" + languages + "\" names no languages for reading text; they are written as in eng+deu";
    }
    std::string missing, packages;
    std::istringstream names(languages);
    for (std::string name; std::getline(names, name, '+');) {
        if (TessBaseAPI api; !init(api, name)) {
            missing += (missing.empty() ? "" : ", ") + name;
            std::replace(name.begin(), name.end(), '_', '-');
            std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
            packages += " tesseract-ocr-" + name;
        }
    }
    return missing.empty() ? missing : "text cannot be read: the language data of " + missing + " are missing; install" + packages;
}

void send(int socket, const reading::Answer& head, const std::string& payload) {
    reading::Answer copy = head;
    copy.bytes = static_cast<std::uint32_t>(payload.size());
    static_cast<void>(reading::send_all(socket, reading::bytes_of(copy), kNever));
    static_cast<void>(reading::send_all(socket, {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()}, kNever));
}

reading::Answer read(TessBaseAPI& api, const std::vector<std::uint8_t>& pixels, const reading::Ask& ask, std::string& payload) {
    reading::Answer answer;
    api.SetImage(pixels.data(), ask.width_px, ask.height_px, 1, ask.width_px);
    if (api.Recognize(nullptr) != 0) {
        return answer; // no words
    }
    const std::unique_ptr<tesseract::ResultIterator> words(api.GetIterator());
    for (bool has_word = words != nullptr && !words->Empty(tesseract::RIL_WORD); has_word; has_word = words->Next(tesseract::RIL_WORD)) {
        const std::unique_ptr<char[]> text(words->GetUTF8Text(tesseract::RIL_WORD));
        int left = 0, top = 0, right = 0, bottom = 0;
        if (!text || !words->BoundingBox(tesseract::RIL_WORD, &left, &top, &right, &bottom) || right <= left || bottom <= top) {
            continue;
        }
        reading::Word word{left, top, right - left, bottom - top, words->Confidence(tesseract::RIL_WORD) / 100,
                           static_cast<std::uint32_t>(std::strlen(text.get()))};
        if (payload.size() + sizeof word + word.text_bytes > reading::kAnswerBytesMax) {
            break;
        }
        payload.append(reinterpret_cast<const char*>(&word), sizeof word).append(text.get(), word.text_bytes);
        ++answer.words;
    }
    api.Clear();
    return answer;
}

/// Everything that is opened or asked at first use is behind it.
void warm_up(TessBaseAPI& api) {
    constexpr int kWidthPx = 400, kHeightPx = 60;
    std::vector<std::uint8_t> pixels(std::size_t{kWidthPx} * kHeightPx, 255);
    for (int x = 20; x < kWidthPx - 20; x += 12) { // upright strokes: something to recognise
        for (int y = 15; y < 45; ++y) {
            std::fill_n(pixels.begin() + y * kWidthPx + x, 4, std::uint8_t{0});
        }
    }
    std::string ignored;
    read(api, pixels, {kWidthPx, kHeightPx}, ignored);
}

void be_silent() {
    setMsgSeverity(L_SEVERITY_NONE);
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, STDERR_FILENO); // Tesseract writes there whatever one tells it
}

} // namespace

int serve_reading(int socket, const std::function<bool()>& enter_sandbox) {
    reading::Hello hello;
    if (reading::receive_all(socket, reading::bytes_of(hello), kNever) != Moved::All || hello.languages_bytes > reading::kLanguagesBytesMax) {
        return kExitNonsense;
    }
    std::string languages(hello.languages_bytes, '\0');
    if (reading::receive_all(socket, {reinterpret_cast<std::uint8_t*>(languages.data()), languages.size()}, kNever) != Moved::All) {
        return kExitNonsense;
    }
    be_silent();
    if (const std::string missing = missing_languages(languages); !missing.empty()) {
        send(socket, {1, 0, 0}, missing);
        return 0;
    }
    TessBaseAPI api;
    if (!init(api, languages)) {
        send(socket, {1, 0, 0}, "text cannot be read: Tesseract does not load " + languages);
        return 0;
    }
    api.SetVariable("user_defined_dpi", "300"); // it would guess, and say so
    api.SetPageSegMode(tesseract::PSM_SINGLE_LINE);
    warm_up(api);
    if (!enter_sandbox()) {
        send(socket, {1, 0, 0}, "text cannot be read: the reader's sandbox could not be entered");
        return kExitSandbox;
    }
    send(socket, {}, "");
    for (;;) {
        reading::Ask ask;
        if (reading::receive_all(socket, reading::bytes_of(ask), kNever) != Moved::All) {
            return 0;
        }
        if (ask.width_px <= 0 || ask.height_px <= 0 || ask.width_px > TextReader::kSidePxMax || ask.height_px > TextReader::kSidePxMax ||
            std::int64_t{ask.width_px} * ask.height_px > TextReader::kPixelsMax) {
            return kExitNonsense;
        }
        std::vector<std::uint8_t> pixels(static_cast<std::size_t>(ask.width_px) * static_cast<std::size_t>(ask.height_px));
        if (reading::receive_all(socket, pixels, kNever) != Moved::All) {
            return 0;
        }
        std::string payload;
        const reading::Answer answer = read(api, pixels, ask, payload);
        send(socket, answer, payload);
    }
}

} // namespace handeye
