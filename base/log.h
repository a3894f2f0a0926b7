// SPDX-License-Identifier: Apache-2.0
// Structured, rare log lines to stderr. Libraries log only what they handle; no screen text and no typed text.
#pragma once

#include <string_view>

namespace handeye::log {

enum class Level { Debug, Info, Warn, Error };

/// Lines below `level` are dropped. Set once at start-up; the default is Warn.
void set_level(Level level);
/// Writes "time level [section] message". Thread-safe.
void write(Level level, std::string_view section, std::string_view message);

inline void debug(std::string_view section, std::string_view message) { write(Level::Debug, section, message); }
inline void info(std::string_view section, std::string_view message) { write(Level::Info, section, message); }
inline void warn(std::string_view section, std::string_view message) { write(Level::Warn, section, message); }
inline void error(std::string_view section, std::string_view message) { write(Level::Error, section, message); }

} // namespace handeye::log
