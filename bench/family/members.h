// What: contenders: the members of the region family that free single blocks, or from which many threads allocate. Each
// has room for a batch; a member with only one block size is constructed with it.
#ifndef MB_BENCH_FAMILY_MEMBERS_H
#define MB_BENCH_FAMILY_MEMBERS_H

#include "bench/family/family.h"

namespace family {

constexpr size_t room = size_t{1} << 30; // of address space: more than any contender uses

inline void expect(enum mb_error error, const char *what) {
    if (error != MB_OK) fail(what);
}

// Frees each block of a batch, as users of malloc do.
template <class Made> class Freeing {
  public:
    explicit Freeing(size_t bytes) : made_(bytes) {}
    void *allocate(size_t bytes) { return blocks_[count_++] = made_.take(bytes); }
    void free_all() {
        for (size_t i = 0; i < count_; i++) made_.give(blocks_[i], 0);
        count_ = 0;
    }

  private:
    void *blocks_[batch];
    size_t count_ = 0;
    Made made_;
};

// Frees the newest block first.
template <class Made> class FreeingBack {
  public:
    explicit FreeingBack(size_t bytes) : made_(bytes) {}
    void *allocate(size_t bytes) { return blocks_[count_++] = made_.take(bytes); }
    void free_all() {
        while (count_ > 0) made_.give(blocks_[--count_], 0);
    }

  private:
    void *blocks_[batch];
    size_t count_ = 0;
    Made made_;
};

struct Pool {
    explicit Pool(size_t bytes) { expect(mb_slab_pool_new(&pool, bytes, 16, room), "pool"); }
    ~Pool() { mb_slab_pool_drop(&pool); }
    void *take(size_t) { return mb_slab_pool_take(&pool); }
    void give(void *p, size_t) { mb_slab_pool_give(&pool, p); }
    mb_slab_pool pool;
};

struct SizeClassed {
    explicit SizeClassed(size_t = 0) { expect(mb_size_classed_new(&classed, room), "size-classed allocator"); }
    ~SizeClassed() { mb_size_classed_drop(&classed); }
    void *take(size_t bytes) { return mb_size_classed_allocate(&classed, bytes, 16); }
    void give(void *p, size_t) { mb_size_classed_deallocate(&classed, p); }
    mb_size_classed classed;
};

// Frees as the owner does, and as another thread does: by a handle, with a compare-and-swap for each block.
struct RemoteSlab {
    explicit RemoteSlab(size_t bytes) {
        expect(mb_remote_slab_new(&slab, bytes, 16, room), "remote slab");
        mb_remote_slab_handle(&slab, &handle);
    }
    ~RemoteSlab() {
        mb_remote_handle_drop(&handle);
        mb_remote_slab_drop(&slab);
    }
    void *take(size_t) { return mb_remote_slab_take(&slab); }
    void give(void *p, size_t) { mb_remote_slab_give(&slab, p); }
    mb_remote_slab slab;
    mb_remote_handle_shared handle;
};
struct RemoteHandle : RemoteSlab {
    using RemoteSlab::RemoteSlab;
    void give(void *p, size_t) { mb_remote_handle_give(&handle, p); }
};

struct Stack {
    explicit Stack(size_t) {
        expect(mb_region_allocator_new_lazy(&region, room), "region");
        expect(mb_stack_arena_over(&stack, &region.allocator, MB_POLICY_ABORT), "stack arena");
    }
    ~Stack() {
        mb_stack_arena_drop(&stack);
        mb_allocator_drop(&region.allocator);
    }
    void *take(size_t bytes) { return mb_stack_arena_allocate(&stack, bytes, 16); }
    void give(void *p, size_t) { mb_stack_arena_deallocate(&stack, p); }
    mb_region_allocator region;
    mb_stack_arena stack;
};

struct System {
    explicit System(size_t) { mb_system_shared_init(&system); }
    void *take(size_t bytes) { return mb_allocator_allocate(&system.allocator, bytes, 16); }
    void give(void *p, size_t bytes) { mb_allocator_deallocate(&system.allocator, p, bytes); }
    mb_system_shared system;
};

// --- arenas over a lazy region ---------------------------------------------------------------------------------------

class BumpArena {
  public:
    BumpArena() {
        expect(mb_region_allocator_new_lazy(&region_, room), "region");
        expect(mb_bump_arena_over(&arena_, &region_.allocator, MB_POLICY_ABORT), "bump arena");
    }
    ~BumpArena() {
        mb_bump_arena_drop(&arena_);
        mb_allocator_drop(&region_.allocator);
    }
    void *allocate(size_t bytes) { return mb_bump_arena_allocate(&arena_, bytes, 16); }
    void free_all() { mb_bump_arena_reset(&arena_); }
    mb_allocator *allocator() { return &arena_.allocator; }

  private:
    mb_region_allocator region_;
    mb_bump_arena arena_;
};

class BumpArenaShared {
  public:
    explicit BumpArenaShared(size_t bytes = room) {
        expect(mb_region_allocator_new_lazy(&region_, bytes), "region");
        expect(mb_bump_arena_shared_over(&arena_, &region_.allocator, MB_POLICY_ABORT), "shared bump arena");
    }
    ~BumpArenaShared() {
        mb_bump_arena_shared_drop(&arena_);
        mb_allocator_drop(&region_.allocator);
    }
    void *allocate(size_t bytes) { return mb_bump_arena_shared_allocate(&arena_, bytes, 16); }
    void free_all() { mb_bump_arena_shared_reset(&arena_); }

  private:
    mb_region_allocator region_;
    mb_bump_arena_shared arena_;
};

} // namespace family

#endif
