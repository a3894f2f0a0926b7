// SPDX-License-Identifier: Apache-2.0
#include "engine/device/pack_matrix.h"

#include "engine/device/pack_planes.h"
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace handeye::device {
namespace {

constexpr std::int64_t kAlignment = 16;
constexpr std::int64_t kSuperInputs = 256;

std::int64_t divided_up(std::int64_t value, std::int64_t to) { return (value + to - 1) / to; }

// ---- plans ----

// Bytes of one strip in each part; 0: there is no such part.
struct StripBytes {
    std::int64_t base = 0, extra = 0, scale = 0, offset = 0, fine = 0, fine_min = 0;
};
StripBytes strip_bytes(const DeviceMatrix& m) {
    const PlaneBits planes = planes_of(m);
    StripBytes out{.base = m.chunks * chunk_bytes(planes.base), .extra = m.chunks * chunk_bytes(planes.extra)};
    if (!m.has_scales) {
        return out;
    }
    const std::int64_t bytes = std::int64_t{m.groups} * kStrip;
    const std::int64_t numbers = bytes * (m.numbers == NumberKind::F32 ? 4 : 2);
    const std::int64_t supers = divided_up(m.cols, kSuperInputs) * kStrip * 2;
    switch (m.scales) {
        case ScaleKind::Number: out.scale = numbers; break;
        case ScaleKind::NumberAndOffset: out.scale = out.offset = numbers; break;
        case ScaleKind::NumberAndZero: out.scale = numbers, out.fine = bytes; break;
        case ScaleKind::Super: out.scale = supers, out.fine = bytes; break;
        case ScaleKind::SuperAndMin: out.scale = out.offset = supers, out.fine = out.fine_min = bytes; break;
    }
    return out;
}

void place_parts(MatrixPlan& plan) {
    const auto place = [&](std::int64_t& offset, std::int64_t bytes) {
        if (bytes > 0) {
            offset = plan.bytes;
            plan.bytes += divided_up(bytes, kAlignment) * kAlignment;
        }
    };
    const StripBytes strip = strip_bytes(plan.shape);
    const std::int64_t strips = plan.shape.strips;
    place(plan.offsets.base, strips * strip.base);
    place(plan.offsets.extra, strips * strip.extra);
    place(plan.offsets.scale, strips * strip.scale);
    place(plan.offsets.offset, strips * strip.offset);
    place(plan.offsets.fine, strips * strip.fine);
    place(plan.offsets.fine_min, strips * strip.fine_min);
    place(plan.offsets.inputs, static_cast<std::int64_t>(plan.inputs.size() * sizeof(std::int32_t)));
}

DeviceMatrix shape_of(std::int64_t rows, std::int64_t cols, CodeKind kind) {
    const int chunks = static_cast<int>(divided_up(cols, kChunk));
    return {.rows = static_cast<int>(rows),
            .cols = static_cast<int>(cols),
            .strips = static_cast<int>(divided_up(rows, kStrip)),
            .chunks = chunks,
            .kind = kind,
            .group = chunks * kChunk, // one, where there are no scales
            .groups = 1};
}

void set_scales(DeviceMatrix& m, const CodeLayout& layout) {
    const bool is_one = layout.group >= m.cols;
    m.has_scales = true;
    m.scales = layout.scales;
    m.numbers = layout.numbers == DType::F16 ? NumberKind::F16 : layout.numbers == DType::BF16 ? NumberKind::Bf16 : NumberKind::F32;
    m.group = is_one ? m.chunks * kChunk : static_cast<int>(layout.group);
    m.groups = is_one ? 1 : static_cast<int>(divided_up(std::int64_t{m.chunks} * kChunk, layout.group));
    m.factor = layout.factor;
}

bool is_fp8(const WeightMatrix& w) { return w.format == &kFp8Format; }
bool is_plain(const WeightMatrix& w) { return w.format == &kPlainFormat; }

MatrixPlan plan_fp8(const WeightMatrix& w) {
    MatrixPlan plan{.shape = shape_of(w.rows, w.cols, CodeKind::Fp8), .layout = CodeLayout{.bits = 8, .group = w.group}};
    set_scales(plan.shape, *plan.layout);
    place_parts(plan);
    return plan;
}
MatrixPlan plan_numbers(const WeightMatrix& w) {
    const DType dtype = is_plain(w) ? w.dtype : DType::F32;
    MatrixPlan plan{.shape = shape_of(w.rows, w.cols, dtype == DType::BF16 ? CodeKind::Bf16 : dtype == DType::F16 ? CodeKind::F16 : CodeKind::F32)};
    place_parts(plan);
    return plan;
}
MatrixPlan codes_plan(std::int64_t rows, std::int64_t cols, const CodeLayout& layout, std::vector<std::int32_t> inputs) {
    MatrixPlan plan{.shape = shape_of(rows, cols, CodeKind::Whole), .layout = layout, .inputs = std::move(inputs)};
    plan.shape.bits = layout.bits;
    plan.shape.zero = layout.zero;
    plan.shape.has_levels = !layout.levels.empty();
    std::copy_n(layout.levels.begin(), std::min<std::size_t>(layout.levels.size(), std::size(plan.shape.levels)), plan.shape.levels);
    set_scales(plan.shape, layout);
    place_parts(plan);
    return plan;
}

// ---- numbers ----

/// The numbers of a strip as they are read: rows one after the other, filled up to whole chunks with zeros.
class StripRows {
public:
    StripRows(std::int64_t chunks, std::int64_t number_bytes) : row_bytes_(chunks * kChunk * number_bytes), bytes_(static_cast<std::size_t>(kStrip * row_bytes_)) {}
    void clear() { std::ranges::fill(bytes_, std::byte{0}); }
    [[nodiscard]] std::byte* row(std::int64_t r) { return bytes_.data() + r * row_bytes_; }

private:
    std::int64_t row_bytes_;
    std::vector<std::byte> bytes_;
};

void pack_numbers(const MatrixPlan& plan, std::int64_t strip, StripRows& rows, std::byte* to) {
    const DeviceMatrix& m = plan.shape;
    const PlaneBits planes = planes_of(m);
    const int number_bytes = std::max(1, planes.base / 8);
    for (std::int64_t c = 0; c < m.chunks; ++c) {
        std::byte* const base = to + plan.offsets.base + (strip * m.chunks + c) * chunk_bytes(planes.base);
        std::byte* const extra = planes.extra > 0 ? to + plan.offsets.extra + (strip * m.chunks + c) * chunk_bytes(planes.extra) : nullptr;
        for (int lane = 0; lane < kLanes; ++lane) {
            const std::byte* const x = rows.row(lane / 4) + c * kChunk * number_bytes;
            const std::byte* const y = rows.row(lane / 4 + 8) + c * kChunk * number_bytes;
            switch (planes.base) {
                case 32: pack_floats(x, y, lane, base); break;
                case 16: pack_halves(x, y, lane, base); break;
                case 8: pack_bytes(x, y, lane, base); break;
                default: pack_nibbles(m, planes, x, y, lane, base, extra); break;
            }
        }
    }
}

// ---- scales ----

// Row r of 16 stands at place 2 (r % 8) + r / 8: rows g and g + 8 are neighbours.
std::int64_t place_of(std::size_t r) { return static_cast<std::int64_t>(2 * (r % 8) + r / 8); }

std::uint32_t number_bits(float value, NumberKind kind) {
    switch (kind) {
        case NumberKind::F16: return float_as_half(value);
        case NumberKind::Bf16: return std::bit_cast<std::uint32_t>(value) >> 16U; // it was one
        case NumberKind::F32: break;
    }
    return std::bit_cast<std::uint32_t>(value);
}

// values(row) is a list of numbers; each becomes `bytes` bytes. Rows that do not exist have zeros.
template <class Values, class Bits>
void put_scales(std::span<const RowCodes> rows, std::int64_t count, std::int64_t bytes, const Values& values, const Bits& bits, std::byte* to) {
    std::memset(to, 0, static_cast<std::size_t>(count * kStrip * bytes));
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto& list = values(rows[r]);
        for (std::int64_t i = 0; i < std::min(count, static_cast<std::int64_t>(list.size())); ++i) {
            const std::uint32_t value = bits(list[static_cast<std::size_t>(i)]);
            std::memcpy(to + (i * kStrip + place_of(r)) * bytes, &value, static_cast<std::size_t>(bytes));
        }
    }
}

void pack_scales(const MatrixPlan& plan, std::int64_t strip, std::span<const RowCodes> rows, std::byte* to) {
    const DeviceMatrix& m = plan.shape;
    const StripBytes bytes = strip_bytes(m);
    const bool is_super = m.scales == ScaleKind::Super || m.scales == ScaleKind::SuperAndMin;
    const auto as_it_is = [](std::uint32_t value) { return value; };
    const auto as_number = [&](float value) { return number_bits(value, m.numbers); };
    const std::int64_t number_bytes = m.numbers == NumberKind::F32 ? 4 : 2;
    std::byte* const scale = to + plan.offsets.scale + strip * bytes.scale;
    std::byte* const offset = to + plan.offsets.offset + strip * bytes.offset;
    if (is_super) {
        const std::int64_t supers = divided_up(m.cols, kSuperInputs);
        put_scales(rows, supers, 2, [](const RowCodes& r) -> const auto& { return r.super; }, as_it_is, scale);
        if (bytes.offset > 0) {
            put_scales(rows, supers, 2, [](const RowCodes& r) -> const auto& { return r.super_min; }, as_it_is, offset);
        }
    } else {
        put_scales(rows, m.groups, number_bytes, [](const RowCodes& r) -> const auto& { return r.scale; }, as_number, scale);
        if (bytes.offset > 0) {
            put_scales(rows, m.groups, number_bytes, [](const RowCodes& r) -> const auto& { return r.offset; }, as_number, offset);
        }
    }
    if (bytes.fine > 0) {
        put_scales(rows, m.groups, 1, [&](const RowCodes& r) -> const auto& { return is_super ? r.fine : r.zero; }, as_it_is, to + plan.offsets.fine + strip * bytes.fine);
    }
    if (bytes.fine_min > 0) {
        put_scales(rows, m.groups, 1, [](const RowCodes& r) -> const auto& { return r.fine_min; }, as_it_is, to + plan.offsets.fine_min + strip * bytes.fine_min);
    }
}

// ---- what is read ----

void read_fp8(const WeightMatrix& w, std::int64_t row, RowCodes& out) {
    const std::int64_t stored = w.first_row + row;
    const auto* const codes = reinterpret_cast<const std::uint8_t*>(w.codes) + stored * w.cols;
    out.codes.assign(codes, codes + w.cols);
    out.scale.clear();
    const std::int64_t groups = divided_up(w.cols, w.group);
    for (std::int64_t i = 0; i < groups; ++i) {
        out.scale.push_back(w.scales.at(stored / w.row_group * groups + i));
    }
}

void read_numbers(const WeightMatrix& w, std::int64_t row, std::byte* to) {
    if (is_plain(w)) {
        const auto bytes = w.cols * static_cast<std::int64_t>(dtype_size(w.dtype));
        std::memcpy(to, w.codes + (w.first_row + row) * bytes, static_cast<std::size_t>(bytes));
    } else {
        std::vector<float> floats(static_cast<std::size_t>(w.cols));
        decode_tile(w, {.row = row, .rows = 1, .col = 0, .cols = w.cols, .stride = w.cols}, floats.data());
        std::memcpy(to, floats.data(), floats.size() * sizeof(float));
    }
}

} // namespace

