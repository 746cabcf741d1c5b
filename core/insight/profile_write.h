// The heap profile as a file: profile.proto of pprof in a gzip container.
//
// What: eight values for each call stack: objects and bytes allocated since the start, live (inuse), live at the peak,
// and live and allocated since the last mark (growth). Mappings have their build-ids; symbols are the reader's
// business. What was lost stands in a comment.
// Who: any thread, one at a time. Allocates nothing; takes 8 KiB of stack.
// Source of the format: github.com/google/pprof, proto/profile.proto.
#ifndef MB_CORE_INSIGHT_PROFILE_WRITE_H
#define MB_CORE_INSIGHT_PROFILE_WRITE_H

// 0, or a negative errno value: -ENODATA without a session so far, -EBUSY while another thread writes.
int mb_profile_write(int fd);

// The same to a file, which is made anew; `%p` in the path is the process id.
int mb_profile_write_file(const char *path);

#endif
