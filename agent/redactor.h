// SPDX-License-Identifier: Apache-2.0
// The last line of defence: takes values that must not be written down out of whatever is about to be, before the first write.
#pragma once

#include "agent/secrets.h"
#include "agent/step_sink.h"

#include <cstddef>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Any thread.
/// What stands in a record for what was typed into a password field.
inline constexpr const char* kTypedIntoPassword = "(typed into a password field)";

class Redactor {
public:
    /// Shorter values of the store stay: they would be found in innocent words.
    static constexpr std::size_t kSecretBytesMin = 6;
    static constexpr std::size_t kTypedBytesMin = 4;

    Redactor() = default;
    explicit Redactor(const SecretStore& store);
    /// What was typed into a password field; too short ones are not taken.
    void add_typed(const std::string& text_utf8);

    /// `text` with references, or "(typed into a password field)", in place of the values; also where JSON would escape them.
    [[nodiscard]] std::string redacted(std::string text) const;
    /// The same for an event's data and its text blobs; a blob that changes gets its new name, in the data too.
    [[nodiscard]] SessionEvent redacted(SessionEvent event) const;

private:
    struct Entry {
        std::string value;
        std::string replacement;
    };
    void add(const std::string& value, const std::string& replacement); // with mutex_ held
    [[nodiscard]] bool is_in(std::string_view text) const;

    mutable std::shared_mutex mutex_;
    std::vector<Entry> entries_; // longest first: a value may hold another
};

} // namespace handeye
