// mbmalloc flame: draws a heap profile as a flame graph (Brendan Gregg) in one SVG file without external parts. The
// width of a box is the memory that the call and all calls below it hold; a click enlarges a box to the full width.
#include "preload/tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "preload/tool/profile.h"

enum { WIDTH = 1200, ROW = 18, MARGIN = 10, HEAD = 34, LETTER_TENTHS = 72, MORE_ROWS = 2 };
static const double NARROWEST = 0.4; // the least width of a box, in pixels

// --- the tree of calls -----------------------------------------------------------------------------------------------

struct node {
    const char *name;
    int64_t value;
    struct node *first, *next; // first: of the functions it calls; next: the caller's next one
};

static struct node *called(struct node *caller, const char *name) {
    for (struct node *node = caller->first; node != NULL; node = node->next) {
        if (strcmp(node->name, name) == 0) return node;
    }
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) exit(tool_fail("no memory"));
    *node = (struct node){.name = name, .next = caller->first};
    return caller->first = node;
}

static void add_sample(const struct tool_profile *p, const struct tool_sample *sample, int value, struct node *root) {
    int64_t amount = sample->value[value];
    struct node *node = root;
    if (amount <= 0) return;
    root->value += amount;
    if (sample->locations == 0) called(root, "[lost]")->value += amount;
    for (size_t i = sample->locations; i > 0; i--) {
        node = called(node, tool_profile_function(p, sample, i - 1));
        node->value += amount;
    }
}

// The height of the picture in rows, counting only calls that hold at least a hundredth of everything: otherwise a
// single sample with a long stack would make the picture high and mostly empty.
static unsigned rows_of(const struct node *node, int64_t all) {
    unsigned most = 0;
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        unsigned rows = child->value >= all / 100 ? rows_of(child, all) : 0;
        most = rows > most ? rows : most;
    }
    return most + 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const struct node *const *)a)->name, (*(const struct node *const *)b)->name);
}

static void sort(struct node *node) {
    size_t count = 0, i = 0;
    for (struct node *child = node->first; child != NULL; child = child->next) count++;
    if (count == 0) return;
    struct node **all = calloc(count, sizeof(struct node *));
    if (all == NULL) exit(tool_fail("no memory"));
    for (struct node *child = node->first; child != NULL; child = child->next) all[i++] = child;
    qsort(all, count, sizeof(struct node *), by_name);
    for (i = 0; i < count; i++) {
        all[i]->next = i + 1 < count ? all[i + 1] : NULL;
        sort(all[i]);
    }
    node->first = all[0];
    free(all);
}

// --- the picture -----------------------------------------------------------------------------------------------------

struct picture {
    FILE *out;
    int64_t all;
    int height;
    unsigned rows;
    bool bytes;
};

static void put_text(FILE *out, const char *text, size_t most) {
    for (size_t i = 0; text[i] != '\0' && i < most; i++) {
        if (text[i] == '<')
            fputs("&lt;", out);
        else if (text[i] == '>')
            fputs("&gt;", out);
        else if (text[i] == '&')
            fputs("&amp;", out);
        else if ((unsigned char)text[i] >= ' ')
            fputc(text[i], out);
    }
}

static const char *amount_of(const struct picture *picture, int64_t value) {
    static char text[32];
    if (picture->bytes) return tool_size((uint64_t)value);
    snprintf(text, sizeof text, "%lld", (long long)value);
    return text;
}

// The colour depends on the function's name alone, so that a function looks the same in every picture.
static void put_colour(FILE *out, const char *name) {
    unsigned hash = 5381;
    for (; *name != '\0'; name++) hash = hash * 33 + (unsigned char)*name;
    fprintf(out, "hsl(%u,%u%%,%u%%)", 8 + hash % 44, 75 + hash / 64 % 20, 60 + hash / 4096 % 12);
}

static void put_label(const struct picture *picture, const char *name, double x, double y, double width) {
    size_t letters = width < 6 ? 0 : (size_t)((width - 6) * 10 / LETTER_TENTHS), length = strlen(name);
    if (letters < 4) return;
    fprintf(picture->out, "<text x=\"%.1f\" y=\"%.1f\">", x + 3, y + ROW - 5);
    put_text(picture->out, name, length <= letters ? length : letters - 2);
    fputs(length <= letters ? "</text>" : "..</text>", picture->out);
}

static void put_box(const struct picture *picture, const struct node *node, double x, double width, unsigned depth) {
    double y = picture->height - MARGIN - (double)ROW * (depth + 1);
    fputs("<g><title>", picture->out);
    put_text(picture->out, node->name, SIZE_MAX);
    fprintf(picture->out, ": %s, %.1f %%</title><rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\" fill=\"",
            amount_of(picture, node->value), 100.0 * (double)node->value / (double)picture->all, x, y, width, ROW - 1);
    put_colour(picture->out, node->name);
    fputs("\"/>", picture->out);
    put_label(picture, node->name, x, y, width);
    fputs("</g>\n", picture->out);
}

