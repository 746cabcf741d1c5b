// The part of platform/os.h that is about the process: its names and environment, files and descriptors, and its end. The same rules hold.
#ifndef MB_PLATFORM_OS_PROCESS_H
#define MB_PLATFORM_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The value of an environment variable as the process was started with it, or NULL; never getenv, works before any
// constructor (falls back to the strings below AT_EXECFN while environ is not set). NULL in secure execution (AT_SECURE).
const char *mb_os_env(const char *name);

// The program's short name for reports; never NULL.
const char *mb_os_program_name(void);

// The path of the file that was executed: its length, at most `bytes`, without an end. 0: the system does not tell.
size_t mb_os_program_file(char *out, size_t bytes);

// Whether that is a name of the program: of the file that was executed (a script's name, too), or argv[0], without folders. A star at the
// end of the text stands for anything.
bool mb_os_program_is(const char *text, size_t length);

int mb_os_pid(void);
int mb_os_thread_id(void); // as tools and /proc name the calling thread
unsigned mb_os_user(void); // effective

// Page faults of the process so far; 0 where the system does not tell.
uint64_t mb_os_page_faults(void);

// --- the last word --------------------------------------------------------------------------------------------------

// Writes all bytes to a descriptor (retries on EINTR, gives up quietly on other errors) / and tells: 0 or a negative errno value.
void mb_os_write(int fd, const void *bytes, size_t count);
int mb_os_write_all(int fd, const void *bytes, size_t count);

// Appends the bytes to a file, created 0666 & ~umask if missing. One open, one write, one close.
int mb_os_append_file(const char *path, const void *bytes, size_t count);

// A new file of this user alone (0600), mapped and shared; no descriptor stays. A file of that name is removed before. / Removes a file.
int mb_os_map_new_file(const char *path, size_t bytes, void **out);
void mb_os_remove_file(const char *path);

// A descriptor for a file to append to, made if missing / what closes it / a copy with at least that number, closed by exec.
int mb_os_open_to_append(const char *path);
// For this user alone (0600): emptied / new, a file or link of that name is removed before.
int mb_os_open_to_write(const char *path);
int mb_os_open_new(const char *path);
void mb_os_close(int fd);
int mb_os_duplicate(int fd, int least);

// From now on the function is called with the address of each memory fault (SIGSEGV), in the signal's handler, before whoever handled it so far; if
// nobody did, the fault then ends the process as ever. A handler that the program sets later replaces it. False: refused.
typedef void mb_os_fault_look(const void *address);
bool mb_os_on_fault(mb_os_fault_look *look);

// Ends the process by a signal whose default action that is.
_Noreturn void mb_os_end_by(int signal_number);

// Has a signal whose default action is in force call a function that does not return.
void mb_os_end_on(int signal_number, void (*handler)(int));

// Blocks SIGPIPE in this thread: a last line that nobody reads must not end the process before SIGABRT does.
void mb_os_block_pipe_signal(void);

// Ends the process at once: no handlers, nothing is flushed.
_Noreturn void mb_os_exit(int status);

// Unblocks SIGABRT and ends the process with it, as abort(3) does: handlers and core dumps work.
_Noreturn void mb_os_abort(void);

#endif
