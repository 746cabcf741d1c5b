// Writes a gzip file to a descriptor, a buffer at a time. The blocks are stored, not compressed, so it needs no memory
// but its struct.
//
// Who: one thread for each struct. Source of the format: RFC 1951 (3.2.4) and RFC 1952.
#ifndef MB_CORE_BASE_GZIP_H
#define MB_CORE_BASE_GZIP_H

#include <stddef.h>
#include <stdint.h>

enum { MB_GZIP_BLOCK = 4096 };

struct mb_gzip {
    int fd, error; // the first negative errno value, from when on nothing is written
    uint32_t sum, bytes;
    size_t used;
    unsigned char block[MB_GZIP_BLOCK];
};

void mb_gzip_begin(struct mb_gzip *gzip, int fd);
void mb_gzip_put(struct mb_gzip *gzip, const void *bytes, size_t count);
// 0 or the negative errno value of what could not be written.
int mb_gzip_end(struct mb_gzip *gzip);

#endif
