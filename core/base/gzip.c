#include "core/base/gzip.h"

#include <string.h>

#include "platform/bits.h"
#include "platform/os.h"

// CRC-32 by half bytes.
static uint32_t add_to_sum(uint32_t sum, const unsigned char *bytes, size_t count) {
    static const uint32_t of_nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                           0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    for (size_t i = 0; i < count; i++) {
        sum ^= bytes[i];
        sum = sum >> 4 ^ of_nibble[sum & 15];
        sum = sum >> 4 ^ of_nibble[sum & 15];
    }
    return sum;
}

static void write_out(struct mb_gzip *gzip, const void *bytes, size_t count) {
    if (gzip->error == 0) gzip->error = mb_os_write_all(gzip->fd, bytes, count);
}

static void flush(struct mb_gzip *gzip, unsigned is_last) {
    size_t length = gzip->used;
    unsigned char head[5] = {(unsigned char)is_last, (unsigned char)length, (unsigned char)(length >> 8), (unsigned char)~length,
                             (unsigned char)(~length >> 8)};
    write_out(gzip, head, sizeof head);
    write_out(gzip, gzip->block, length);
    gzip->used = 0;
}

void mb_gzip_begin(struct mb_gzip *gzip, int fd) {
    static const unsigned char head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    gzip->fd = fd;
    gzip->error = 0;
    gzip->sum = UINT32_MAX;
    gzip->bytes = 0;
    gzip->used = 0;
    write_out(gzip, head, sizeof head);
}

void mb_gzip_put(struct mb_gzip *gzip, const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    gzip->sum = add_to_sum(gzip->sum, next, count);
    gzip->bytes += (uint32_t)count;
    while (count > 0) {
        size_t part = mb_min(count, MB_GZIP_BLOCK - gzip->used);
        memcpy(gzip->block + gzip->used, next, part);
        gzip->used += part;
        next += part;
        count -= part;
        if (gzip->used == MB_GZIP_BLOCK) flush(gzip, 0);
    }
}

int mb_gzip_end(struct mb_gzip *gzip) {
    uint32_t tail[2] = {~gzip->sum, gzip->bytes}; // little-endian, as the processor is
    flush(gzip, 1);
    write_out(gzip, tail, sizeof tail);
    return gzip->error;
}
