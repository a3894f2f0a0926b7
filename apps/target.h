// SPDX-License-Identifier: Apache-2.0
// Which screen a command means: the target options of the command line and the target object of the API, one meaning.
#pragma once

#include "apps/client_targets.h"
#include "apps/models/store.h"
#include "base/clock.h"
#include "base/result.h"
#include "platforms/open_platform.h"

#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

/// As a person or a client writes it; what each means: target_fields().
struct TargetSpec {
    std::string platform = "x11";
    std::string display;
    std::string window;
    std::string region;              ///< "X,Y,W,H"
    std::string headless;            ///< "WxH"
    std::string serial;              ///< a serial of adb's
    std::string attach;              ///< "HOST:PORT"
    std::string url;
    std::string browser;
    std::string scale;               ///< "1.5"
    std::string allow_domains;               ///< domains, separated by commas or blanks
    std::string deny_domains;
    std::string grant;
    std::string downloads;
    std::string uploads;
    std::string user;
    std::string password_file;
    std::string tls;                 ///< "auto", "require", "verify"
    std::string ca_file;
    bool view_only = false;
    bool is_from_client = false;     ///< of the daemon's: no secret of this user's goes to a host that it chose
    std::vector<std::string> launch; ///< command lines started on the target before anything else, quotes as in a shell
};

/// One field of a target: `password_file` in the API's `target` object is `--password-file` on the command line.
struct TargetField {
    std::string_view name;
    std::variant<std::string TargetSpec::*, bool TargetSpec::*> value;
    std::string_view platforms; ///< those that know it, separated by blanks
    std::string_view help;      ///< one line for a person
};
/// All fields but `platform` and `launch`.
std::span<const TargetField> target_fields();

/// InvalidArgument names the field, what it held and the form it wants; also for a field of another platform.
Result<PlatformOptions> to_platform_options(const TargetSpec& spec);
/// The API's `target` object. Unknown keys and wrong types are errors, and what is not `allowed` is PermissionDenied.
Result<TargetSpec> target_from_json(const std::string& platform, std::string_view target_json, const ClientTargets& allowed);
std::string target_to_json(const TargetSpec& spec);

/// Opens the platform, starts the programs of `launch` and waits until each has shown a window (15 s at most).
Result<std::unique_ptr<Platform>> open_target(const TargetSpec& spec, Clock& clock, std::stop_token stop);

/// --model, else $HANDEYE_MODEL, else the bundled model beside the program or in the source tree it was built from. Both may be the
/// folder of a checkpoint, one .gguf file, "nano" for the bundled one, or NAME[:FORMAT[:QUANTIZATION]] of the registry (find_checkpoint()).
Result<LocalCheckpoint> find_model(const std::string& given);
/// What find_model() looks for: `given`, else $HANDEYE_MODEL; empty: the bundled model.
std::string wanted_model(const std::string& given);

} // namespace handeye
