// SPDX-License-Identifier: Apache-2.0
// Any bytes as a model's reply: never a crash, work in proportion, and whatever was parsed can be written and read again.
#include "actions/parse.h"
#include "actions/resolve.h"

#include <cstdint>
#include <cstdlib>

namespace handeye {
namespace {

void check(std::string_view reply, Dialect dialect, Sequence sequence) {
    const Result<ParsedReply> parsed = parse_reply(reply, dialect, sequence);
    if (!parsed) {
        if (parsed.error().message.empty()) {
            std::abort(); // an error says what to do about it
        }
        return;
    }
    static_cast<void>(history_summary(parsed->action));
    static_cast<void>(resolve(parsed->action, {{640, 480}, {1920, 1080}, {}}));
    static_cast<void>(parse_action(to_canonical_json(parsed->action)));
}

} // namespace
} // namespace handeye

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    if (size == 0) {
        return 0;
    }
    constexpr Dialect kDialects[] = {Dialect::GlmMobile, Dialect::GlmDesktop, Dialect::GlmWebMarks, Dialect::Canonical, Dialect::GlmWebPoints, Dialect::AutoGlm};
    const std::string_view reply(reinterpret_cast<const char*>(data) + 1, size - 1);
    check(reply, kDialects[data[0] % std::size(kDialects)], data[0] >= 128 ? Sequence::TypeThenEnter : Sequence::LastOnly);
    return 0;
}
