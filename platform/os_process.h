// The part of platform/os.h that is about the process: names, environment, files and descriptors, signals, its end. The
// rules of platform/os.h hold.
#ifndef MB_PLATFORM_OS_PROCESS_H
#define MB_PLATFORM_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The value of an environment variable as the process was started with it, or NULL; never getenv, works before any
// constructor (falls back to the strings below AT_EXECFN while environ is not set). NULL in secure execution.
const char *mb_os_env(const char *name);

// The program's short name for reports; never NULL.
const char *mb_os_program_name(void);

// Writes the path of the executed file to `out`, at most `bytes` and without a 0 at the end, and returns its length. 0:
// the system does not tell.
size_t mb_os_program_file(char *out, size_t bytes);

// Whether `text` (of `length` bytes) is a name of the program, without folders: that of the executed file, of the
// script, or argv[0]. A star at the end of the text matches any rest.
bool mb_os_program_is(const char *text, size_t length);

int mb_os_pid(void);
int mb_os_thread_id(void); // of the calling thread, as /proc numbers it
unsigned mb_os_user(void); // the effective user id

// Page faults of the process so far; 0 where the system does not tell.
uint64_t mb_os_page_faults(void);

// --- output, signals, the end ----------------------------------------------------------------------------------------

// Writes all bytes to a descriptor and retries after EINTR. On another error the first gives up without a word, the
// second returns a negative errno value.
void mb_os_write(int fd, const void *bytes, size_t count);
int mb_os_write_all(int fd, const void *bytes, size_t count);

// Appends the bytes to a file, which is created (mode 0666 & ~umask) if missing. One open, one write, one close.
int mb_os_append_file(const char *path, const void *bytes, size_t count);

// Creates a file that only this user may read and write (0600), in place of any file of that name, and maps it shared;
// *out receives the address, and the descriptor is closed. The second removes a file.
int mb_os_map_new_file(const char *path, size_t bytes, void **out);
void mb_os_remove_file(const char *path);

// Opens a file for appending and creates it if missing; closes a descriptor; duplicates one to a number of at least
// `least`, with close-on-exec. A descriptor or a negative errno value.
int mb_os_open_to_append(const char *path);
// Opens a file for writing, mode 0600 if it is created: truncates an existing one; removes an existing file or link and
// creates a new one. A descriptor or a negative errno value.
int mb_os_open_to_write(const char *path);
int mb_os_open_new(const char *path);
void mb_os_close(int fd);
int mb_os_duplicate(int fd, int least);

// Installs a handler of SIGSEGV that calls `look` with the faulting address and then the handler that was installed
// before; if there was none, the fault ends the process as usual. A handler that the program installs later replaces
// it. False: the system refused.
typedef void mb_os_fault_look(const void *address);
bool mb_os_on_fault(mb_os_fault_look *look);

// Restores the default action of a signal, which must be to end the process, and raises it.
_Noreturn void mb_os_end_by(int signal_number);

// Installs a handler, which must not return, for a signal if its default action is in force.
void mb_os_end_on(int signal_number, void (*handler)(int));

// Blocks SIGPIPE in this thread, so that writing a message to a closed pipe does not end the process before SIGABRT
// does.
void mb_os_block_pipe_signal(void);

// Ends the process at once (exit_group): runs no exit handlers, flushes nothing.
_Noreturn void mb_os_exit(int status);

// Unblocks SIGABRT and ends the process with it, as abort(3) does: handlers and core dumps work.
_Noreturn void mb_os_abort(void);

#endif
