#include "preload/tool/functions.h"

#include <stdlib.h>
#include <string.h>

#include "preload/tool/tool.h"

static size_t hash_of(const char *name) {
    size_t hash = 14695981039346656037u;
    for (; *name != '\0'; name++) hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return hash ^ hash >> 32;
}

static uint32_t *slot_of(const struct tool_functions *functions, const char *name) {
    size_t i = hash_of(name);
    for (;; i++) {
        uint32_t *slot = &functions->by_name[i & (functions->room - 1)];
        if (*slot == 0 || strcmp(functions->of[*slot - 1].name, name) == 0) return slot;
    }
}

static void grow(struct tool_functions *functions) {
    size_t room = functions->room == 0 ? 1024 : 2 * functions->room;
    free(functions->by_name);
    functions->room = room;
    functions->by_name = calloc(room, sizeof *functions->by_name);
    functions->of = realloc(functions->of, room / 2 * sizeof *functions->of);
    if (functions->by_name == NULL || functions->of == NULL) exit(tool_fail("no memory"));
    for (size_t i = 0; i < functions->count; i++) *slot_of(functions, functions->of[i].name) = (uint32_t)i + 1;
}

static struct tool_function *function_named(struct tool_functions *functions, const char *name) {
    if (2 * functions->count >= functions->room) grow(functions);
    uint32_t *slot = slot_of(functions, name);
    if (*slot == 0) {
        functions->of[functions->count] = (struct tool_function){.name = name};
        *slot = (uint32_t)++functions->count;
    }
    return &functions->of[*slot - 1];
}

// Whether the function also occurs nearer to the allocation in this stack, so that a recursive function is counted
// once.
static bool is_repeated(const struct tool_profile *p, const struct tool_sample *sample, size_t i) {
    const char *name = tool_profile_function(p, sample, i);
    for (size_t before = 0; before < i; before++) {
        if (strcmp(tool_profile_function(p, sample, before), name) == 0) return true;
    }
    return false;
}

static void add(struct tool_functions *functions, const struct tool_profile *p, const struct tool_sample *sample, int64_t amount,
                enum tool_side side) {
    if (sample->locations == 0) function_named(functions, "[lost]")->itself[side] += amount;
    for (size_t i = 0; i < sample->locations; i++) {
        if (is_repeated(p, sample, i)) continue;
        struct tool_function *function = function_named(functions, tool_profile_function(p, sample, i));
        function->with_callees[side] += amount;
        if (i == 0) function->itself[side] += amount;
    }
}

int64_t tool_functions_add(struct tool_functions *functions, const struct tool_profile *p, int value, enum tool_side side) {
    int64_t sum = 0;
    for (size_t s = 0; s < p->samples; s++) {
        sum += p->sample[s].value[value];
        add(functions, p, &p->sample[s], p->sample[s].value[value], side);
    }
    return sum;
}
