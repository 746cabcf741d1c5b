// A heap profile (profile.proto in a gzip container) in memory, for `mbmalloc top`.
#ifndef MB_PRELOAD_TOOL_PROFILE_H
#define MB_PRELOAD_TOOL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOOL_VALUES_MAX = 16 };

struct tool_mapping {
    uint64_t id, start, limit, offset, file, build_id; // the last two: indices of strings
};

struct tool_location {
    uint64_t id, mapping, address;
    const char *name;   // of the function; filled by tool_profile_name
    const char **outer; // functions that the compiler has put it into, the innermost first
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

// False, and it is said: no such file, or it is none. The memory stays with the program.
bool tool_profile_read(const char *path, struct tool_profile *out);
const char *tool_profile_string(const struct tool_profile *p, uint64_t index);
struct tool_location *tool_profile_location(const struct tool_profile *p, uint64_t id);

// The index of the value with this name among a sample's; -1, and it is said: there is none.
int tool_profile_value(const struct tool_profile *p, const char *name);

// What is shown unless something else is named: inuse_space; peak_space where less than a sixteenth of that is live at
// the end; alloc_space where nothing ever was when a snapshot was taken, as of a program that frees each block at once.
const char *tool_profile_usual(const struct tool_profile *p);

// The function of a sample's frame, innermost first. After tool_profile_name.
const char *tool_profile_function(const struct tool_profile *p, const struct tool_sample *sample, size_t frame);

// Names all locations by addr2line(1) where it is there, else by file and offset. A call that the compiler has inlined
// becomes a location of its own.
void tool_profile_name(struct tool_profile *p);

#endif
