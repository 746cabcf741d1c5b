// Composes one line of text in a fixed buffer, for reports that must not allocate. Text that does not fit is cut off.
#ifndef MB_CORE_BASE_PRINT_H
#define MB_CORE_BASE_PRINT_H

#include <stddef.h>
#include <stdint.h>

struct mb_line {
    size_t length;
    char text[1000];
};

void mb_line_text(struct mb_line *line, const char *text);
// So many characters; what would be no printable ASCII is a question mark.
void mb_line_piece(struct mb_line *line, const char *text, size_t length);
void mb_line_number(struct mb_line *line, uint64_t value);
void mb_line_hex(struct mb_line *line, uint64_t value); // with 0x
void mb_line_byte(struct mb_line *line, uint8_t value); // two hexadecimal digits
// A number of bytes as people read it: 12.3 MiB.
void mb_line_size(struct mb_line *line, uint64_t bytes);
// ` key=value`
void mb_line_pair(struct mb_line *line, const char *key, uint64_t value);
// Ends the line with a newline (always fits) and writes it to the descriptor.
void mb_line_write(struct mb_line *line, int fd);

#endif
