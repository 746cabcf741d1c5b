// What the kernel says about this process, and how it ends a child that accesses memory that it must not.
#ifndef MB_TESTS_UNIT_KERNEL_H
#define MB_TESTS_UNIT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One mapping as /proc/self/smaps shows it; sizes in KiB.
struct kernel_mapping {
    uintptr_t first, last;
    char access[5]; // "rw-p"
    size_t rss_kib, huge_kib, locked_kib;
    char flags[128]; // " rd wr mr ... "
};

// The mapping that holds p. False when nothing is mapped there.
bool kernel_mapping_at(const void *p, struct kernel_mapping *out);
// As above; ends the process with a message if there is no such mapping.
struct kernel_mapping kernel_mapping_of(const void *p);
bool kernel_has_flag(const void *p, const char *two_letters);
// The number of mappings that overlap [p, p + bytes).
size_t kernel_mappings_in(const void *p, size_t bytes);

// With `only`, this process gets no transparent huge pages from now on, whatever the system's setting is, so that pages
// can be counted.
void kernel_small_pages(bool only);

// Runs act(argument) in a forked child. Returns the signal that ended it, 0 when act returned true, -1 when false.
int child_outcome(bool (*act)(void *), void *argument);

// Accesses to a byte, for child_outcome.
bool child_reads(void *p);
bool child_writes(void *p);

// Makes one system call of this process (and its children) fail from now on: always if `argument` is -1, else only if
// that argument's low 32 bits are `value`. error 0 ends the process by SIGSYS instead. False if seccomp is not
// available.
bool kernel_refuse(long number, int argument, uint32_t value, int error);

// Answers one kind of system call of this process (chosen as above) in place of the kernel from now on. A separate
// thread does that, whose own calls are not affected. The answer is a result or a negative errno value. False if the
// kernel does not support this.
bool kernel_stand_in(long number, int argument, uint32_t value, int64_t (*answer)(const uint64_t arguments[6]));

#endif