static void put_boxes(const struct picture *picture, const struct node *node, double x, unsigned depth) {
    double scale = (WIDTH - 2.0 * MARGIN) / (double)picture->all;
    put_box(picture, node, x, (double)node->value * scale, depth);
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        double width = (double)child->value * scale;
        if (width >= NARROWEST && depth + 1 < picture->rows) put_boxes(picture, child, x, depth + 1);
        x += width;
    }
}

// A click on a box draws the part of the graph within its width at the full width; a click on the lowest box restores
// all.
static const char SCRIPT[] =
    "<script><![CDATA[\n"
    "const g=[...document.querySelectorAll('g')].map(e=>{const r=e.querySelector('rect');return "
    "{e,r,x:+r.getAttribute('x'),w:+r.getAttribute('width'),\n"
    " y:+r.getAttribute('y'),t:e.querySelector('title').textContent.replace(/: [^:]*$/,'')}});\n"
    "const L=g[0].x,W=g[0].w;\n"
    "function zoom(b){for(const i of g){const s=W/b.w,x=L+(i.x-b.x)*s,w=i.w*s,below=i.y>b.y&&i.x<=b.x+.01&&i.x+i.w>=b.x+b.w-.01;\n"
    " const X=below?L:x,V=below?W:w;i.e.style.display=X+V>L+.1&&X<L+W-.1?'':'none';i.e.style.opacity=below&&i.y!=g[0].y?.6:1;\n"
    " i.r.setAttribute('x',X);i.r.setAttribute('width',V);let t=i.e.querySelector('text');const n=Math.floor((V-6)/7.2);\n"
    " if(!t&&n>3){t=document.createElementNS('http://www.w3.org/2000/svg','text');t.setAttribute('y',i.y+13);i.e.append(t)}\n"
    " if(t){t.setAttribute('x',X+3);t.textContent=n<4?'':i.t.length<=n?i.t:i.t.slice(0,n-2)+'..'}}}\n"
    "for(const i of g)i.e.onclick=()=>zoom(i);\n"
    "]]></script>\n";

static void draw(const struct picture *picture, const struct node *root, const struct tool_profile *p, const char *value) {
    fprintf(picture->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"monospace\" "
            "font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<style>text{pointer-events:none}g{cursor:pointer}</style>\n<text x=\"%d\" y=\"21\" font-size=\"15\">",
            WIDTH, picture->height, WIDTH, picture->height, MARGIN);
    fprintf(picture->out, "%s: %s in %zu stacks; ", value, amount_of(picture, picture->all), p->samples);
    put_text(picture->out, tool_profile_string(p, p->comment), SIZE_MAX);
    fputs("</text>\n", picture->out);
    put_boxes(picture, root, MARGIN, 0);
    fprintf(picture->out, "%s</svg>\n", SCRIPT);
}

// --- the command -----------------------------------------------------------------------------------------------------

struct settings {
    const char *file, *value, *to;
};

static bool read_settings(int argc, char **argv, struct settings *s) {
    *s = (struct settings){0};
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--value") == 0 && more)
            s->value = argv[++i];
        else if (strcmp(argv[i], "-o") == 0 && more)
            s->to = argv[++i];
        else if (s->file == NULL && argv[i][0] != '-')
            s->file = argv[i];
        else
            return false;
    }
    return s->file != NULL;
}

// The default output name: FILE.svg for FILE.pb.gz.
static char *usual_name(const char *file) {
    size_t length = strlen(file);
    char *name = NULL;
    if (length > 6 && strcmp(file + length - 6, ".pb.gz") == 0) length -= 6;
    return asprintf(&name, "%.*s.svg", (int)length, file) >= 0 ? name : NULL;
}

int tool_flame(int argc, char **argv) {
    struct settings settings;
    struct tool_profile profile;
    struct node root = {.name = "all"};
    if (!read_settings(argc, argv, &settings)) return tool_usage("flame");
    if (!tool_profile_read(settings.file, &profile)) return TOOL_FAILED;
    if (settings.value == NULL) settings.value = tool_profile_usual(&profile);
    int value = tool_profile_value(&profile, settings.value);
    if (value < 0) return TOOL_FAILED;
    tool_profile_name(&profile);
    for (size_t s = 0; s < profile.samples; s++) add_sample(&profile, &profile.sample[s], value, &root);
    if (root.value == 0) return tool_fail("%s: nothing has %s in it", settings.file, settings.value);
    sort(&root);
    const char *to = settings.to != NULL ? settings.to : usual_name(settings.file);
    struct picture picture = {
        .out = to != NULL ? fopen(to, "w") : NULL, .all = root.value, .bytes = strstr(settings.value, "space") != NULL};
    if (picture.out == NULL) return tool_fail("%s: %s", to, strerror(errno));
    picture.rows = rows_of(&root, root.value) + MORE_ROWS;
    picture.height = HEAD + 2 * MARGIN + ROW * (int)picture.rows;
    draw(&picture, &root, &profile, settings.value);
    bool good = !ferror(picture.out);
    if (fclose(picture.out) != 0 || !good) return tool_fail("%s: %s", to, strerror(errno));
    puts(to);
    return TOOL_OK;
}
