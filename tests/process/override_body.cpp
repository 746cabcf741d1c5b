// What a program with its own malloc, free, calloc and realloc calls besides: posix_memalign, aligned_alloc, memalign,
// reallocarray, operators new and delete, and libc's functions that allocate for their caller. Every block goes to the
// program's free or realloc: no mix of heaps may crash, and with mbmalloc blocks up to 16-byte alignment come from the
// program's own heap.
#include "tests/process/expect.h"
#include "tests/process/override.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <map>
#include <new>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t sizes[] = {1, 24, 100, 3000, 50000, 300000};

void use_aligned(std::size_t align) {
    for (std::size_t bytes : sizes) {
        void *p = nullptr;
        EXPECT(posix_memalign(&p, align, bytes) == 0 && reinterpret_cast<std::uintptr_t>(p) % align == 0);
        std::memset(p, 1, bytes);
        free(p);
        p = keep(aligned_alloc(align, (bytes + align - 1) / align * align));
        EXPECT(p != nullptr && reinterpret_cast<std::uintptr_t>(p) % align == 0);
        std::memset(p, 2, bytes);
        free(p);
        p = keep(memalign(align, bytes));
        EXPECT(p != nullptr && reinterpret_cast<std::uintptr_t>(p) % align == 0);
        free(p);
    }
}

void use_new() {
    for (std::size_t bytes : sizes) {
        char *p = static_cast<char *>(keep(::operator new(bytes)));
        EXPECT(own_has(p));
        std::memset(p, 3, bytes);
        ::operator delete(p);
        ::operator delete(keep(::operator new(bytes)), bytes);
        ::operator delete[](keep(::operator new[](bytes)));
        ::operator delete(keep(::operator new(bytes, std::nothrow)));
        ::operator delete (keep(::operator new (bytes, std::align_val_t{128})), std::align_val_t{128});
        free(keep(::operator new(bytes))); // frowned upon, common
        ::operator delete(keep(malloc(bytes)));
    }
}

void use_containers() {
    std::map<int, std::string> rows;
    for (int i = 0; i < 2000; i++) rows[i] = std::string(static_cast<std::size_t>(i % 200), 'x');
    std::vector<std::string> lines;
    for (auto &row : rows) lines.push_back(row.second);
    std::stable_sort(lines.begin(), lines.end());
    std::ostringstream text;
    for (auto &line : lines) text << line << '\n';
    EXPECT(text.str().size() > 100000);
}

void use_libc() {
    char *copy = strdup("a string of libc's");
    EXPECT(own_has(copy));
    copy = static_cast<char *>(keep(realloc(copy, 100000)));
    EXPECT(std::strcmp(copy, "a string of libc's") == 0);
    free(copy);
    char *line = nullptr;
    std::size_t capacity = 0;
    FILE *in = fopen("/proc/self/maps", "r");
    EXPECT(in != nullptr);
    while (getline(&line, &capacity, in) > 0) {
    }
    EXPECT(own_has(line));
    free(line);
    fclose(in);
    char *text = nullptr;
    EXPECT(asprintf(&text, "%0500d", 1) == 500 && own_has(text));
    free(text);
}

void use_arrays() {
    int *numbers = static_cast<int *>(keep(reallocarray(nullptr, 100, sizeof(int))));
    EXPECT(own_has(numbers));
    numbers[99] = 7;
    numbers = static_cast<int *>(keep(reallocarray(numbers, 100000, sizeof(int))));
    EXPECT(own_has(numbers) && numbers[99] == 7);
    free(numbers);
    errno = 0;
    EXPECT(keep(reallocarray(nullptr, opaque(SIZE_MAX / 2), 4)) == nullptr && errno == ENOMEM);
    if (!own_measurable()) return;
    void *p = keep(malloc(1000));
    EXPECT(malloc_usable_size(p) >= 1000);
    free(p);
}

void *use_all(void *) {
    for (std::size_t align : {std::size_t{8}, std::size_t{16}}) use_aligned(align);
    use_new();
    use_containers();
    use_libc();
    use_arrays();
    for (std::size_t align : {std::size_t{64}, std::size_t{4096}, std::size_t{1} << 20}) use_aligned(align);
    return nullptr;
}

// Also for glibc: these never leave the program's heap.
void expect_no_foreigners_without_alignment() {
    unsigned long before = own_foreigners();
    use_containers();
    use_libc();
    use_arrays();
    EXPECT(own_foreigners() == before);
}

// With mbmalloc the other names forward to the program's malloc (glibc's keep to glibc's heap).
void expect_forwarding() {
    if (!from_mbmalloc(dlsym(RTLD_DEFAULT, "posix_memalign"))) return;
    unsigned long before = own_foreigners();
    use_aligned(8);
    use_aligned(16);
    use_new();
    void *p = nullptr;
    EXPECT(posix_memalign(&p, 16, 100) == 0 && own_has(p));
    p = keep(realloc(p, 1000));
    EXPECT(own_has(p));
    free(p);
    unsigned long mixed = own_foreigners() - before;
    printf("blocks of another heap that reached the program's free: %lu\n", mixed);
}

} // namespace

int main() {
    alarm(300);
    const char *preload = getenv("LD_PRELOAD");
    if (preload != nullptr && std::strstr(preload, "libmbmalloc") != nullptr)
        EXPECT(from_mbmalloc(dlsym(RTLD_DEFAULT, "posix_memalign"))); // malloc is the program's, the rest is not
    unsigned long before = own_calls();
    use_all(nullptr);
    pthread_t threads[3];
    for (pthread_t &thread : threads) thread = thread_start(use_all, nullptr);
    for (pthread_t thread : threads) thread_join(thread);
    EXPECT(own_calls() > before + 10000);
    expect_no_foreigners_without_alignment();
    expect_forwarding();
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        use_all(nullptr);
        exit(0);
    }
    expect_child_ok(child);
    puts("a program with its own malloc: clean");
    return 0;
}
