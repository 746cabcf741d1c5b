// What the compiler must do for us, in one place: attributes, prefetch, tagged inlining.
// Nothing here knows about allocators.
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
#define MB_CACHE_ALIGNED __attribute__((aligned(64)))
// For memory that one thread writes: the processor fetches lines in pairs, so a line beside it is shared, too.
enum { MB_LINE_PAIR = 128 };
#define MB_PAIR_ALIGNED __attribute__((aligned(MB_LINE_PAIR)))
// The compiler must take the value as it is: no reassociation across this point.
#define MB_OPAQUE(value) __asm__("" : "+r"(value))
#define MB_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

// Around the declarations of a public header: what they declare is exported (our own calls of it stay direct: preload/mbmalloc.dynamic).
// Both act in the product's own files; who includes the installed header sees plain C declarations. Not "protected": the linker then
// refuses a program that takes a function's address and is linked to a fixed place (-no-pie).
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

// Thread-local words live in the static TLS block: one load from the thread pointer, no call that could allocate.
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
