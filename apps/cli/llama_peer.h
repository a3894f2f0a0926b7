// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace handeye::cli {

/// The Python program that measures llama.cpp, UTF-8.
const char* llama_peer_program();

} // namespace handeye::cli
