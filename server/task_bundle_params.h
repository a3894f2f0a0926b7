// SPDX-License-Identifier: Apache-2.0
// A task file as a request hands it over: texts, and pictures in base64, by relative names.
#pragma once

#include "agent/task_bundle.h"
#include "server/picture.h"
#include "server/rpc.h"

#include <map>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// InvalidParams names the part that is wrong: a name with "..", too many or too large parts, what is no text and no picture.
/// `decode` gets the bytes of each picture.
RpcResult<std::shared_ptr<const TaskBundle>> bundle_from(const nlohmann::json& params, const DecodePicture& decode);
/// Variables as texts, which the file's own types read.
std::map<std::string, std::string> variables_from(const nlohmann::json& params);

} // namespace handeye
