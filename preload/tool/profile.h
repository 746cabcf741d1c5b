// A heap profile (profile.proto, compressed by gzip) in memory, for mbmalloc top, flame and diff.
#ifndef MB_PRELOAD_TOOL_PROFILE_H
#define MB_PRELOAD_TOOL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOOL_VALUES_MAX = 16 };

struct tool_mapping {
    uint64_t id, start, limit, offset, file, build_id; // file and build_id are indices of strings
};

struct tool_location {
    uint64_t id, mapping, address;
    const char *name;   // of the function; set by tool_profile_name
    const char **outer; // the functions that it was inlined into, innermost first
    size_t outers;
};

struct tool_sample {
    uint64_t *location; // ids, innermost first
    size_t locations;
    int64_t value[TOOL_VALUES_MAX];
};

struct tool_profile {
    struct tool_mapping *mapping;
    struct tool_location *location;
    struct tool_sample *sample;
    char **string;
    size_t mappings, locations, samples, strings, values;
    uint64_t value_name[TOOL_VALUES_MAX], comment;
};

// False, with a message: the file does not exist, or is not a heap profile. The memory is never freed.
bool tool_profile_read(const char *path, struct tool_profile *out);
const char *tool_profile_string(const struct tool_profile *p, uint64_t index);
struct tool_location *tool_profile_location(const struct tool_profile *p, uint64_t id);

// The index of the sample value with this name; -1, with a message, if there is none.
int tool_profile_value(const struct tool_profile *p, const char *name);

// The value that is shown by default: inuse_space. It is peak_space if less than a sixteenth of the peak is still live,
// and alloc_space if nothing was live whenever a snapshot was taken (a program that frees each block at once).
const char *tool_profile_usual(const struct tool_profile *p);

// The name of the function in frame `frame` of a sample; frame 0 is the innermost. Call tool_profile_name first.
const char *tool_profile_function(const struct tool_profile *p, const struct tool_sample *sample, size_t frame);

// Names all locations by addr2line(1), or by file and offset if that is not installed. Each inlined call becomes a
// location of its own.
void tool_profile_name(struct tool_profile *p);

#endif
