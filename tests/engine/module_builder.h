// SPDX-License-Identifier: Apache-2.0
// One module's tensors in memory, for tests of weight formats.
#pragma once

#include "engine/quant/weight_format.h"

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

class ModuleBuilder {
public:
    explicit ModuleBuilder(QuantHints hints = {}) : hints_(hints) {}
    ModuleBuilder(ModuleBuilder&&) = default; // the views stay right; in a copy they would not
    ModuleBuilder& operator=(ModuleBuilder&&) = default;

    /// `values` are copied to an address that is not aligned, as files may hold them.
    template <class T>
    void add(const std::string& suffix, DType dtype, const Shape& shape, const std::vector<T>& values) {
        std::vector<std::byte>& bytes = bytes_["m" + suffix];
        bytes.assign(1 + values.size() * sizeof(T), std::byte{});
        if (!values.empty()) {
            std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
        }
        views_["m" + suffix] = {bytes.data() + 1, dtype, shape};
    }
    void set_blocks(const BlockFormat* blocks) { views_["m.weight"].blocks = blocks; }
    void remove(const std::string& suffix) { views_.erase("m" + suffix); }
    [[nodiscard]] TensorView& view(const std::string& suffix) { return views_.at("m" + suffix); }

    /// Points into this object, which must stay where it is.
    [[nodiscard]] ModuleTensors tensors() const {
        return {"m", hints_, [this](std::string_view name) {
                    const auto found = views_.find(name);
                    return found == views_.end() ? nullptr : &found->second;
                }};
    }

private:
    QuantHints hints_;
    std::map<std::string, std::vector<std::byte>, std::less<>> bytes_;
    std::map<std::string, TensorView, std::less<>> views_;
};

} // namespace handeye
