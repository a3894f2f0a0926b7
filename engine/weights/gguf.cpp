// SPDX-License-Identifier: Apache-2.0
#include "engine/weights/gguf.h"

#include "engine/quant/blocks.h"

#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::uint32_t kMagic = 0x46554747; // "GGUF"
constexpr std::uint64_t kAlignmentMax = 65536;

Error malformed(std::string message) { return {ErrorCode::ParseFailed, "gguf: " + std::move(message)}; }
Error too_much(std::string message) { return {ErrorCode::LimitExceeded, "gguf: " + std::move(message)}; }
Error unsupported(std::string message) { return {ErrorCode::Unsupported, "gguf: " + std::move(message)}; }

enum class Kind : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };
constexpr std::uint32_t kKinds = 13;

std::size_t kind_bytes(Kind kind) {
    switch (kind) {
    case Kind::U8:
    case Kind::I8:
    case Kind::Bool: return 1;
    case Kind::U16:
    case Kind::I16: return 2;
    case Kind::U32:
    case Kind::I32:
    case Kind::F32: return 4;
    case Kind::U64:
    case Kind::I64:
    case Kind::F64:
    case Kind::String: return 8; // a string is at least its length
    case Kind::Array: return 0;
    }
    return 0;
}

// Reads forward; every read is checked against what is left.
class Cursor {
public:
    explicit Cursor(std::span<const std::byte> file) : file_(file) {}
    [[nodiscard]] std::size_t left() const { return file_.size() - at_; }
    [[nodiscard]] std::size_t at() const { return at_; }

    template <class T>
    Result<T> read(std::string_view what) {
        if (left() < sizeof(T)) {
            return malformed(fmt::format("the file ends at {} inside {}", file_.size(), what));
        }
        T value{};
        std::memcpy(&value, file_.data() + at_, sizeof value);
        at_ += sizeof value;
        return value;
    }
    Result<std::string_view> text(std::string_view what) {
        const auto length = TRY(read<std::uint64_t>(what));
        if (length > left()) {
            return malformed(fmt::format("{} of {} bytes where {} are left", what, length, left()));
        }
        const std::string_view text(reinterpret_cast<const char*>(file_.data()) + at_, static_cast<std::size_t>(length));
        at_ += text.size();
        return text;
    }

private:
    std::span<const std::byte> file_;
    std::size_t at_ = 0;
};

Result<Kind> read_kind(Cursor& in, std::string_view key) {
    const auto kind = TRY(in.read<std::uint32_t>(key));
    if (kind >= kKinds) {
        return malformed(fmt::format("{} has the unknown type {}", key, kind));
    }
    return static_cast<Kind>(kind);
}

Result<std::int64_t> read_integer(Cursor& in, Kind kind, std::string_view key) {
    const auto widened = [&]<class T>(T) -> Result<std::int64_t> { return std::int64_t{TRY(in.read<T>(key))}; };
    if (kind == Kind::U8) {
        return widened(std::uint8_t{});
    }
    if (kind == Kind::I8) {
        return widened(std::int8_t{});
    }
    if (kind == Kind::U16) {
        return widened(std::uint16_t{});
    }
    if (kind == Kind::I16) {
        return widened(std::int16_t{});
    }
    if (kind == Kind::U32) {
        return widened(std::uint32_t{});
    }
    if (kind == Kind::I32) {
        return widened(std::int32_t{});
    }
    const auto value = TRY(in.read<std::uint64_t>(key));
    if (kind == Kind::U64 && value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return malformed(fmt::format("{} is {}, more than any count here", key, value));
    }
    return std::bit_cast<std::int64_t>(value);
}

Result<bool> read_bool(Cursor& in, std::string_view key) {
    const auto value = TRY(in.read<std::uint8_t>(key));
    if (value > 1) {
        return malformed(fmt::format("{} is the truth value {}", key, value));
    }
    return value == 1;
}

