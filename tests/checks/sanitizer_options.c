// The sanitizers' options for every core test, linked in so that programs started with an environment of their own have
// them too. No search for leaks: it knows only the libc's malloc, which these tests do not test, and cannot run in a
// program started with set-uid. A request beyond all memory is answered by NULL, as by every malloc.
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) { return "detect_leaks=0:allocator_may_return_null=1"; }
const char *__ubsan_default_options(void) { return "print_stacktrace=1"; }
const char *__tsan_default_options(void) { return "second_deadlock_stack=1:allocator_may_return_null=1"; }
