// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request: parsed, and checked against the schema of the method they name.
#include "server/method_table.h"
#include "server/rpc.h"
#include "server/schema.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    const auto parsed = parse_request({reinterpret_cast<const char*>(data), size}, 1U << 20U);
    if (const auto* const refusal = std::get_if<RpcRefusal>(&parsed); refusal != nullptr) {
        // Whatever came, the answer is JSON.
        if (!nlohmann::json::accept(error_text(refusal->id_json, refusal->error))) {
            std::abort();
        }
        return 0;
    }
    const auto& request = std::get<RpcRequest>(parsed);
    if (const MethodRow* const method = find_method(request.method); method != nullptr) {
        const auto fault = check_params(method->name, *request.params);
        if (fault && !nlohmann::json::accept(error_text(request.id_json.empty() ? "null" : request.id_json, *fault))) {
            std::abort();
        }
    }
    return 0;
}
