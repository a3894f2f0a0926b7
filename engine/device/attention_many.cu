// SPDX-License-Identifier: Apache-2.0
// Which attention an operation gets: by the rows of each span alone, so that a sequence's results do not depend on the others.
#include "engine/device/attention_many.h"
#include "engine/device/kernels.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

/// Whether a span has few rows, or `few` false: many. A recorded launch may meet both.
bool has_spans(const device::Attention& op, bool few) {
    if (op.host_spans == nullptr) {
        return few || op.rows_most > device::kFewAttentionRows;
    }
    for (int i = 0; i < op.n_spans; ++i) {
        if ((op.host_spans[i].rows <= device::kFewAttentionRows) == few) {
            return true;
        }
    }
    return false;
}

bool in_half(bool exact, int head_dim) { return !exact && (head_dim == 64 || head_dim == 128); }

} // namespace

void run(Stream stream, const device::Attention& op) {
    if (op.rows_most == 0 || op.n_spans == 0) {
        return;
    }
    if (has_spans(op, true)) {
        attend_few(stream, op);
    }
    if (has_spans(op, false)) {
        in_half(op.exact, op.kv.head_dim) ? attend_half(stream, op) : attend_exact(stream, op);
    }
}

void run(Stream stream, const device::FullAttention& op) {
    if (op.q.rows == 0) {
        return;
    }
    in_half(op.exact, op.head_dim) ? attend_half(stream, op) : attend_exact(stream, op);
}

} // namespace handeye::HANDEYE_DEVICE
