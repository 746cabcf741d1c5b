// Messages of profile.proto, written by hand. Whoever has them.
#ifndef MB_CORE_INSIGHT_PROFILE_MESSAGE_H
#define MB_CORE_INSIGHT_PROFILE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/gzip.h"
#include "platform/compiler.h"

// Field numbers of profile.proto, by message.
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE,
    PROFILE_MAPPING,
    PROFILE_LOCATION,
    PROFILE_STRING = 6,
    PROFILE_DROP_FRAMES,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD,
    PROFILE_COMMENT,
    PROFILE_DEFAULT_TYPE,
    TYPE_TYPE = 1,
    TYPE_UNIT,
    SAMPLE_LOCATION = 1,
    SAMPLE_VALUE,
    MAPPING_ID = 1,
    MAPPING_START,
    MAPPING_LIMIT,
    MAPPING_OFFSET,
    MAPPING_FILE,
    MAPPING_BUILD_ID,
    LOCATION_ID = 1,
    LOCATION_MAPPING,
    LOCATION_ADDRESS,
};
enum { WIRE_NUMBER = 0, WIRE_BYTES = 2, NUMBER_BYTES = 10 };

// Long enough for a sample of 64 locations and all values.
struct mb_message {
    size_t length;
    unsigned char bytes[600];
};

MB_INLINE void mb_put_number(struct mb_message *m, uint64_t value) {
    if (m->length + NUMBER_BYTES > sizeof m->bytes) return;
    for (; value >= 128; value >>= 7) m->bytes[m->length++] = (unsigned char)(value | 128);
    m->bytes[m->length++] = (unsigned char)value;
}

MB_INLINE void mb_put_field(struct mb_message *m, unsigned field, uint64_t value) {
    mb_put_number(m, field << 3 | WIRE_NUMBER);
    mb_put_number(m, value);
}

MB_INLINE void mb_put_bytes(struct mb_gzip *out, unsigned field, const void *bytes, size_t count) {
    struct mb_message head = {0};
    mb_put_number(&head, field << 3 | WIRE_BYTES);
    mb_put_number(&head, count);
    mb_gzip_put(out, head.bytes, head.length);
    mb_gzip_put(out, bytes, count);
}

MB_INLINE void mb_put_message(struct mb_gzip *out, unsigned field, const struct mb_message *m) {
    mb_put_bytes(out, field, m->bytes, m->length);
}
MB_INLINE void mb_put_string(struct mb_gzip *out, const char *text) { mb_put_bytes(out, PROFILE_STRING, text, strlen(text)); }

MB_INLINE void mb_put_top(struct mb_gzip *out, unsigned field, uint64_t value) {
    struct mb_message m = {0};
    mb_put_field(&m, field, value);
    mb_gzip_put(out, m.bytes, m.length);
}

#endif
