// What: the frame of the misuse tests. A case is a short misuse of the allocator (or a legal act that looks like one).
// The program `misuse NAME` runs one case; `misuse --list` tells the driver (driver.c) which outcome each case must
// have.
//
// Who: the main thread runs the case; actors (actor.h) are its other threads.
// Invariant: the expected outcome is written down here and does not depend on what the library does.
#ifndef MB_TESTS_MISUSE_CASE_H
#define MB_TESTS_MISUSE_CASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum case_end {
    END_DIES,     // SIGABRT after exactly one line, with the case's text and the announced address
    END_SILENT,   // SIGABRT without a message, which cannot be written (stderr is closed)
    END_STOPPED,  // exit status 0, or SIGABRT after exactly one documented line: an attack that may go unseen must not work
    END_LIVES,    // exit status 0 and nothing on stderr
    END_TOLD,     // exit status 0 after exactly one line as for END_DIES
    END_ANYHOW,   // exit status 0 or 1, or SIGABRT after exactly one documented line
    END_COUNT
};

struct misuse_case {
    char name[96];
    enum case_end end;
    const char *options;                      // MBMALLOC_OPTIONS; NULL: none
    char text[300];                           // END_DIES, END_TOLD: the allowed texts, separated by '|'; END_STOPPED: "libc" if that may speak, too
    void (*run)(const struct misuse_case *);
    const void *what, *how;                   // the case's own parameters
    size_t n;
};

typedef void misuse_emit(const struct misuse_case *c);

// Each source file passes its cases to `emit`, one by one.
void double_free_cases(misuse_emit *emit);
void pointer_cases(misuse_emit *emit);
void link_cases(misuse_emit *emit);
void sweep_cases(misuse_emit *emit);
void sized_cases(misuse_emit *emit);
void told_cases(misuse_emit *emit);
void attack_cases(misuse_emit *emit);
void legal_cases(misuse_emit *emit);
void ending_cases(misuse_emit *emit);
void policy_cases(misuse_emit *emit);

// --- what cases use --------------------------------------------------------------------------------------------------

// Returns the same pointer in a way that hides its origin from the compiler.
void *hide(const void *p);

// Announces on stdout which address the line must name; the last announcement counts. In the line, the name of the
// called function follows the address, possibly with what is known about the block. With announce_place the line must
// end with exactly that text.
void announce(const void *p);
__attribute__((format(printf, 2, 3))) void announce_place(const void *p, const char *format, ...);

// Ends the case with one line on stderr and status 1: the library has failed.
__attribute__((noreturn)) void give_up(const char *why);

// A malloc that must succeed, and n of them into an array.
void *block(size_t bytes);
void blocks(void **out, size_t count, size_t bytes);
void release(void **v, size_t count);

// Memory that no allocator knows (mapped, zero).
void *own_pages(size_t bytes);

// Formats a text into one of a case's fields.
__attribute__((format(printf, 2, 3))) void name_case(struct misuse_case *c, const char *format, ...);
__attribute__((format(printf, 2, 3))) void text_case(struct misuse_case *c, const char *format, ...);

#endif
