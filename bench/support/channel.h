// What: two ways to pass pointers between threads: a queue with a lock, and a ring buffer for one producer and one
// consumer.
// Who: Queue any threads; Ring one pushes, one pops. Neither allocates after its construction, so that a benchmark
// measures only its own calls of malloc.
#ifndef MB_BENCH_SUPPORT_CHANNEL_H
#define MB_BENCH_SUPPORT_CHANNEL_H

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <sched.h>
#include <vector>

namespace bench {

class Queue {
public:
    explicit Queue(size_t capacity) : slots_(capacity) {}

    void push(void *p) {
        std::unique_lock<std::mutex> hold(lock_);
        has_room_.wait(hold, [this] { return tail_ - head_ < slots_.size(); });
        slots_[tail_++ % slots_.size()] = p;
        has_items_.notify_one();
    }

    void *pop() {
        std::unique_lock<std::mutex> hold(lock_);
        has_items_.wait(hold, [this] { return tail_ != head_; });
        void *p = slots_[head_++ % slots_.size()];
        has_room_.notify_one();
        return p;
    }

private:
    std::mutex lock_;
    std::condition_variable has_room_, has_items_;
    std::vector<void *> slots_;
    size_t head_ = 0, tail_ = 0;
};

// Waits by yielding: with fewer cores than threads, spinning would measure the scheduler.
class Ring {
public:
    explicit Ring(size_t capacity) : slots_(capacity) {}

    void push(void *p) {
        const size_t tail = tail_.load(std::memory_order_relaxed);
        while (tail - head_.load(std::memory_order_acquire) == slots_.size()) sched_yield();
        slots_[tail % slots_.size()] = p;
        tail_.store(tail + 1, std::memory_order_release);
    }

    void *pop() {
        const size_t head = head_.load(std::memory_order_relaxed);
        while (tail_.load(std::memory_order_acquire) == head) sched_yield();
        void *p = slots_[head % slots_.size()];
        head_.store(head + 1, std::memory_order_release);
        return p;
    }

private:
    alignas(64) std::atomic<size_t> head_{0};
    alignas(64) std::atomic<size_t> tail_{0};
    alignas(64) std::vector<void *> slots_;
};

} // namespace bench

#endif
