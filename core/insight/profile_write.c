#include "core/insight/profile_write.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/gzip.h"
#include "core/base/print.h"
#include "core/heap/sampler.h"
#include "core/insight/profile_code.h"
#include "core/insight/profile_message.h"
#include "core/profile/profile.h"
#include "platform/os.h"

// --- what every profile has ------------------------------------------------------------------------------------------

// clang-format off
#define STRING_TABLE(S) \
    S(NOTHING, "") \
    S(ALLOCATED_OBJECTS, "alloc_objects") \
    S(ALLOCATED_SPACE, "alloc_space") \
    S(LIVE_OBJECTS, "inuse_objects") \
    S(LIVE_SPACE, "inuse_space") \
    S(PEAK_OBJECTS, "peak_objects") \
    S(PEAK_SPACE, "peak_space") \
    S(GROWN_OBJECTS, "growth_objects") \
    S(GROWN_SPACE, "growth_space") \
    S(COUNT, "count") \
    S(BYTES, "bytes") \
    S(SPACE, "space") \
    S(DROPPED, "(mb_|__libc_)?(malloc|calloc|realloc|memalign|aligned_alloc|posix_memalign|free_sized)(_.*)?|mb_.*|operator new.*")
// clang-format on
enum string {
#define STRING_NAME(name, text) STRING_##name,
    STRING_TABLE(STRING_NAME)
#undef STRING_NAME
        STRING_COMMENT,
    STRING_FIRST_FILE,
};

static void put_types(struct mb_gzip *out) {
    for (unsigned value = 0; value < 2 * MB_PROFILE_VALUES; value++) {
        struct mb_message m = {0};
        mb_put_field(&m, TYPE_TYPE, STRING_ALLOCATED_OBJECTS + value);
        mb_put_field(&m, TYPE_UNIT, value % 2 == 0 ? STRING_COUNT : STRING_BYTES);
        mb_put_message(out, PROFILE_SAMPLE_TYPE, &m);
    }
}

static void put_strings(struct mb_gzip *out) {
#define STRING_PUT(name, text) mb_put_string(out, text);
    STRING_TABLE(STRING_PUT)
#undef STRING_PUT
}

static void put_facts(struct mb_gzip *out) {
    struct mb_profile_facts facts;
    struct mb_line line = {0};
    struct mb_message period = {0};
    mb_profile_facts(&facts);
    mb_put_field(&period, TYPE_TYPE, STRING_SPACE);
    mb_put_field(&period, TYPE_UNIT, STRING_BYTES);
    mb_put_message(out, PROFILE_PERIOD_TYPE, &period);
    mb_put_top(out, PROFILE_PERIOD, facts.period);
    mb_put_top(out, PROFILE_COMMENT, STRING_COMMENT);
    mb_put_top(out, PROFILE_DEFAULT_TYPE, STRING_LIVE_SPACE);
    mb_put_top(out, PROFILE_DROP_FRAMES, STRING_DROPPED);
    mb_line_text(&line, "mbmalloc:");
    mb_line_pair(&line, "samples", facts.samples);
    mb_line_pair(&line, "lost_samples", facts.lost_samples);
    mb_line_pair(&line, "lost_stacks", facts.lost_stacks);
    mb_line_pair(&line, "lost_frames", facts.lost_frames);
    mb_put_bytes(out, PROFILE_STRING, line.text, line.length);
}

// --- samples ---------------------------------------------------------------------------------------------------------

static void put_packed(struct mb_message *m, unsigned field, const struct mb_message *numbers) {
    if (numbers->length == 0) return;
    mb_put_number(m, field << 3 | WIRE_BYTES);
    mb_put_number(m, numbers->length);
    memcpy(m->bytes + m->length, numbers->bytes, numbers->length);
    m->length += numbers->length;
}

// Locations are named by the index of the code address.
static void put_sample(void *out, const struct mb_profile_stack *stack) {
    struct mb_message locations = {0}, values = {0}, m = {0};
    uint64_t any = 0;
    for (unsigned i = 0; i < stack->frames; i++) mb_put_number(&locations, stack->frame[i]);
    for (unsigned v = 0; v < MB_PROFILE_VALUES; v++) {
        uint64_t weight = atomic_load_explicit(&stack->of[v].weight, memory_order_relaxed);
        uint64_t bytes = atomic_load_explicit(&stack->of[v].bytes, memory_order_relaxed);
        mb_put_number(&values, (weight + (1 << MB_WEIGHT_SHIFT) / 2) >> MB_WEIGHT_SHIFT);
        mb_put_number(&values, bytes);
        any |= weight;
    }
    if (any == 0 || locations.length + values.length + 8 > sizeof m.bytes) return;
    put_packed(&m, SAMPLE_LOCATION, &locations);
    put_packed(&m, SAMPLE_VALUE, &values);
    mb_put_message(out, PROFILE_SAMPLE, &m);
}

// --- the file --------------------------------------------------------------------------------------------------------

static int write_all(struct mb_gzip *gzip) {
    put_types(gzip);
    bool walked = mb_profile_walk(put_sample, gzip);
    put_strings(gzip);
    put_facts(gzip);
    mb_profile_put_code(gzip, STRING_FIRST_FILE);
    int error = mb_gzip_end(gzip);
    return walked ? error : -EBUSY;
}

int mb_profile_write(int fd) {
    struct mb_profile_facts facts;
    struct mb_gzip gzip;
    mb_profile_facts(&facts);
    if (facts.period == 0) return -ENODATA;
    mb_gzip_begin(&gzip, fd);
    return write_all(&gzip);
}

static void name_file(struct mb_line *out, const char *path) {
    for (; *path != '\0'; path++) {
        bool is_pid = path[0] == '%' && path[1] == 'p';
        if (is_pid)
            mb_line_number(out, (uint64_t)mb_os_pid());
        else
            mb_line_piece(out, path, 1);
        path += is_pid ? 1 : 0;
    }
    out->text[out->length < sizeof out->text ? out->length : sizeof out->text - 1] = '\0';
}

int mb_profile_write_file(const char *path) {
    struct mb_line name = {0};
    name_file(&name, path);
    int fd = mb_os_open_to_write(name.text);
    if (fd < 0) return fd;
    int error = mb_profile_write(fd);
    mb_os_close(fd);
    return error;
}
