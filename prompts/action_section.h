// SPDX-License-Identifier: Apache-2.0
// The part of a prompt that tells what the model may do, generated from the verb table.
#pragma once

#include "actions/vocabulary.h"

#include <span>
#include <string>
#include <string_view>

namespace handeye {

/// Styles: "bullets", "calls", "json_schemas", "python_schemas", "formats", "meanings". Empty for an unknown one. `app_names` is what
/// open_app may name. No line break at the end.
std::string action_section(std::string_view style, Dialect dialect, std::span<const std::string> app_names);

} // namespace handeye
