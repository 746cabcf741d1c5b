// Options as text: which values are accepted, which key is suggested for a misspelt one, what is printed, which options
// may be set later.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/told/option_value.h"
#include "core/told/options.h"

static struct mb_piece piece(const char *text) { return (struct mb_piece){text, strlen(text)}; }
static const struct mb_option_row *row(const char *name) { return mb_option_find(piece(name)); }

static const struct mb_option_row BYTES = {"bytes", "", "", MB_OPTION_BYTES, MB_OPTION_START, 0, 0, 0, UINT64_C(1) << 44};

static bool parse(const struct mb_option_row *r, const char *text, uint64_t *out) {
    struct mb_option_values values = {0};
    bool good = mb_option_parse(r, piece(text), &values);
    memcpy(out, (const char *)&values + r->offset, sizeof *out);
    return good;
}

static void good(const struct mb_option_row *r, const char *text, uint64_t expected) {
    uint64_t value;
    assert_true(parse(r, text, &value));
    assert_int_equal(value, expected);
}

static void bad(const struct mb_option_row *r, const char *text) {
    uint64_t value;
    assert_false(parse(r, text, &value));
}

static void switches(void **state) {
    (void)state;
    const struct mb_option_row *r = row("background");
    good(r, "1", 1), good(r, "ON", 1), good(r, "Yes", 1), good(r, "true", 1), good(r, "", 1);
    good(r, "0", 0), good(r, "off", 0), good(r, "NO", 0), good(r, "False", 0);
    bad(r, "2"), bad(r, "o"), bad(r, "onn"), bad(r, "-1"), bad(r, "1 1");
}

static void numbers_have_units_and_bounds(void **state) {
    (void)state;
    const struct mb_option_row *time = row("purge_delay_ms");
    good(time, "0", 0), good(time, "250", 250), good(time, "250ms", 250), good(time, "2s", 2000), good(time, "2 S", 2000);
    good(time, "60min", 3600000);
    bad(time, "61min"), bad(time, "2h"), bad(time, "2k"), bad(time, ""), bad(time, "s"), bad(time, "2.5s"), bad(time, "-1");
    good(&BYTES, "4096", 4096), good(&BYTES, "4K", 4096), good(&BYTES, "3mib", 3 << 20), good(&BYTES, "2GB", UINT64_C(2) << 30);
    good(&BYTES, "1t", UINT64_C(1) << 40), good(&BYTES, "7B", 7);
    bad(&BYTES, "17T"), bad(&BYTES, "4Ks"), bad(&BYTES, "99999999999999999999"), bad(&BYTES, "99999999999999T"), bad(&BYTES, "4 4");
    bad(row("seed"), "5k"), bad(row("seed"), "4294967296");
    good(row("seed"), "4294967295", UINT32_MAX);
}

static void shares(void **state) {
    (void)state;
    const struct mb_option_row *r = row("limit");
    good(r, "50%", MB_OPTION_SHARE_FLAG | 50), good(r, "100 %", MB_OPTION_SHARE_FLAG | 100), good(r, "2G", UINT64_C(2) << 30),
        good(r, "0", 0);
    bad(r, "0%"), bad(r, "101%"), bad(r, "%"), bad(r, "5%%"), bad(r, "-5%"), bad(r, "5K%");
}

static void choices_are_whole_words(void **state) {
    (void)state;
    good(row("stats"), "exit", MB_STATS_EXIT), good(row("stats"), "NEVER", MB_STATS_NEVER);
    bad(row("stats"), ""), bad(row("stats"), "exi"), bad(row("stats"), "exit never"), bad(row("stats"), "1");
    for (uint64_t i = 0; i < MB_PROFILE_ROWS; i++) good(row("profile"), mb_profile_rows[i].name, i);
}