Result<GgufValue> read_array(Cursor& in, std::string_view key, const GgufLimits& limits) {
    const Kind kind = TRY(read_kind(in, key));
    if (kind == Kind::Array) {
        return unsupported(fmt::format("{} is a list of lists", key));
    }
    const auto count = TRY(in.read<std::uint64_t>(key));
    if (count > in.left() / kind_bytes(kind)) {
        return malformed(fmt::format("{} has {} elements where {} bytes are left", key, count, in.left()));
    }
    if (count > limits.array_max) {
        return too_much(fmt::format("{} has {} elements, at most {}", key, count, limits.array_max));
    }
    if (kind == Kind::String) {
        GgufStrings strings;
        for (std::uint64_t i = 0; i < count; ++i) {
            strings.push_back(TRY(in.text(key)));
        }
        return GgufValue(std::move(strings));
    }
    if (kind == Kind::F32 || kind == Kind::F64) {
        GgufNumbers numbers;
        for (std::uint64_t i = 0; i < count; ++i) {
            numbers.push_back(kind == Kind::F32 ? double{TRY(in.read<float>(key))} : TRY(in.read<double>(key)));
        }
        return GgufValue(std::move(numbers));
    }
    GgufIntegers integers;
    for (std::uint64_t i = 0; i < count; ++i) {
        integers.push_back(kind == Kind::Bool ? std::int64_t{TRY(read_bool(in, key))} : TRY(read_integer(in, kind, key)));
    }
    return GgufValue(std::move(integers));
}

Result<GgufValue> read_value(Cursor& in, Kind kind, std::string_view key, const GgufLimits& limits) {
    if (kind == Kind::F32) {
        return GgufValue(double{TRY(in.read<float>(key))});
    }
    if (kind == Kind::F64) {
        return GgufValue(TRY(in.read<double>(key)));
    }
    if (kind == Kind::Bool) {
        return GgufValue(TRY(read_bool(in, key)));
    }
    if (kind == Kind::String) {
        return GgufValue(TRY(in.text(key)));
    }
    return kind == Kind::Array ? read_array(in, key, limits) : Result<GgufValue>(TRY(read_integer(in, kind, key)));
}

Result<std::uint64_t> read_metadata(Cursor& in, std::uint64_t count, const GgufLimits& limits, GgufMetadata& metadata) {
    std::uint64_t alignment = 32;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string_view key = TRY(in.text("a key"));
        if (key.empty() || key.size() > limits.key_bytes_max) {
            return malformed(fmt::format("a key of {} bytes, expected 1 to {}", key.size(), limits.key_bytes_max));
        }
        const Kind kind = TRY(read_kind(in, key));
        GgufValue value = TRY(read_value(in, kind, key, limits));
        if (key == "general.alignment") {
            const std::int64_t* bytes = kind == Kind::U32 ? std::get_if<std::int64_t>(&value) : nullptr;
            if (bytes == nullptr || !std::has_single_bit(static_cast<std::uint64_t>(*bytes)) ||
                static_cast<std::uint64_t>(*bytes) > kAlignmentMax) {
                return malformed("general.alignment is not a u32 that is a power of two up to 65536");
            }
            alignment = static_cast<std::uint64_t>(*bytes);
        }
        if (!metadata.values.emplace(key, std::move(value)).second) {
            return malformed(fmt::format("the key {} is there twice", key));
        }
    }
    return alignment;
}

struct Entry {
    std::string name;
    TensorView view;
    std::uint64_t offset = 0;
};

Result<void> read_type(std::uint32_t type, std::string_view name, TensorView& view) {
    if (type == 0 || type == 1 || type == 30) {
        view.dtype = type == 0 ? DType::F32 : type == 1 ? DType::F16 : DType::BF16;
        return {};
    }
    view.blocks = find_block_format(type);
    if (view.blocks == nullptr) {
        return unsupported(fmt::format("{} has the tensor type {}{}", name, type,
                                       type >= 31 && type <= 33 ? ", a repacked Q4_0: take the Q4_0 file instead" : ""));
    }
    return {};
}

Result<Entry> read_entry(Cursor& in, const GgufLimits& limits) {
    Entry entry;
    const std::string_view name = TRY(in.text("a tensor name"));
    if (name.empty() || name.size() > limits.name_bytes_max || name.find('\0') != name.npos) {
        return malformed(fmt::format("a tensor name of {} bytes, expected 1 to {} without NUL", name.size(), limits.name_bytes_max));
    }
    entry.name = name;
    const auto rank = TRY(in.read<std::uint32_t>(name));
    if (rank < 1 || rank > 4) {
        return malformed(fmt::format("{} has {} dimensions, expected 1 to 4", name, rank));
    }
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < rank; ++i) {
        const auto dim = TRY(in.read<std::uint64_t>(name));
        if (dim < 1 || dim > std::uint64_t{1} << 40U || __builtin_mul_overflow(elements, dim, &elements) || elements >> 60U != 0) {
            return malformed(fmt::format("{} has a dimension of {}", name, dim));
        }
        entry.view.shape.insert(entry.view.shape.begin(), static_cast<std::int64_t>(dim)); // the fastest comes first here
    }
    const auto type = TRY(in.read<std::uint32_t>(name));
    TRY(read_type(type, name, entry.view));
    if (entry.view.blocks != nullptr && entry.view.shape.back() % entry.view.blocks->elements != 0) {
        return malformed(fmt::format("rows of {} in {} are not made of blocks of {}", entry.view.shape.back(), name,
                                     entry.view.blocks->elements));
    }
    entry.offset = TRY(in.read<std::uint64_t>(name));
    return entry;
}

