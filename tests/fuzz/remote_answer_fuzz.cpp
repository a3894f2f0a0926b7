// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a model's server sends: a stream of events, a list of models, a complaint, tokens. Never a crash, never beyond a
// limit, and what is put together is the same wherever the bytes are cut.
#include "remote/answer_text.h"
#include "remote/chunk.h"
#include "remote/options.h"
#include "remote/retry.h"
#include "remote/served_model.h"
#include "remote/server_traits.h"
#include "remote/sse.h"
#include "remote/tokenize.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace handeye {
namespace {

constexpr std::size_t kEventMax = 4096;
constexpr std::size_t kTextMax = 2048;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

bool is_utf8_border(std::string_view text, std::size_t at) { return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U; }

/// The text of all events, and whether one was an error.
std::pair<std::string, bool> read_all(std::string_view bytes, std::size_t piece) {
    SseParser events(kEventMax);
    AnswerText text({.stop_texts = {"STOP"}, .bytes_max = kTextMax, .number_chances = true, .begun = {}, .is_answer_begun = false});
    std::size_t shown = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const auto pushed = events.push(bytes.substr(at, piece), [&](std::string_view data) -> Result<void> {
            require(data.size() <= kEventMax);
            const AnswerChunk chunk = TRY(read_chunk(data, kEventMax));
            require(!chunk.complaint || chunk.complaint->message.size() < 1000);
            const AnswerText::Grown grown = TRY(text.add(chunk));
            require(grown == AnswerText::Grown::StopText || text.text().size() >= shown);
            require(is_utf8_border(text.text(), shown) || grown == AnswerText::Grown::StopText);
            shown = text.text().size();
            return grown == AnswerText::Grown::StopText ? Result<void>(Error{ErrorCode::Cancelled, "stopped"}) : Result<void>();
        });
        if (!pushed) {
            return {text.text(), true};
        }
    }
    require(text.text().size() <= kTextMax);
    text.finish(bytes.size() % 2 == 0);
    for (const NumberSpread& number : text.numbers()) {
        require(number.text_offset <= kTextMax);
        require(std::all_of(number.chances.begin(), number.chances.end(), [](const auto& one) { return one.value >= 0 && one.value <= 999 && one.probability >= kNumberChanceMin && one.probability <= 1.0; }));
    }
    return {text.text(), false};
}

} // namespace
} // namespace handeye

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    require(read_all(text, std::max<std::size_t>(1, size)) == read_all(text, 1 + size % 7));
    const ServerComplaint complaint = read_complaint(text);
    require(complaint.message.size() < 1000);
    (void)fields_refused(complaint, {"top_k", "seed", "messages"});
    const Failure failure = failure_of(HttpHead{.status = static_cast<int>(size % 600), .fields = {{"retry-after", std::string(text)}}}, complaint, std::string(text.substr(0, 3)));
    require(!failure.error.message.empty());
    for (const char* const wanted : {"", "glm-4.1v"}) {
        if (const auto model = read_served_model(text, wanted); model) {
            require(model->context_tokens_max >= 0 && model->name.size() <= 512);
        }
    }
    (void)read_tokens(text, 1U << 16U);
    if (const auto addresses = parse_remote_addresses(text); addresses) {
        for (const RemoteAddress& address : *addresses) {
            const auto again = parse_remote_addresses(to_string(address));
            require(again && again->size() == 1 && again->front() == address);
        }
    }
    return 0;
}
