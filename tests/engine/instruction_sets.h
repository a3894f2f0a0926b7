// SPDX-License-Identifier: Apache-2.0
// Run-time dispatch picks one instruction set; tests try each that this machine has.
#pragma once

#include <cstdint>
#include <vector>

#include <hwy/targets.h>

namespace handeye {

/// Those of this machine. The baseline that every build contains has no bit of its own among them.
inline std::vector<std::int64_t> instruction_sets() {
    std::vector<std::int64_t> list;
    for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
        list.push_back(rest & -rest);
    }
    return list;
}

/// All kernels are computed by this one until the end of its life, or by the next lower one that they are compiled for. Not while anything is
/// computed.
class ChosenInstructionSet {
public:
    explicit ChosenInstructionSet(std::int64_t target) { choose(target); }
    ~ChosenInstructionSet() { choose(0); } // the machine's own
    ChosenInstructionSet(const ChosenInstructionSet&) = delete;
    ChosenInstructionSet& operator=(const ChosenInstructionSet&) = delete;

private:
    static void choose(std::int64_t target) {
        hwy::SetSupportedTargetsForTest(target == 0 ? 0 : ~(target - 1) & hwy::SupportedTargets()); // lower ones have higher bits
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
};

} // namespace handeye
