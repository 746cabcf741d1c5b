#include "core/base/print.h"

#include "platform/os.h"

static void put(struct mb_line *line, char c) {
    if (line->length < sizeof line->text - 1) line->text[line->length++] = c;
}

void mb_line_text(struct mb_line *line, const char *text) {
    while (*text != '\0') put(line, *text++);
}

void mb_line_piece(struct mb_line *line, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) put(line, text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
}

static void put_digits(struct mb_line *line, uint64_t value, unsigned base) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) put(line, digits[--count]);
}

void mb_line_number(struct mb_line *line, uint64_t value) { put_digits(line, value, 10); }

void mb_line_hex(struct mb_line *line, uint64_t value) {
    mb_line_text(line, "0x");
    put_digits(line, value, 16);
}

void mb_line_byte(struct mb_line *line, uint8_t value) {
    put(line, "0123456789abcdef"[value / 16]);
    put(line, "0123456789abcdef"[value % 16]);
}

void mb_line_size(struct mb_line *line, uint64_t bytes) {
    static const char units[][8] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
    unsigned power = 0;
    uint64_t tenths = bytes < UINT64_MAX / 10 ? bytes * 10 : UINT64_MAX;
    while (tenths >= 10240 && power < 4) tenths = (tenths + 512) / 1024, power++;
    mb_line_number(line, tenths / 10);
    if (power > 0) {
        mb_line_text(line, ".");
        mb_line_number(line, tenths % 10);
    }
    mb_line_text(line, units[power]);
}

void mb_line_pair(struct mb_line *line, const char *key, uint64_t value) {
    put(line, ' ');
    mb_line_text(line, key);
    put(line, '=');
    mb_line_number(line, value);
}

void mb_line_write(struct mb_line *line, int fd) {
    line->text[line->length++] = '\n'; // put() always leaves room for it
    mb_os_write(fd, line->text, line->length);
    line->length = 0;
}
