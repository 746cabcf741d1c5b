// What: writes where no block is, and reads of freed ones: every fault on every kind of block, own and another
// thread's, tried on 5 live blocks that lie among others (50 with MB_TEST_LONG=1), each in a forked child of its own.
// `damage NAME` prints `found N of 50`; when all are found it commits the fault once more itself, so that the driver
// sees the end. What each profile must find stands in the table.
//
// Who: also run under other allocators, by scripts/misuse-matrix. A child that ends by SIGABRT or SIGSEGV has found its
// fault.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "tests/misuse/actor.h"
#include "tests/misuse/case.h"
}

namespace {

constexpr int MOST_TRIED = 50, FEW_TRIED = 5, AROUND = 3, ALL = MOST_TRIED * AROUND;
constexpr unsigned char MARK = 0xC5;

// --- kinds of blocks -------------------------------------------------------------------------------------------------

struct Kind {
    const char *name;
    std::size_t bytes;
    void *(*make)(std::size_t bytes);
    void (*give)(void *p);
};

void *by_calloc(std::size_t bytes) { return calloc(1, bytes); }
void *by_realloc(std::size_t bytes) { return realloc(hide(malloc(bytes / 3)), bytes); }
void *by_memalign(std::size_t bytes) { return aligned_alloc(64, bytes); }
void *by_page_align(std::size_t bytes) { return aligned_alloc(4096, bytes); }
void *by_new(std::size_t bytes) { return ::operator new(bytes); }
void *by_new_array(std::size_t bytes) { return ::operator new[](bytes); }
void by_delete(void *p) { ::operator delete(p); }
void by_delete_array(void *p) { ::operator delete[](p); }

const Kind kinds[] = {
    {"malloc-1", 1, malloc, free},           {"malloc-24", 24, malloc, free},
    {"malloc-100", 100, malloc, free},       {"malloc-1024", 1024, malloc, free},
    {"malloc-5000", 5000, malloc, free},     {"malloc-30000", 30000, malloc, free},
    {"malloc-100000", 100000, malloc, free}, {"malloc-1M", 1 << 20, malloc, free},
    {"calloc-200", 200, by_calloc, free},    {"realloc-333", 333, by_realloc, free},
    {"aligned-64", 320, by_memalign, free},  {"aligned-4096", 8192, by_page_align, free},
    {"new-48", 48, by_new, by_delete},       {"new-array-2000", 2000, by_new_array, by_delete_array},
};

// --- the faults ------------------------------------------------------------------------------------------------------

struct Scene {
    const Kind *kind;
    char *all[ALL];
    char *victim;
};

// Hides the block's origin from the compiler.
volatile char *at(const Scene &s, std::ptrdiff_t offset) { return static_cast<volatile char *>(hide(s.victim)) + offset; }
std::ptrdiff_t size_of(const Scene &s) { return static_cast<std::ptrdiff_t>(s.kind->bytes); }

void give_victim(Scene &s) { s.kind->give(hide(s.victim)); }

// Tries to get every free block allocated again.
void take_much(const Scene &s) {
    std::size_t count = 2 * ALL + (std::size_t{1} << 22) / s.kind->bytes;
    for (std::size_t i = 0; i < count && i < 20000; i++) hide(s.kind->make(s.kind->bytes));
}

void overflow_by_1(Scene &s) { *at(s, size_of(s)) = 0x41; }
void overflow_by_zero(Scene &s) { *at(s, size_of(s)) = 0; }
void overflow_by_8(Scene &s) {
    for (int i = 0; i < 8; i++) *at(s, size_of(s) + i) = 0x41;
}
void underflow_by_1(Scene &s) { *at(s, -1) = 0x41; }
void underflow_by_8(Scene &s) {
    for (int i = 1; i <= 8; i++) *at(s, -i) = 0x41;
}
void write_after_free(Scene &s) {
    give_victim(s);
    *at(s, size_of(s) / 2) = 0x41;
}
void double_free_later(Scene &s) {
    give_victim(s);
    for (int i = 0; i < 300; i++) s.kind->give(hide(s.kind->make(s.kind->bytes + static_cast<std::size_t>(i % 2))));
    give_victim(s);
}
// Ends like a crash when nothing of the contents is left.
void read_after_free(Scene &s) {
    std::memset(s.victim, MARK, s.kind->bytes);
    give_victim(s);
    for (std::ptrdiff_t i = 0; i < size_of(s); i++)
        if (static_cast<unsigned char>(*at(s, i)) == MARK) _exit(0);
    abort();
}

enum After { FREE, REALLOC, USABLE_SIZE, TAKE, NOTHING };

struct Fault {
    const char *name;
    void (*commit)(Scene &s);
    After after; // where the fault comes to light at the latest
    const char *hardened;
};

#define OVERFLOW "heap overflow (written behind the block)|SEGV"
#define UNDERFLOW "heap underflow (written before the block)|SEGV"

const Fault faults[] = {
    {"overflow-1", overflow_by_1, FREE, OVERFLOW},
    {"overflow-1-zero", overflow_by_zero, FREE, OVERFLOW},
    {"overflow-8", overflow_by_8, FREE, OVERFLOW},
    {"overflow-1-realloc", overflow_by_1, REALLOC, OVERFLOW},
    {"overflow-1-usable-size", overflow_by_1, USABLE_SIZE, OVERFLOW},
    {"underflow-1", underflow_by_1, FREE, UNDERFLOW},
    {"underflow-8", underflow_by_8, FREE, UNDERFLOW},
    {"write-after-free", write_after_free, TAKE, "write after free|SEGV"},
    {"read-after-free", read_after_free, NOTHING, "SILENT|SEGV"},
    // The second text: of a large block that has left the queue of freed ones.
    {"double-free-later", double_free_later, NOTHING, "double free|freed already"},
};

struct Deed {
    const Fault *fault;
    Scene scene;
    bool by_other;
} deed;

void do_deed(void *) { deed.fault->commit(deed.scene); }

void come_to_light(Scene &s) {
    switch (deed.fault->after) {
    case FREE: give_victim(s); break;
    case REALLOC: hide(realloc(hide(s.victim), s.kind->bytes + 1)); break;
    case USABLE_SIZE: (void)malloc_usable_size(hide(s.victim)); break;
    case TAKE: take_much(s); break;
    case NOTHING: break;
    }
}

void commit_on(int index) {
    deed.scene.victim = deed.scene.all[index];
    if (deed.by_other)
        by_thread(do_deed, nullptr);
    else
        do_deed(nullptr);
    come_to_light(deed.scene);
}

bool is_found(int index) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        const rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (freopen("/dev/null", "w", stderr) == nullptr) _exit(3);
        commit_on(index);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) give_up("no child");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) give_up("a child failed");
    return WIFSIGNALED(status) &&
           (WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGTRAP || WTERMSIG(status) == SIGILL);
}

