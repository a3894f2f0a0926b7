// SPDX-License-Identifier: Apache-2.0
// Structured, rare log lines to stderr or a file. Libraries log only what they handle; no screen text, typed text or token.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace handeye::log {

enum class Level { Debug, Info, Warn, Error };

/// Lines below `level` are dropped; the default is Warn. Any thread, like all of this.
void set_level(Level level);
/// Text: "time level [section] message". Json: one object a line with time, level, area, message, and session where there is one.
enum class Format { Text, Json };
void set_format(Format format);
/// Appends to this file (0600) from now on; empty: stderr. On an error lines go where they went.
Result<void> set_file(const std::filesystem::path& path);
/// Every message goes through it first: what must not be written down is taken out. Empty: none. Must not log.
using Redact = std::function<std::string(std::string message)>;
void set_redactor(Redact redact);
/// `session`: the one concerned; may be empty.
void write(Level level, std::string_view section, std::string_view message, std::string_view session = {});

inline void debug(std::string_view section, std::string_view message) { write(Level::Debug, section, message); }
inline void info(std::string_view section, std::string_view message) { write(Level::Info, section, message); }
inline void warn(std::string_view section, std::string_view message) { write(Level::Warn, section, message); }
inline void error(std::string_view section, std::string_view message) { write(Level::Error, section, message); }

} // namespace handeye::log
