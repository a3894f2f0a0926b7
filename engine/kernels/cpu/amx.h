// SPDX-License-Identifier: Apache-2.0
// Matrix products on the tile unit of x86 servers (AMX), where there is one. Its factors have 8 bits (bfloat16): each activation is taken as
// three of them, and each weight as so many as hold it.
#pragma once

#include "engine/kernels/cpu/code_parts.h"
#include "engine/kernels/cpu/matmul_job.h"
#include "engine/kernels/thread_pool.h"

namespace handeye::kernels {

/// Whether this machine has the unit and the kernel lends it to this process; asked once.
bool has_amx();

/// As matmul(), for more than a few rows. has_amx() must be true. A row's result does not depend on what is computed beside it.
void amx_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w);
/// The same with blocks of 32 codes, whose parts.unpack_groups must be there.
void amx_groups_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w, const CodeParts& parts);
/// And with blocks of 256, whose parts.unpack must be there; activations are rounded to 16 bits under a scale for 256 of them.
void amx_codes_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w, const CodeParts& parts);

} // namespace handeye::kernels
