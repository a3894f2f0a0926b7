// SPDX-License-Identifier: Apache-2.0
// SHA-256 of what comes in pieces: files that are larger than memory.
#pragma once

#include "base/hash.h"

#include <memory>
#include <span>

namespace handeye {

/// One thread. Moved-from objects may only be destroyed.
class Sha256Stream {
public:
    Sha256Stream();
    ~Sha256Stream();
    Sha256Stream(Sha256Stream&&) noexcept;
    Sha256Stream& operator=(Sha256Stream&&) = delete;

    void add(std::span<const std::uint8_t> bytes);
    /// Of everything added; nothing may be added after it.
    [[nodiscard]] Sha256 finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace handeye
