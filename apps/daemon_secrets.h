// SPDX-License-Identifier: Apache-2.0
// The daemon's secrets: read at its start and again at each reload, and hidden from its log.
#pragma once

#include "agent/secrets.h"
#include "base/result.h"

#include <memory>
#include <utility>
#include <vector>

namespace handeye {

class Redactor;

/// One thread at a time: the one that starts the daemon, then the one that reloads.
class DaemonSecrets {
public:
    /// Takes $HANDEYE_SECRET_NAME out of the environment before a program on a target could inherit it, and keeps it.
    static Result<DaemonSecrets> from_environment();
    /// secrets.yaml as it is now, and what the environment held. Errors as load_secrets().
    [[nodiscard]] Result<std::shared_ptr<const SecretStore>> read() const;
    /// From here on no line of the log holds these, nor those that an open session still types.
    void hide(const std::shared_ptr<const SecretStore>& store);

private:
    explicit DaemonSecrets(SecretStore environment) : environment_(std::move(environment)) {}
    using Hidden = std::pair<std::weak_ptr<const SecretStore>, std::shared_ptr<const Redactor>>;

    SecretStore environment_;
    std::vector<Hidden> hidden_;
};

} // namespace handeye
