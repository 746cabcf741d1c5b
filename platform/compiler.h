// Attributes and extensions of gcc and clang, each under a name of ours, so that another compiler needs changes here
// alone.
#ifndef MB_PLATFORM_COMPILER_H
#define MB_PLATFORM_COMPILER_H

#define MB_LIKELY(x) __builtin_expect(!!(x), 1)
#define MB_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define MB_INLINE static inline __attribute__((always_inline, unused))
#define MB_COLD __attribute__((cold, noinline))
#define MB_NOINLINE __attribute__((noinline))
#define MB_NORETURN __attribute__((noreturn))
#define MB_EXPORT __attribute__((visibility("default")))
#define MB_HIDDEN __attribute__((visibility("hidden")))
#define MB_UNUSED __attribute__((unused))
#define MB_MALLOC_LIKE __attribute__((malloc, warn_unused_result))
// On pages that are read-only most of the time: core/base/sealed.h.
#define MB_SEALED __attribute__((section("mb_sealed")))
// Before anything else in the file that the linker sees first: the order of the sections, which it keeps.
#define MB_SEALED_SECTION_(name) ".pushsection " name ",\"aw\",%progbits\n.popsection\n"
#define MB_SEALED_ORDER __asm__(MB_SEALED_SECTION_("mb_sealed_edge") MB_SEALED_SECTION_("mb_sealed") MB_SEALED_SECTION_("mb_sealed_other_edge"))
#define MB_CACHE_ALIGNED __attribute__((aligned(64)))
// Alignment against false sharing: two cache lines, because processors prefetch lines in pairs of 128 bytes.
enum { MB_LINE_PAIR = 128 };
#define MB_PAIR_ALIGNED __attribute__((aligned(MB_LINE_PAIR)))
// Hides from the optimiser how the value was computed, so that it keeps it in a register as it is.
#define MB_OPAQUE(value) __asm__("" : "+r"(value))
#define MB_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

// Put around the declarations of a public header: the functions are exported from the library, while calls inside the
// library stay direct (preload/mbmalloc.dynamic). They act when the library itself is built; a program that includes
// the installed header sees plain C declarations. Not visibility "protected": the linker then refuses programs that are
// linked with -no-pie and take a function's address.
#ifdef MB_BUILDING
#define MB_VISIBLE_BEGIN _Pragma("GCC visibility push(default)")
#define MB_VISIBLE_END _Pragma("GCC visibility pop")
#else
#define MB_VISIBLE_BEGIN
#define MB_VISIBLE_END
#endif
#ifdef __cplusplus
#define MB_PUBLIC_BEGIN extern "C" { MB_VISIBLE_BEGIN
#define MB_PUBLIC_END MB_VISIBLE_END }
#else
#define MB_PUBLIC_BEGIN MB_VISIBLE_BEGIN
#define MB_PUBLIC_END MB_VISIBLE_END
#endif

// A thread-local variable in the static TLS block: one load relative to the thread pointer, and no call of
// __tls_get_addr, which may allocate.
#define MB_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

#if defined(__SANITIZE_THREAD__)
#define MB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MB_TSAN 1
#endif
#endif
#ifndef MB_TSAN
#define MB_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define MB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MB_ASAN 1
#endif
#endif
#ifndef MB_ASAN
#define MB_ASAN 0
#endif

#endif
