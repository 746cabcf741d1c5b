// What: allocates a batch of blocks of one size and gives them up by one reset or by a free for each; also one block at
// a time. "plain" does not touch the blocks and so measures only the allocator; "written" writes the first word of
// each.
#include <memory>
#include <type_traits>

#include "bench/family/members.h"

namespace family {
namespace {

// Members that have only one block size are constructed with it.
template <class Contender> std::unique_ptr<Contender> make(size_t bytes) {
    if constexpr (std::is_default_constructible_v<Contender>) return std::make_unique<Contender>();
    else return std::make_unique<Contender>(bytes);
}

enum class Use { plain, written };

template <Use how> void use(void *p) {
    benchmark::DoNotOptimize(p);
    if (how == Use::written) *static_cast<volatile size_t *>(p) = 1;
}

// Sizes are compile-time constants, as in a program that creates objects; all contenders profit.
struct Batches {
    template <class Contender, size_t bytes, Use how> static void run(benchmark::State &state) {
        const auto contender = make<Contender>(bytes);
        for (auto _ : state) {
            for (size_t i = 0; i < batch; i++) use<how>(contender->allocate(bytes));
            contender->free_all();
        }
        state.SetItemsProcessed(static_cast<int64_t>(batch) * state.iterations());
    }
};

struct Turns {
    template <class Contender, size_t bytes, Use how> static void run(benchmark::State &state) {
        const auto contender = make<Contender>(bytes);
        for (auto _ : state) {
            void *p = contender->take(bytes);
            use<how>(p);
            contender->give(p, bytes);
        }
        state.SetItemsProcessed(state.iterations());
    }
};

template <class Question, class Contender, size_t bytes> void add_size(const std::string &question, const std::string &name) {
    const std::string rest = "/" + name + "/" + std::to_string(bytes);
    benchmark::RegisterBenchmark((question + "_plain" + rest).c_str(), Question::template run<Contender, bytes, Use::plain>);
    benchmark::RegisterBenchmark((question + "_written" + rest).c_str(), Question::template run<Contender, bytes, Use::written>);
}

template <class Question, class Contender> void add(const char *question, const char *name) {
    add_size<Question, Contender, 16>(question, name);
    add_size<Question, Contender, 32>(question, name);
    add_size<Question, Contender, 64>(question, name);
    add_size<Question, Contender, 128>(question, name);
    add_size<Question, Contender, 256>(question, name);
}

template <class Contender> void add_batches(const char *name) { add<Batches, Contender>("reset", name); }
template <class Contender> void add_turns(const char *name) { add<Turns, Contender>("free", name); }

} // namespace

// All contenders: members that give up all blocks at once, and those that free each block.
void register_allocate_and_reset() {
    add_batches<Heap<glibc>>("glibc");
    if (jemalloc::load()) add_batches<Heap<jemalloc>>("jemalloc");
    add_batches<Heap<mbmalloc>>("mbmalloc");
    add_batches<Bump>("bump");
    add_batches<BumpArena>("bump_arena");
    add_batches<BumpArenaShared>("bump_arena_shared");
    add_batches<Region>("region");
    add_batches<FreeingBack<Stack>>("stack_arena");
    add_batches<Freeing<Pool>>("pool");
    add_batches<Freeing<SizeClassed>>("size_classed");
    add_batches<Freeing<RemoteSlab>>("remote_slab");
    add_batches<Freeing<RemoteHandle>>("remote_handle");
    add_batches<Freeing<System>>("system");
}

// Contenders that free single blocks: one block is allocated and freed.
void register_allocate_and_free() {
    add_turns<glibc>("glibc");
    if (jemalloc::load()) add_turns<jemalloc>("jemalloc");
    add_turns<mbmalloc>("mbmalloc");
    add_turns<Stack>("stack_arena");
    add_turns<Pool>("pool");
    add_turns<SizeClassed>("size_classed");
    add_turns<RemoteSlab>("remote_slab");
    add_turns<RemoteHandle>("remote_handle");
    add_turns<System>("system");
}

} // namespace family
