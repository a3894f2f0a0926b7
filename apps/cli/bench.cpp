// SPDX-License-Identifier: Apache-2.0
// `handeye bench`: each figure beside what this machine allows, measured in the same run, and their ratio.
#include "agent/bench_step.h"
#include "apps/cli/command.h"
#include "base/file.h"
#include "engine/engine.h"
#include "platforms/bench.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
