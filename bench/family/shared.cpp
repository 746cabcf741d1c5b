// What: 1, 2 and 4 threads allocate 64-byte blocks from one shared bump arena, over committed memory and over a lazy
// region that is committed as needed; for comparison malloc and free in as many threads. The blocks are not touched.
#include <memory>

#include "bench/family/members.h"

namespace family {
namespace {

constexpr size_t block = 64;
constexpr size_t arena_bytes = size_t{1} << 36; // more than a run allocates; untouched memory costs nothing

mb_region region;
mb_bump_shared bump;

bool commit(void *context, size_t upto) {
    return upto <= mb_region_committed(static_cast<mb_region *>(context)) ||
           mb_region_commit(static_cast<mb_region *>(context), 0, upto) == MB_OK;
}

void begin(benchmark::State &state, mb_commit_function *how) {
    if (state.thread_index() != 0) return; // the others wait for the first at the start of the loop
    if (mb_region_new_lazy(&region, arena_bytes) != MB_OK) fail("lazy region");
    mb_bump_shared_init(&bump, mb_region_base(&region), mb_region_capacity(&region), how, &region);
}

void carve(benchmark::State &state, mb_commit_function *how) {
    begin(state, how);
    for (auto _ : state) {
        void *p = mb_bump_shared_alloc(&bump, block, 16);
        benchmark::DoNotOptimize(p);
        if (p == nullptr) state.SkipWithError("the arena is full");
    }
    if (state.thread_index() == 0) mb_region_drop(&region);
    state.SetItemsProcessed(state.iterations());
}

// The same through struct mb_allocator over a lazy region, which commits in chunks and checks each request.
void carve_member(benchmark::State &state) {
    static std::unique_ptr<BumpArenaShared> arena;
    if (state.thread_index() == 0) arena = std::make_unique<BumpArenaShared>(arena_bytes);
    for (auto _ : state) {
        void *p = arena->allocate(block);
        benchmark::DoNotOptimize(p);
        if (p == nullptr) state.SkipWithError("the arena is full");
    }
    if (state.thread_index() == 0) arena.reset();
    state.SetItemsProcessed(state.iterations());
}

// The first thread allocates, all threads free: by a handle, with a compare-and-swap for each slot. ns per free.
void give_back(benchmark::State &state) {
    constexpr size_t slots = 20000;
    static std::unique_ptr<RemoteSlab> slab;
    static void **taken;
    const size_t threads = static_cast<size_t>(state.threads()), first = static_cast<size_t>(state.thread_index());
    if (first == 0) {
        slab = std::make_unique<RemoteSlab>(block);
        taken = new void *[slots * threads];
        for (size_t i = 0; i < slots * threads; i++) taken[i] = slab->take(block);
    }
    for (auto _ : state) { // one iteration
        for (size_t i = 0; i < slots; i++) mb_remote_handle_give(&slab->handle, taken[i * threads + first]);
    }
    if (first == 0) {
        delete[] taken;
        slab.reset();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(slots));
}

template <class Malloc> void pairs(benchmark::State &state) {
    for (auto _ : state) {
        void *p = Malloc::take(block);
        benchmark::DoNotOptimize(p);
        Malloc::give(p);
    }
    state.SetItemsProcessed(state.iterations());
}

template <class Run> void add(const char *name, Run run) {
    const std::string full = std::string("shared/") + name + "/" + std::to_string(block);
    benchmark::RegisterBenchmark(full.c_str(), run)->Threads(1)->Threads(2)->Threads(4)->UseRealTime();
}

} // namespace

void register_shared() {
    add("glibc", pairs<glibc>);
    if (jemalloc::load()) add("jemalloc", pairs<jemalloc>);
    add("mbmalloc", pairs<mbmalloc>);
    add("bump_shared", [](benchmark::State &state) { carve(state, nullptr); });
    add("bump_shared_lazy", [](benchmark::State &state) { carve(state, commit); });
    add("bump_arena_shared", carve_member);
    benchmark::RegisterBenchmark("give_back/remote_handle/64", give_back)->Threads(1)->Threads(2)->Threads(4)->Iterations(1)->UseRealTime();
}

} // namespace family
