// SPDX-License-Identifier: Apache-2.0
// `--secret` of the commands that type.
#pragma once

#include "agent/redactor.h"
#include "agent/secrets.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace handeye::cli {

struct SecretUse {
    std::shared_ptr<SecretGrants> grants;
    std::shared_ptr<Redactor> redactor;
};
void add_secret_option(CLI::App& app, std::vector<std::string>& options);
/// Reads what the options name, takes $HANDEYE_SECRET_* out of the environment and, where there are secrets, forbids core dumps and
/// keeps the values out of the log.
Result<SecretUse> take_secrets(const std::vector<std::string>& options);

} // namespace handeye::cli
