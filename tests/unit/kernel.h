// What the kernel says about this process, and what it does to a child that touches what it should not.
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
// As above; ends the process with a message when there is none.
struct kernel_mapping kernel_mapping_of(const void *p);
bool kernel_has_flag(const void *p, const char *two_letters);
// How many mappings touch [p, p + bytes).
size_t kernel_mappings_in(const void *p, size_t bytes);

// With `only`, no transparent huge pages in this process from now on, whatever the system's mode: then pages can be
// counted.
void kernel_small_pages(bool only);

// Runs act(argument) in a forked child. Returns the signal that ended it, 0 when act returned true, -1 when false.
int child_outcome(bool (*act)(void *), void *argument);

// Ready actions on a byte, for child_outcome.
bool child_reads(void *p);
bool child_writes(void *p);

// Makes one system call of this process (and its children) fail from now on. `argument` -1: always, else only when that
// argument's low 32 bits are `value`. error 0 ends the process by SIGSYS instead. False where seccomp is not to be had.
bool kernel_refuse(long number, int argument, uint32_t value, int error);

// Answers one kind of system call of this process (chosen as above) in the kernel's place from now on, by a thread that
// makes its own calls unhindered. The answer is a result or a negative errno value. False where the kernel has no such
// thing.
bool kernel_stand_in(long number, int argument, uint32_t value, int64_t (*answer)(const uint64_t arguments[6]));

#endif
