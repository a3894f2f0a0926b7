// SPDX-License-Identifier: Apache-2.0
// The probe window of a build without X11.
#include "platforms/probe.h"

namespace handeye {

Result<std::unique_ptr<ProbeWindow>> ProbeWindow::open(Platform&) {
    return Error{ErrorCode::Unsupported, "this build has no platform with a probe window: configure with HANDEYE_X11=ON"};
}

} // namespace handeye
