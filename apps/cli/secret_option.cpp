// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/secret_option.h"

#include "apps/secret_files.h"
#include "base/file.h"
#include "base/log.h"

#include <CLI/CLI.hpp>

namespace handeye::cli {

void add_secret_option(CLI::App& app, std::vector<std::string>& options) {
    app.add_option("--secret", options,
                   "May be typed as {{secret:NAME}}: NAME (of secrets.yaml or $HANDEYE_SECRET_NAME), NAME=@FILE (mode 0600) or "
                   "NAME=env:VARIABLE; never the value itself (repeatable)")
        ->allow_extra_args(false);
}

Result<SecretUse> take_secrets(const std::vector<std::string>& options) {
    auto store = std::make_shared<SecretStore>();
    std::vector<std::string> names;
    if (!options.empty()) {
        TRY(forbid_memory_dumps());
        store = TRY(load_secrets(config_dir()));
        names = TRY(add_secret_options(*store, options));
    }
    forget_secret_variables();
    SecretUse use{std::make_shared<SecretGrants>(store), std::make_shared<Redactor>(*store)};
    TRY(use.grants->set(names));
    log::set_redactor([redactor = use.redactor](std::string message) { return redactor->redacted(std::move(message)); });
    return use;
}

} // namespace handeye::cli