// Tensors follow each other, each at the next multiple of the alignment.
Result<TensorMap> place_tensors(std::vector<Entry>& entries, std::span<const std::byte> data, std::uint64_t alignment) {
    TensorMap tensors;
    std::uint64_t next = 0;
    for (Entry& entry : entries) {
        if (entry.offset != next) {
            return malformed(fmt::format("{} lies at {}, the one before ends at {}", entry.name, entry.offset, next));
        }
        const std::uint64_t bytes = entry.view.size_bytes(); // below 2^62, as the element count is below 2^60
        if (next > data.size() || bytes > data.size() - next) {
            return malformed(fmt::format("{} of {} bytes at {} passes the end of {} data bytes", entry.name, bytes, next, data.size()));
        }
        entry.view.data = data.data() + next;
        next = (next + bytes + alignment - 1) / alignment * alignment;
        if (!tensors.emplace(entry.name, std::move(entry.view)).second) {
            return malformed(fmt::format("the tensor {} is there twice", entry.name));
        }
    }
    return tensors;
}

Result<void> check_version(std::uint32_t version) {
    if ((version & 0xFFFFU) == 0) {
        return unsupported("this is a big-endian file");
    }
    if (version != 2 && version != 3) {
        return unsupported(fmt::format("version {}, this engine reads 2 and 3", version));
    }
    return {};
}

} // namespace

std::optional<std::int64_t> GgufMetadata::integer(std::string_view key) const {
    const auto* value = get<std::int64_t>(key);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> GgufMetadata::number(std::string_view key) const {
    if (const auto* value = get<double>(key)) {
        return *value;
    }
    const auto whole = integer(key);
    return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

std::optional<bool> GgufMetadata::flag(std::string_view key) const {
    const auto* value = get<bool>(key);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string_view> GgufMetadata::text(std::string_view key) const {
    const auto* value = get<std::string_view>(key);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

Result<GgufContents> parse_gguf(std::span<const std::byte> file, const GgufLimits& limits) {
    static_assert(std::endian::native == std::endian::little);
    constexpr std::uint64_t kLeastKey = 8 + 1 + 4 + 1;
    constexpr std::uint64_t kLeastTensor = 8 + 1 + 4 + 8 + 4 + 8;
    Cursor in(file);
    if (const auto magic = TRY(in.read<std::uint32_t>("the magic")); magic != kMagic) {
        return malformed("the file does not begin with GGUF");
    }
    const auto version = TRY(in.read<std::uint32_t>("the version"));
    TRY(check_version(version));
    const auto tensor_count = TRY(in.read<std::uint64_t>("the tensor count"));
    const auto key_count = TRY(in.read<std::uint64_t>("the key count"));
    if (tensor_count > in.left() / kLeastTensor || key_count > in.left() / kLeastKey) {
        return malformed(fmt::format("{} tensors and {} keys in a file of {} bytes", tensor_count, key_count, file.size()));
    }
    if (tensor_count > limits.tensors_max || key_count > limits.keys_max) {
        return too_much(fmt::format("{} tensors and {} keys, at most {} and {}", tensor_count, key_count, limits.tensors_max,
                                    limits.keys_max));
    }
    GgufContents contents;
    const std::uint64_t alignment = TRY(read_metadata(in, key_count, limits, contents.metadata));
    std::vector<Entry> entries;
    for (std::uint64_t i = 0; i < tensor_count; ++i) {
        entries.push_back(TRY(read_entry(in, limits)));
    }
    const std::uint64_t begin = (in.at() + alignment - 1) / alignment * alignment;
    if (begin > file.size() && !entries.empty()) {
        return malformed(fmt::format("the data would begin at {} of {} bytes", begin, file.size()));
    }
    contents.tensors = TRY(place_tensors(entries, entries.empty() ? file.subspan(0, 0) : file.subspan(begin), alignment));
    return contents;
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
    MappedFile file = TRY(MappedFile::open(path));
    GgufContents contents = TRY(parse_gguf(file.bytes()).with_context(path.filename().string()));
    return GgufFile(std::move(file), std::move(contents));
}

} // namespace handeye
