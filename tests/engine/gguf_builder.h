// SPDX-License-Identifier: Apache-2.0
// Writes GGUF files for tests, right ones and wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace handeye {

class GgufBuilder {
public:
    static constexpr std::uint32_t kU8 = 0, kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9, kU64 = 10, kI64 = 11;
    static constexpr std::uint32_t kTensorF32 = 0, kTensorQ4K = 12;

    template <class T>
    static std::string raw(T value) {
        std::string bytes(sizeof value, '\0');
        std::memcpy(bytes.data(), &value, sizeof value);
        return bytes;
    }
    static std::string text(const std::string& value) { return raw(std::uint64_t{value.size()}) + value; }

    /// `value` are the bytes after the type.
    GgufBuilder& key(const std::string& name, std::uint32_t type, const std::string& value) {
        keys_ += text(name) + raw(type) + value;
        ++key_count;
        return *this;
    }
    GgufBuilder& count(const std::string& name, std::uint32_t value) { return key(name, kU32, raw(value)); }
    GgufBuilder& real(const std::string& name, float value) { return key(name, kF32, raw(value)); }
    GgufBuilder& word(const std::string& name, const std::string& value) { return key(name, kString, text(value)); }
    GgufBuilder& words(const std::string& name, const std::vector<std::string>& values) {
        std::string bytes = raw(kString) + raw(std::uint64_t{values.size()});
        for (const std::string& value : values) {
            bytes += text(value);
        }
        return key(name, kArray, bytes);
    }
    GgufBuilder& counts(const std::string& name, const std::vector<std::int32_t>& values) {
        std::string bytes = raw(kI32) + raw(std::uint64_t{values.size()});
        for (const std::int32_t value : values) {
            bytes += raw(value);
        }
        return key(name, kArray, bytes);
    }
    /// `dims` with the fastest first, as the file has them. `offset` ~0: where the one before ends.
    GgufBuilder& tensor(const std::string& name, const std::vector<std::uint64_t>& dims, std::uint32_t type, const std::string& data,
                        std::uint64_t offset = ~0ULL) {
        infos_ += text(name) + raw(static_cast<std::uint32_t>(dims.size()));
        for (const std::uint64_t dim : dims) {
            infos_ += raw(dim);
        }
        infos_ += raw(type) + raw(offset == ~0ULL ? std::uint64_t{data_.size()} : offset);
        data_ += data;
        data_.append((alignment - data_.size() % alignment) % alignment, '\0');
        ++tensor_count;
        return *this;
    }
    [[nodiscard]] std::string build() const {
        std::string file = magic + raw(version) + raw(tensor_count) + raw(key_count) + keys_ + infos_;
        if (!data_.empty()) {
            file.append((alignment - file.size() % alignment) % alignment, '\0');
        }
        return file + data_;
    }

    std::string magic = "GGUF";
    std::uint32_t version = 3;
    std::uint64_t tensor_count = 0;
    std::uint64_t key_count = 0;
    std::size_t alignment = 32;

private:
    std::string keys_;
    std::string infos_;
    std::string data_;
};

} // namespace handeye
