// SPDX-License-Identifier: Apache-2.0
// Task files from outside: reading, checking, laying out. What is laid out anew reads the same.
#include "agent/task_file.h"
#include "agent/taskfile/check.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/tree.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    const std::string_view text(reinterpret_cast<const char*>(data), size); // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
    const taskfile::Reading reading = taskfile::read_tree(text);
    if (!reading.mistakes.empty()) {
        return 0;
    }
    std::vector<taskfile::Mistake> mistakes;
    const taskfile::Node tree = taskfile::checked(reading.tree, taskfile::ShapeId::File, mistakes);
    if (mistakes.empty()) {
        taskfile::check_names(tree, mistakes);
    }
    if (const auto once = format_task_file(text); once) {
        const auto twice = format_task_file(*once);
        if (!twice || *twice != *once) {
            std::abort();
        }
    }
    return 0;
}
