#include "core/insight/write.h"

#include <string.h>

#include "core/base/version.h"
#include "core/told/statistics_table.h"
#include "platform/os.h"

enum { FLUSH_LENGTH = 700 }; // the rest of a line's room is for what one call adds

// Ends a piece of output; several go into one system call.
static void flush_long(struct mb_line *line, int fd, bool last) {
    if (!last && line->length < FLUSH_LENGTH) return;
    mb_os_write(fd, line->text, line->length);
    line->length = 0;
}

static bool is_used(const struct mb_class_statistics *c) { return c->slabs != 0; }

// --- text ------------------------------------------------------------------------------------------------------------

static bool is_bytes(const struct mb_statistics_row *row) {
    size_t length = strlen(row->name);
    return length > 6 && strcmp(row->name + length - 6, "_bytes") == 0;
}

static void text_row(struct mb_line *line, const struct mb_statistics_row *row, uint64_t value, bool definitions) {
    mb_line_text(line, "mbmalloc: ");
    mb_line_text(line, row->kind == MB_STATISTICS_PART ? "  " : "");
    mb_line_text(line, row->name);
    mb_line_text(line, "=");
    mb_line_number(line, value);
    if (is_bytes(row) && value >= 1024) {
        mb_line_text(line, " (");
        mb_line_size(line, value);
        mb_line_text(line, ")");
    }
    if (definitions) {
        mb_line_text(line, ": ");
        mb_line_text(line, row->help);
    }
    mb_line_text(line, "\n");
}

static void text_class(struct mb_line *line, const struct mb_class_statistics *c) {
    mb_line_text(line, "mbmalloc: blocks of ");
    mb_line_number(line, c->block_bytes);
    mb_line_text(line, ":");
    mb_line_pair(line, "live", c->live_blocks);
    mb_line_pair(line, "free", c->free_blocks);
    mb_line_pair(line, "slabs", c->slabs);
    mb_line_pair(line, "resident_bytes", c->resident_bytes);
    mb_line_pair(line, "live_resident_bytes", c->live_resident_bytes);
    mb_line_text(line, "\n");
}

static void write_text(struct mb_line *line, int fd, const struct mb_count *count, bool definitions) {
    mb_line_text(line, "mbmalloc: statistics of ");
    mb_line_text(line, mb_os_program_name());
    mb_line_pair(line, "pid", (uint64_t)mb_os_pid());
    mb_line_text(line, "\nmbmalloc: ");
    mb_count_in_words(line, count);
    mb_line_text(line, "\n");
    for (unsigned i = 0; i < MB_STATISTICS_ROWS; i++) {
        if (!mb_statistics_is_known(&count->all, i)) continue;
        text_row(line, &mb_statistics_rows[i], mb_statistics_value(&count->all, i), definitions);
        flush_long(line, fd, false);
    }
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        if (is_used(&count->of_class[c])) text_class(line, &count->of_class[c]);
        flush_long(line, fd, false);
    }
}

// --- JSON ------------------------------------------------------------------------------------------------------------

static void json_key(struct mb_line *line, const char *between, const char *key) {
    mb_line_text(line, between);
    mb_line_text(line, "\"");
    mb_line_text(line, key);
    mb_line_text(line, "\":");
}

static void json_number(struct mb_line *line, const char *between, const char *key, uint64_t value) {
    json_key(line, between, key);
    mb_line_number(line, value);
}

static void json_string(struct mb_line *line, const char *between, const char *key, const char *value) {
    json_key(line, between, key);
    mb_line_text(line, "\"");
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') mb_line_text(line, "\\");
        mb_line_piece(line, value, 1);
    }
    mb_line_text(line, "\"");
}

static void json_class(struct mb_line *line, const char *between, const struct mb_class_statistics *c) {
    mb_line_text(line, between);
    json_number(line, "{", "block_bytes", c->block_bytes);
    json_number(line, ",", "slabs", c->slabs);
    json_number(line, ",", "live_blocks", c->live_blocks);
    json_number(line, ",", "free_blocks", c->free_blocks);
    json_number(line, ",", "resident_bytes", c->resident_bytes);
    json_number(line, ",", "live_resident_bytes", c->live_resident_bytes);
    mb_line_text(line, "}");
}

