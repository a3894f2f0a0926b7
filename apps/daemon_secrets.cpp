// SPDX-License-Identifier: Apache-2.0
#include "apps/daemon_secrets.h"

#include "agent/redactor.h"
#include "apps/secret_files.h"
#include "base/file.h"
#include "base/log.h"

namespace handeye {

Result<DaemonSecrets> DaemonSecrets::from_environment() {
    SecretStore environment = TRY(environment_secrets());
    forget_secret_variables();
    return DaemonSecrets(std::move(environment));
}

Result<std::shared_ptr<const SecretStore>> DaemonSecrets::read() const {
    std::shared_ptr<const SecretStore> store = TRY(load_secrets(config_dir(), environment_));
    return store;
}

void DaemonSecrets::hide(const std::shared_ptr<const SecretStore>& store) {
    std::erase_if(hidden_, [](const Hidden& one) { return one.first.expired(); }); // no session has it any more
    hidden_.emplace_back(store, std::make_shared<Redactor>(*store));
    std::vector<std::shared_ptr<const Redactor>> redactors;
    for (const auto& [known, redactor] : hidden_) {
        redactors.push_back(redactor);
    }
    log::set_redactor([redactors](std::string message) {
        for (const auto& redactor : redactors) {
            message = redactor->redacted(std::move(message));
        }
        return message;
    });
}

} // namespace handeye
