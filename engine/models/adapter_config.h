// SPDX-License-Identifier: Apache-2.0
// What an adapter_config.json says of the ranks and scales of its modules.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

class AdapterConfig {
public:
    static Result<AdapterConfig> read(const std::filesystem::path& file);

    /// The rank that a module ("model.layers.0.self_attn.q_proj") must have, and what its product is multiplied by.
    [[nodiscard]] Result<int> rank(std::string_view module) const;
    [[nodiscard]] Result<float> scale(std::string_view module) const;

private:
    template <class T>
    struct Pattern {
        std::string key; ///< a regular expression for the end of a module's name
        T value;
    };

    int rank_ = 0;
    double alpha_ = 0;
    bool is_rank_stabilised_ = false;
    std::vector<Pattern<int>> ranks_;
    std::vector<Pattern<double>> alphas_;
};

} // namespace handeye
