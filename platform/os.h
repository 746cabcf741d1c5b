// The operating system as the allocator sees it: this header is all that a port to another system implements.
//
// Shared preconditions: addresses and lengths are multiples of the page size and lengths are not 0, unless a function
// says otherwise. Every call that can fail returns 0 or a negative errno value; after a failure nothing has changed. No
// call allocates, takes a lock, is a cancellation point or touches errno. Any thread may make any call. On Linux they
// are raw system calls, because other preloaded libraries interpose mmap and its kin. Tests replace single functions by
// the linker's --wrap, or set a hook that is asked before every change of a mapping (platform/os_hook.h).
#ifndef MB_PLATFORM_OS_H
#define MB_PLATFORM_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/access.h"
#include "platform/os_process.h"

// --- address space ---------------------------------------------------------------------------------------------------

// Reserves `bytes` of address space without access rights and without commit charge (PROT_NONE).
// `at` NULL: anywhere. Otherwise exactly there or -EEXIST (never replaces a mapping; also on kernels that treat the
// address as a hint). *out receives the address.
int mb_os_reserve(void *at, size_t bytes, void **out);

// The same from the administrator's pool of huge pages (MAP_HUGETLB); address and bytes are multiples of
// mb_os_huge_page_size, and so is every later range in it. The pages are set aside for the caller at once; -ENOMEM when
// too few are free.
int mb_os_reserve_hugetlb(void *at, size_t bytes, void **out);

// Returns the whole range to the system. The range may span several mappings.
int mb_os_unmap(void *p, size_t bytes);

// Makes a reserved range readable and writable. Idempotent. -ENOMEM when the system refuses the charge or the VMA.
int mb_os_commit(void *p, size_t bytes);

// Takes contents, access and commit charge away; the addresses stay reserved (a fresh no-access mapping in place).
int mb_os_decommit(void *p, size_t bytes);

// Replaces the range by fresh, committed, zero memory in place (merges VMAs that page moves have split). On failure it
// is unchanged, with two exceptions. -ENXIO: the range is only reserved now, and the system refuses to commit it again.
// -ESTALE: the range is lost, and another thread's mapping may be there.
int mb_os_renew(void *p, size_t bytes);

// Sets the access rights: a set of enum mb_os_access.
int mb_os_protect(void *p, size_t bytes, unsigned access);

// Moves the pages of a committed range to another committed range of the same owner; the source stays mapped and reads
// zero (MREMAP_DONTUNMAP, Linux 5.7). -EINVAL where the kernel cannot, -EFAULT where the source is more than one
// mapping, -ENOMEM when the kernel's limit of mappings is near. On failure the source is unchanged, and the target is
// committed with unknown contents, or lost: -ENXIO and -ESTALE as above.
int mb_os_move_pages(void *from, void *to, size_t bytes);

// Names the mappings of a range in /proc/PID/maps (Linux 5.17; before, nothing happens). The kernel does not merge
// neighbours of different names into one mapping.
void mb_os_name(void *p, size_t bytes, const char *name);

// --- contents --------------------------------------------------------------------------------------------------------

// Gives the contents back at once; the next read is zero (MADV_DONTNEED; MADV_DONTNEED_LOCKED where memory is locked).
int mb_os_purge(void *p, size_t bytes);

// Makes every page of a committed range resident and writable, without changing contents.
int mb_os_populate(void *p, size_t bytes);

// Asks for transparent huge pages (MADV_HUGEPAGE), or against them (MADV_NOHUGEPAGE).
int mb_os_advise_huge(void *p, size_t bytes, bool want);

// Makes guard pages inside a committed mapping, inaccessible and without a VMA of their own (MADV_GUARD_INSTALL, Linux
// 6.13), or removes them; the contents are lost. -EINVAL where the kernel cannot.
int mb_os_guard(void *p, size_t bytes);
int mb_os_unguard(void *p, size_t bytes);

// mlock and munlock.
int mb_os_lock(void *p, size_t bytes);
int mb_os_unlock(void *p, size_t bytes);

// Leaves the range out of core dumps (MADV_DONTDUMP); has it read zero in a forked child (MADV_WIPEONFORK).
int mb_os_no_dump(void *p, size_t bytes);
int mb_os_wipe_on_fork(void *p, size_t bytes);

// Binds the future pages of a range to the NUMA nodes of `mask` (bit n = node n, `words` words of 64 bits).
int mb_os_bind_nodes(void *p, size_t bytes, const uint64_t *mask, size_t words);

// How many of the range's pages are resident; negative errno on failure.
long mb_os_resident_pages(const void *p, size_t bytes);

// out[i] & 1: page i of the range is resident. -ENOMEM: a part of it is not mapped.
int mb_os_residency(const void *p, size_t bytes, unsigned char *out);

// Clears state[i] where page i of the range is mapped to the kernel's shared zero page (read and never written), which
// takes no memory. Returns how many pages it asked about; a negative errno value where the kernel does not tell
// (move_pages).
long mb_os_clear_zero_pages(const void *p, size_t bytes, unsigned char *state);

// How many bytes of the range are in huge pages now; a negative errno value where the kernel does not tell (no /proc).
// An estimate: huge pages elsewhere in the same mapping may count too, up to the range's size. Reads /proc/self/smaps:
// only where the user asked for the figure.
long mb_os_huge_resident_bytes(const void *p, size_t bytes);

// --- facts -----------------------------------------------------------------------------------------------------------

size_t mb_os_page_size(void);      // bytes, from the auxiliary vector
size_t mb_os_huge_page_size(void); // bytes, from /sys, else 2 MiB; opens a file: only where huge pages are asked for

// Whether transparent huge pages are enabled for this process, at least on request (madvise). Reads /sys.
bool mb_os_huge_pages_enabled(void);

// The bytes that may still be mapped under RLIMIT_AS; SIZE_MAX: there is no limit. One system call; with a limit it
// reads /proc/self/statm too (without /proc it makes trial reservations and returns a low estimate): only at start.
size_t mb_os_address_space_left(void);

// The memory limit of the process's control group in bytes; UINT64_MAX: none. Reads /proc and /sys: only where an
// option asks for it.
uint64_t mb_os_cgroup_limit(void);

// The current end of the brk heap.
void *mb_os_brk(void);

// Whether `bytes` from p (any alignment, bytes <= page size) can be read. Asks the kernel by futex, which has no side
// effect and which sandboxes allow.
bool mb_os_readable(const void *p, size_t bytes);

// Whether the 4 bytes at p (a multiple of 4) are 0: 1 or 0; -EFAULT where they cannot be read. Asks by futex, too, so
// that it does not matter whether another thread takes the memory's access rights away meanwhile. A page that was never
// written becomes the kernel's shared page of zeros.
int mb_os_is_zero_word(const void *p);

// Fills `out` with random bytes: from getrandom, or from AT_RANDOM, the clock and addresses where that fails. Never
// fails.
void mb_os_random(void *out, size_t bytes);

// Monotonic time in ns, from the coarse clock: a few ns a call, a resolution of some ms.
uint64_t mb_os_now_ns(void);
uint64_t mb_os_now_fine_ns(void); // resolution 1 ns, and slower

// --- waiting ---------------------------------------------------------------------------------------------------------

// Sleeps while *word == expected, at most timeout_ns (UINT64_MAX: without limit). May return early for no reason.
void mb_os_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
void mb_os_wake(_Atomic uint32_t *word, int threads);
// The same for a word that several processes have mapped.
void mb_os_wait_shared(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
void mb_os_wake_shared(_Atomic uint32_t *word, int threads);

#endif
