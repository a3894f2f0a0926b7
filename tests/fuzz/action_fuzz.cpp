// SPDX-License-Identifier: Apache-2.0
// Any bytes as one action: what is accepted equals itself after its canonical form, and resolves or says why not.
#include "actions/keys.h"
#include "actions/parse.h"
#include "actions/resolve.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(parse_chord(text));
    const Result<Action> action = parse_action(text);
    if (!action) {
        return 0;
    }
    const std::string json = to_canonical_json(*action);
    const Result<Action> again = parse_action(json);
    if (again && to_canonical_json(*again) != json) {
        std::abort(); // the canonical form is a fixed point
    }
    static_cast<void>(resolve(*action, {{640, 480}, {1920, 1080}, {}}));
    return 0;
}