static void write_json(struct mb_line *line, int fd, const struct mb_count *count) {
    const char *between = "";
    json_string(line, "{", "library", "mbmalloc");
    json_string(line, ",", "version", MBMALLOC_VERSION);
    json_number(line, ",", "pid", (uint64_t)mb_os_pid());
    json_string(line, ",", "program", mb_os_program_name());
    mb_line_text(line, ",\"statistics\":{");
    for (unsigned i = 0; i < MB_STATISTICS_ROWS; i++, between = ",") {
        if (!mb_statistics_is_known(&count->all, i)) continue;
        json_number(line, between, mb_statistics_rows[i].name, mb_statistics_value(&count->all, i));
        flush_long(line, fd, false);
    }
    mb_line_text(line, "},\"classes\":[");
    between = "";
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        if (!is_used(&count->of_class[c])) continue;
        json_class(line, between, &count->of_class[c]);
        flush_long(line, fd, false);
        between = ",";
    }
    mb_line_text(line, "]}\n");
}

// --- Prometheus ------------------------------------------------------------------------------------------------------

static void prometheus_head(struct mb_line *line, const char *name, const char *help, bool counter) {
    mb_line_text(line, "# HELP mbmalloc_");
    mb_line_text(line, name);
    mb_line_text(line, " ");
    mb_line_text(line, help);
    mb_line_text(line, "\n# TYPE mbmalloc_");
    mb_line_text(line, name);
    mb_line_text(line, counter ? " counter\n" : " gauge\n");
}

static void prometheus_row(struct mb_line *line, const struct mb_statistics_row *row, uint64_t value) {
    prometheus_head(line, row->name, row->help, row->kind == MB_STATISTICS_COUNTER);
    mb_line_text(line, "mbmalloc_");
    mb_line_text(line, row->name);
    mb_line_text(line, " ");
    mb_line_number(line, value);
    mb_line_text(line, "\n");
}

enum class_column { SLABS, LIVE_BLOCKS, FREE_BLOCKS, RESIDENT_BYTES, LIVE_RESIDENT_BYTES, CLASS_COLUMNS };
static const struct {
    char name[28], help[60];
} CLASS_COLUMN[CLASS_COLUMNS] = {
    [SLABS] = {"class_slabs", "slabs of this block size"},
    [LIVE_BLOCKS] = {"class_live_blocks", "live blocks of this size"},
    [FREE_BLOCKS] = {"class_free_blocks", "free blocks of this size"},
    [RESIDENT_BYTES] = {"class_resident_bytes", "resident memory of the slabs of this block size"},
    [LIVE_RESIDENT_BYTES] = {"class_live_resident_bytes", "the part of it in live blocks"},
};

static uint64_t class_value(const struct mb_class_statistics *c, enum class_column column) {
    switch (column) {
    case SLABS: return c->slabs;
    case LIVE_BLOCKS: return c->live_blocks;
    case FREE_BLOCKS: return c->free_blocks;
    case RESIDENT_BYTES: return c->resident_bytes;
    case LIVE_RESIDENT_BYTES:
    case CLASS_COLUMNS: break;
    }
    return c->live_resident_bytes;
}

static void prometheus_class(struct mb_line *line, const char *name, const struct mb_class_statistics *c, uint64_t value) {
    mb_line_text(line, "mbmalloc_");
    mb_line_text(line, name);
    mb_line_text(line, "{block_bytes=\"");
    mb_line_number(line, c->block_bytes);
    mb_line_text(line, "\"} ");
    mb_line_number(line, value);
    mb_line_text(line, "\n");
}

static void write_prometheus(struct mb_line *line, int fd, const struct mb_count *count) {
    for (unsigned i = 0; i < MB_STATISTICS_ROWS; i++) {
        if (!mb_statistics_is_known(&count->all, i)) continue;
        prometheus_row(line, &mb_statistics_rows[i], mb_statistics_value(&count->all, i));
        flush_long(line, fd, false);
    }
    for (unsigned column = 0; column < CLASS_COLUMNS; column++) {
        prometheus_head(line, CLASS_COLUMN[column].name, CLASS_COLUMN[column].help, false);
        for (unsigned c = 0; c < MB_CLASSES; c++) {
            const struct mb_class_statistics *of_class = &count->of_class[c];
            if (!is_used(of_class)) continue;
            prometheus_class(line, CLASS_COLUMN[column].name, of_class, class_value(of_class, column));
            flush_long(line, fd, false);
        }
    }
}

// --- all -------------------------------------------------------------------------------------------------------------

void mb_count_write(int fd, const struct mb_count *count, enum mb_statistics_format format, bool definitions) {
    struct mb_line line = {0};
    switch (format) {
    case MB_STATISTICS_TEXT: write_text(&line, fd, count, definitions); break;
    case MB_STATISTICS_JSON: write_json(&line, fd, count); break;
    case MB_STATISTICS_PROMETHEUS: write_prometheus(&line, fd, count); break;
    }
    flush_long(&line, fd, true);
}
