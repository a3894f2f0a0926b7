// SPDX-License-Identifier: Apache-2.0
// Where the programs get secrets from: the person's secrets.yaml, the environment, options that name a file or a variable.
// docs/secrets.md describes them.
#pragma once

#include "agent/secrets.h"
#include "base/result.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace handeye {

/// $HANDEYE_SECRET_NAME alone.
Result<SecretStore> environment_secrets();
/// secrets.yaml of `folder`, and those of `environment` whose names are not in it. PermissionDenied for a file that others may read (0600 is wanted, in a
/// folder 0700); InvalidArgument with line and column for mistakes. No file: the environment's alone. No message holds a value.
Result<std::shared_ptr<SecretStore>> load_secrets(const std::filesystem::path& folder, const SecretStore& environment);
/// The same with $HANDEYE_SECRET_NAME as it is now.
Result<std::shared_ptr<SecretStore>> load_secrets(const std::filesystem::path& folder);
/// Adds what the options of a command say: "NAME" (one of the store's), "NAME=@FILE", "NAME=env:VARIABLE". Returns the names. A
/// value on the command line is refused: everybody on the machine reads it there.
Result<std::vector<std::string>> add_secret_options(SecretStore& store, const std::vector<std::string>& options);
/// Takes $HANDEYE_SECRET_* out of this process's environment, so that no program it starts inherits them. Before other threads run.
void forget_secret_variables();
/// One of them by its name.
void forget_variable(const std::string& name);
/// What a file of this user alone holds (0600), without a line feed at its end. PermissionDenied where others may read it; NotFound.
Result<std::string> value_from_file(const std::filesystem::path& path);
/// NotFound where there is no such variable.
Result<std::string> value_from_variable(const std::string& variable);
/// No core files, and no other process of this user may look into this one's memory.
Result<void> forbid_memory_dumps();

} // namespace handeye
