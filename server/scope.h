// SPDX-License-Identifier: Apache-2.0
// What a connection may do. `approve` is apart from `control`, so that whoever acts cannot approve itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace handeye {

enum class Scope : std::uint8_t { None, Observe, Control, Approve, Record, Engine, Admin };

inline constexpr std::array<std::string_view, 7> kScopeNames{"none",   "observe", "control", "approve",
                                                              "record", "engine",  "admin"};

constexpr std::string_view scope_name(Scope scope) { return kScopeNames[static_cast<std::size_t>(scope)]; }

constexpr std::optional<Scope> find_scope(std::string_view name) {
    for (std::size_t i = 1; i < kScopeNames.size(); ++i) { // "none" cannot be asked for
        if (kScopeNames[i] == name) {
            return static_cast<Scope>(i);
        }
    }
    return std::nullopt;
}

class ScopeSet {
public:
    static constexpr ScopeSet all() {
        ScopeSet set;
        for (std::size_t i = 1; i < kScopeNames.size(); ++i) {
            set.add(static_cast<Scope>(i));
        }
        return set;
    }
    constexpr void add(Scope scope) { bits_ |= 1U << static_cast<unsigned>(scope); }
    /// Scope::None is held by everyone.
    [[nodiscard]] constexpr bool has(Scope scope) const {
        return scope == Scope::None || (bits_ & 1U << static_cast<unsigned>(scope)) != 0;
    }

    /// What both hold.
    [[nodiscard]] constexpr ScopeSet within(ScopeSet other) const {
        ScopeSet both = *this;
        both.bits_ &= other.bits_;
        return both;
    }

private:
    std::uint32_t bits_ = 0;
};

} // namespace handeye
