// What: binds the model's names to the process's malloc: a preloaded libmbmalloc.so, or the C library's.
//
// Invariant: with MBMALLOC_SO in the environment the test must not pass by testing glibc, so it checks that malloc
// comes from that file.
#include "tests/model/names.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool from_mbmalloc;
static void (*sized)(void *, size_t);
static void (*aligned_sized)(void *, size_t, size_t);

// ISO C has no cast from object to function pointer; POSIX asks for this one.
static void find(const char *name, void *function_out) {
    void *address = dlsym(RTLD_DEFAULT, name);
    memcpy(function_out, &address, sizeof address);
}

static const char *object_of_malloc(void) {
    Dl_info info;
    void *address = dlsym(RTLD_DEFAULT, "malloc");
    return address != NULL && dladdr(address, &info) != 0 ? info.dli_fname : "unknown";
}

const char *names_start(void) {
    const char *wanted = getenv("MBMALLOC_SO");
    const char *object = object_of_malloc();
    from_mbmalloc = strstr(object, "libmbmalloc") != NULL;
    find("free_sized", &sized);
    find("free_aligned_sized", &aligned_sized);
    if (wanted != NULL && !from_mbmalloc) {
        fprintf(stderr, "model: malloc comes from %s, not from %s\n", object, wanted);
        return NULL;
    }
    if (from_mbmalloc && (sized == NULL || aligned_sized == NULL)) {
        fprintf(stderr, "model: %s has no free_sized or free_aligned_sized\n", object);
        return NULL;
    }
    return object;
}

bool names_strict(void) { return from_mbmalloc; }

void *names_malloc(size_t bytes) { return malloc(bytes); }
void *names_calloc(size_t count, size_t bytes) { return calloc(count, bytes); }
void *names_realloc(void *p, size_t bytes) { return realloc(p, bytes); }
void *names_memalign(size_t align, size_t bytes) { return memalign(align, bytes); }
void *names_aligned_alloc(size_t align, size_t bytes) { return aligned_alloc(align, bytes); }
int names_posix_memalign(void **out, size_t align, size_t bytes) { return posix_memalign(out, align, bytes); }
void names_free(void *p) { free(p); }

// glibc has had these two since 2.42 only.
void names_free_sized(void *p, size_t bytes) {
    if (sized != NULL) sized(p, bytes);
    else free(p);
}

void names_free_aligned_sized(void *p, size_t align, size_t bytes) {
    if (aligned_sized != NULL) aligned_sized(p, align, bytes);
    else free(p);
}

size_t names_usable_size(void *p) { return malloc_usable_size(p); }
void names_trim(size_t keep_bytes) { (void)malloc_trim(keep_bytes); }

size_t names_live_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

bool names_live_blocks(size_t *out) {
    (void)out;
    return false;
}
