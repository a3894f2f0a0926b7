// SPDX-License-Identifier: Apache-2.0
#include "base/hash_stream.h"

#include <openssl/evp.h>

namespace handeye {

struct Sha256Stream::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) { EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr); }
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;

void Sha256Stream::add(std::span<const std::uint8_t> bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

Sha256 Sha256Stream::finish() {
    Sha256 out{};
    EVP_DigestFinal_ex(state_->context, out.data(), nullptr);
    return out;
}

} // namespace handeye
