// SPDX-License-Identifier: Apache-2.0
// The side inside handeye-video: FFmpeg's libraries, where a broken film reaches nothing.
#pragma once

namespace handeye {

/// What the libraries open or ask at first use is behind them. Call it before the sandbox is entered.
void warm_up_film_decoder();
/// Answers one film on `socket`. Returns the exit code.
int serve_film(int socket);

} // namespace handeye