static void texts_fit(void **state) {
    (void)state;
    struct mb_option_values values = {0};
    char longest[MB_OPTION_TEXT_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    assert_true(mb_option_parse(row("stats_file"), (struct mb_piece){longest, MB_OPTION_TEXT_BYTES - 1}, &values));
    assert_int_equal(strlen(values.stats_file), MB_OPTION_TEXT_BYTES - 1);
    assert_false(mb_option_parse(row("stats_file"), (struct mb_piece){longest, MB_OPTION_TEXT_BYTES}, &values));
    assert_false(mb_option_parse(row("stats_file"), piece(""), &values));
}

static const char *near(const char *name) {
    const struct mb_option_row *nearest = mb_option_nearest(piece(name));
    return nearest != NULL ? nearest->name : "none";
}

static void near_keys_are_named_and_far_ones_not(void **state) {
    (void)state;
    assert_string_equal(near("stat"), "stats");
    assert_string_equal(near("STATS_FILES"), "stats_file");
    assert_string_equal(near("bakground"), "background");
    assert_string_equal(near("purge_delay"), "purge_delay_ms");
    assert_string_equal(near("purge"), "purge_delay_ms");
    assert_string_equal(near("sede"), "seed");
    assert_string_equal(near("zzz"), "none");
    assert_string_equal(near("dirty_decay_ms_and_more"), "none");
    assert_string_equal(near("x"), "none");
}

// A printed value is parsed to the same value, the default is valid, and every field of a row is terminated.
static void every_row_is_in_order(void **state) {
    (void)state;
    for (size_t i = 0; i < MB_OPTION_ROWS; i++) {
        const struct mb_option_row *r = &mb_option_rows[i];
        assert_ptr_equal(row(r->name), r);
        assert_true(memchr(r->name, 0, sizeof r->name) && memchr(r->choices, 0, sizeof r->choices) && memchr(r->help, 0, sizeof r->help));
        if (r->kind == MB_OPTION_TEXT) continue;
        struct mb_line line = {0};
        mb_option_print_default(&line, r);
        line.text[line.length] = '\0';
        good(r, line.text, r->normal);
        struct mb_option_values values = {0};
        memcpy((char *)&values + r->offset, &r->max, sizeof r->max);
        if (r->kind == MB_OPTION_CHOICE) continue;
        line.length = 0;
        mb_option_print_value(&line, r, &values);
        line.text[line.length] = '\0';
        good(r, line.text, r->max);
    }
}

// A profile's row has only known keys and valid values; others would be silently ignored.
static void every_profile_is_in_order(void **state) {
    (void)state;
    for (size_t i = 0; i < MB_PROFILE_ROWS; i++) {
        const char *cursor = mb_profile_rows[i].values;
        assert_non_null(memchr(cursor, 0, sizeof mb_profile_rows[i].values));
        while (*cursor != '\0') {
            struct mb_piece name = mb_piece_take(&cursor, '=', ',', '='), value = mb_piece_take(&cursor, ',', ',', ',');
            uint64_t number;
            char text[40] = "";
            memcpy(text, value.text, value.length);
            assert_non_null(mb_option_find(name));
            assert_true(parse(mb_option_find(name), text, &number));
        }
    }
}

static void later_all_or_none_is_set(void **state) {
    (void)state;
    uint64_t before = mb_option.purge_delay_ms;
    assert_false(mb_options_set("purge_delay_ms=7,seed=1")); // not after the start
    assert_false(mb_options_set("purge_delay_ms=7,what=1"));
    assert_false(mb_options_set("purge_delay_ms=7,stats=maybe"));
    assert_int_equal(mb_option.purge_delay_ms, before);
    assert_true(mb_option_source(row("purge_delay_ms")) == MB_FROM_DEFAULT);
    assert_true(mb_options_set(" PURGE_DELAY_MS = 7 , stats_file=/tmp/x"));
    assert_int_equal(mb_option.purge_delay_ms, 7);
    assert_string_equal(mb_option.stats_file, "/tmp/x");
    assert_true(mb_option_source(row("purge_delay_ms")) == MB_FROM_API);
    assert_true(mb_options_set(""));
    assert_true(mb_options_set("purge_delay_ms=1000"));
    mb_option.stats_file[0] = '\0';
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switches),
        cmocka_unit_test(numbers_have_units_and_bounds),
        cmocka_unit_test(shares),
        cmocka_unit_test(choices_are_whole_words),
        cmocka_unit_test(texts_fit),
        cmocka_unit_test(near_keys_are_named_and_far_ones_not),
        cmocka_unit_test(every_row_is_in_order),
        cmocka_unit_test(every_profile_is_in_order),
        cmocka_unit_test(later_all_or_none_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
