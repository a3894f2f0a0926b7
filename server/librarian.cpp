// SPDX-License-Identifier: Apache-2.0
#include "server/librarian.h"

namespace handeye {
namespace {

template <typename Map>
typename Map::iterator next_after(Map& map, const typename Map::key_type& last) {
    const auto next = map.upper_bound(last);
    return next == map.end() ? map.begin() : next;
}

} // namespace

bool Librarian::submit(const Reader& reader, const Reply& reply, std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        Shelf& shelf = shelves_[reader.token];
        if (shelf.waiting >= kWaitingMax) {
            return false;
        }
        shelf.of_peer[reader.peer].push_back({reply, std::move(job)});
        ++shelf.waiting;
    }
    changed_.notify_one();
    return true;
}

Librarian::Wanted Librarian::take() {
    const auto shelf = next_after(shelves_, last_token_);
    last_token_ = shelf->first;
    const auto peer = next_after(shelf->second.of_peer, shelf->second.last_peer);
    shelf->second.last_peer = peer->first;
    Wanted wanted = std::move(peer->second.front());
    peer->second.pop_front();
    if (peer->second.empty()) {
        shelf->second.of_peer.erase(peer);
    }
    if (--shelf->second.waiting == 0) {
        shelves_.erase(shelf);
    }
    return wanted;
}

void Librarian::run(const std::stop_token& stop) {
    for (;;) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [this] { return !shelves_.empty(); });
        if (stop.stop_requested()) {
            return;
        }
        const Wanted wanted = take();
        lock.unlock();
        if (wanted.reply.stop().stop_requested()) { // cancelled, or its client has gone
            wanted.reply.fail(RpcError{ErrorKind::Cancelled, "nobody waits for this answer", ""});
        } else if (!wanted.reply.is_answered()) {
            wanted.job();
        }
    }
}

} // namespace handeye
