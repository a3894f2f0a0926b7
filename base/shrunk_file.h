// SPDX-License-Identifier: Apache-2.0
// Model files are mapped, and a mapped file that somebody cuts short ends the program at the next read of what is gone.
#pragma once

namespace handeye {

/// From now on such an end says what happened and has this exit code. Other bus errors end the program as before.
void explain_shrunk_files(int exit_code);

} // namespace handeye