// The victims are spread over the blocks, which are made with others between them and some of these given back.
void set_up() {
    Scene &s = deed.scene;
    for (int i = 0; i < ALL; i++) {
        s.all[i] = static_cast<char *>(hide(s.kind->make(s.kind->bytes)));
        if (s.all[i] == nullptr) give_up("no memory");
        std::memset(s.all[i], i, s.kind->bytes);
    }
    for (int i = 2; i < ALL; i += 6) s.kind->give(s.all[i]);
}

void run() {
    const char *is_long = std::getenv("MB_TEST_LONG");
    int found = 0, tried = is_long != nullptr && is_long[0] == '1' ? MOST_TRIED : FEW_TRIED;
    set_up();
    for (int i = 0; i < tried; i++) found += is_found(i * (MOST_TRIED / tried) * AROUND);
    char line[64];
    std::snprintf(line, sizeof line, "found %d of %d\n", found, tried);
    ssize_t written = write(1, line, std::strlen(line));
    (void)written;
    if (found < tried) _exit(0);
    announce(deed.scene.all[AROUND * 7]);
    commit_on(AROUND * 7);
    _exit(0);
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    for (const Fault &fault : faults)
        for (const Kind &kind : kinds)
            for (int by_other = 0; by_other <= ((&kind - kinds) % 3 == 1); by_other++) {
                char name[96];
                std::snprintf(name, sizeof name, "damage/%s/%s/%s", fault.name, kind.name, by_other == 1 ? "other" : "own");
                if (std::strcmp(argv[1], "--list") == 0)
                    std::printf("%s\t%d\t\t\t%s\n", name, static_cast<int>(END_STOPPED), fault.hardened);
                if (std::strcmp(argv[1], name) != 0) continue;
                deed.fault = &fault;
                deed.scene.kind = &kind;
                deed.by_other = by_other == 1;
                run();
            }
    return std::strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
