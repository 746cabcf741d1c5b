// What: a batch of blocks of one size, then all given up: by one reset, or by a free for each. And one block at a time.
// "plain" touches no block: the allocator's cost alone. "written" writes the first word of each, as a user would.
#include <memory>

#include "bench/family/family.h"

namespace family {
namespace {

enum class Use { plain, written };

template <Use how> void use(void *p) {
    benchmark::DoNotOptimize(p);
    if (how == Use::written) *static_cast<volatile size_t *>(p) = 1;
}

// Sizes are constants, as in a program that makes objects: all contenders profit.
struct Batches {
    template <class Contender, size_t bytes, Use how> static void run(benchmark::State &state) {
        const auto contender = std::make_unique<Contender>();
        for (auto _ : state) {
            for (size_t i = 0; i < batch; i++) use<how>(contender->allocate(bytes));
            contender->free_all();
        }
        state.SetItemsProcessed(static_cast<int64_t>(batch) * state.iterations());
    }
};

struct Turns {
    template <class Contender, size_t bytes, Use how> static void run(benchmark::State &state) {
        const auto contender = std::make_unique<Contender>();
        for (auto _ : state) {
            use<how>(contender->allocate(bytes));
            contender->free_all();
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

// Members that give up all blocks at once.
void register_allocate_and_reset() {
    add_batches<Heap<glibc>>("glibc");
    if (jemalloc::load()) add_batches<Heap<jemalloc>>("jemalloc");
    add_batches<Heap<mbmalloc>>("mbmalloc");
    add_batches<Bump>("bump");
    add_batches<Region>("region");
}

// Members that free single blocks; an arena's nearest answer is to give up the one block that it has.
void register_allocate_and_free() {
    add_turns<Heap<glibc>>("glibc");
    if (jemalloc::load()) add_turns<Heap<jemalloc>>("jemalloc");
    add_turns<Heap<mbmalloc>>("mbmalloc");
    add_turns<Bump>("bump");
}

} // namespace family
