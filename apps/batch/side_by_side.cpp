// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/side_by_side.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace handeye::batch {

Result<void> side_by_side(std::size_t count, std::size_t workers, const std::stop_token& stop,
                          const std::function<Result<void>(std::size_t index, std::size_t worker, const std::stop_token& stop)>& work) {
    std::stop_source ends;
    const std::stop_callback program_ends(stop, [&ends] { ends.request_stop(); });
    std::mutex mutex; // guards next and first
    std::size_t next = 0;
    std::size_t done = 0;
    std::optional<Error> first;
    const auto take = [&]() -> std::optional<std::size_t> {
        const std::lock_guard lock(mutex);
        return next < count && !ends.stop_requested() ? std::optional(next++) : std::nullopt;
    };
    {
        std::vector<std::jthread> threads;
        for (std::size_t worker = 0; worker < std::min(workers, count); ++worker) {
            threads.emplace_back([&, worker] {
                while (const auto index = take()) {
                    const Result<void> result = work(*index, worker, ends.get_token());
                    const std::lock_guard lock(mutex);
                    done += result ? 1 : 0;
                    if (!result && !first) {
                        first = result.error();
                        ends.request_stop();
                    }
                }
            });
        }
    }
    if (stop.stop_requested() && done < count) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    return first ? Result<void>(*first) : Result<void>();
}

} // namespace handeye::batch