MatrixPlan plan_matrix(const WeightMatrix& w) {
    if (is_plain(w)) {
        return plan_numbers(w);
    }
    if (is_fp8(w)) {
        return plan_fp8(w);
    }
    const std::optional<CodeLayout> layout = code_layout(w);
    return layout ? codes_plan(w.rows, w.cols, *layout, input_order(w)) : plan_numbers(w);
}

MatrixPlan plan_codes(std::int64_t rows, std::int64_t cols, const CodeLayout& layout) { return codes_plan(rows, cols, layout, {}); }

void pack_codes(const MatrixPlan& plan, std::int64_t strip, std::span<const RowCodes> rows, std::byte* to) {
    StripRows codes(plan.shape.chunks, 1);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::memcpy(codes.row(static_cast<std::int64_t>(r)), rows[r].codes.data(), static_cast<std::size_t>(plan.shape.cols));
    }
    pack_numbers(plan, strip, codes, to);
    pack_scales(plan, strip, rows, to);
}

void pack_strips(const WeightMatrix& w, const MatrixPlan& plan, std::int64_t first_strip, std::int64_t count, std::byte* to) {
    if (first_strip == 0 && !plan.inputs.empty()) {
        std::memcpy(to + plan.offsets.inputs, plan.inputs.data(), plan.inputs.size() * sizeof(std::int32_t));
    }
    std::vector<RowCodes> codes(kStrip);
    StripRows numbers(plan.layout ? 0 : plan.shape.chunks, planes_of(plan.shape).base / 8);
    for (std::int64_t strip = first_strip; strip < first_strip + count; ++strip) {
        const std::int64_t first_row = strip * kStrip;
        const std::int64_t rows = std::min<std::int64_t>(kStrip, w.rows - first_row);
        if (!plan.layout) {
            numbers.clear();
            for (std::int64_t r = 0; r < rows; ++r) {
                read_numbers(w, first_row + r, numbers.row(r));
            }
            pack_numbers(plan, strip, numbers, to);
            continue;
        }
        for (std::int64_t r = 0; r < rows; ++r) {
            RowCodes& row = codes[static_cast<std::size_t>(r)];
            if (plan.shape.kind == CodeKind::Fp8) {
                read_fp8(w, first_row + r, row);
            } else {
                read_row_codes(w, *plan.layout, first_row + r, row);
            }
        }
        pack_codes(plan, strip, std::span(codes).first(static_cast<std::size_t>(rows)), to);
    }
}

DeviceMatrix at(const MatrixPlan& plan, const void* base) {
    const auto* const bytes = static_cast<const std::uint8_t*>(base);
    const auto part = [&](std::int64_t offset) { return offset < 0 ? nullptr : bytes + offset; };
    DeviceMatrix out = plan.shape;
    out.base = part(plan.offsets.base);
    out.extra = part(plan.offsets.extra);
    out.scale = part(plan.offsets.scale);
    out.offset = part(plan.offsets.offset);
    out.fine = part(plan.offsets.fine);
    out.fine_min = part(plan.offsets.fine_min);
    out.inputs = static_cast<const std::int32_t*>(static_cast<const void*>(part(plan.offsets.inputs)));
    return out;
}

bool same_layout(const DeviceMatrix& a, const DeviceMatrix& b) {
    return a.rows == b.rows && a.cols == b.cols && a.kind == b.kind && a.bits == b.bits && a.zero == b.zero && a.has_levels == b.has_levels &&
           std::ranges::equal(a.levels, b.levels) && a.has_scales == b.has_scales && a.scales == b.scales && a.numbers == b.numbers && a.group == b.group &&
           a.factor == b.factor;
}

} // namespace handeye::device
