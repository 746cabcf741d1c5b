// The sanitizers' options for every core test, linked in so that they also apply to programs started with an
// environment of their own. Leak detection is off: it knows only the C library's malloc, which these tests do not use,
// and cannot run in a set-uid program. Requests larger than the address space return NULL, as with every malloc.
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) { return "detect_leaks=0:allocator_may_return_null=1"; }
const char *__ubsan_default_options(void) { return "print_stacktrace=1"; }
const char *__tsan_default_options(void) { return "second_deadlock_stack=1:allocator_may_return_null=1"; }
