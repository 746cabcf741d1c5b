// mbmalloc map: writes a picture of a running process's heap as one HTML file without external parts.
#include "preload/tool/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_S = 30 };

// The HTML file contains the units as text, five characters for each unit (kind, class, fullness, residency, flags); a
// run of equal units is written once with its length.
static const char HEAD[] = "<!doctype html><html lang=en><meta charset=utf-8><title>mbmalloc map</title>\n"
                           "<style>body{font:14px/1.4 system-ui,sans-serif;margin:16px;color:#222;background:#fff}"
                           "canvas{border:1px solid #888;image-rendering:pixelated;max-width:100%}"
                           "label{margin-right:12px}.key span{display:inline-block;margin-right:14px}.key "
                           "i{display:inline-block;width:12px;height:12px;margin-right:4px;"
                           "border:1px solid #888;vertical-align:-1px}#told{min-height:1.4em}"
                           "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>\n";

static const char BODY[] =
    "<p>Every square is a unit of 64 KiB, in the order of addresses. Colour by\n"
    "<label><input type=radio name=by value=use checked> use</label><label><input type=radio name=by value=size> block size</label>"
    "<label><input type=radio name=by value=full> how full</label><label><input type=radio name=by value=pages> pages that are "
    "there</label></p>\n"
    "<p class=key id=key></p><canvas id=map></canvas><p id=told>&nbsp;</p>\n"
    "<script>\n"
    "const units=[];for(const run of DATA.split(' ')){if(!run)continue;const [n,k,c,f,r,g]=run.split(',').map(Number);"
    "for(let i=0;i<n;i++)units.push([k,c,f,r,g]);}\n"
    "const canvas=document.getElementById('map'),key=document.getElementById('key'),told=document.getElementById('told');\n"
    "const wide=Math.min(Math.max(Math.ceil(Math.sqrt(units.length*2)),32),1024),side=Math.max(1,Math.floor(1024/wide));\n"
    "const high=Math.max(1,Math.ceil(units.length/wide));canvas.width=wide*side;canvas.height=high*side;\n"
    "const USE=['free, given back','slab of a thread','slab of nobody','large block','large, kept','free, still warm','free, warm for a "
    "tick','not ours'];\n"
    "const COLOR=['#f2f2f2','#2b6cb0','#90b8dd','#2f855a','#d69e2e','#e07b39','#b83232','#444444'];\n"
    "const use=u=>u[0]==1?(u[4]&4?1:2):u[0]==2?3:u[0]==4?4:u[0]==3?7:u[4]&2?6:u[4]&1?5:0;\n"
    "const scale=x=>`hsl(${240-240*x/255},70%,${60-15*x/255}%)`;\n"
    "const paint={use:u=>COLOR[use(u)],size:u=>u[0]==1?`hsl(${u[1]*5},65%,50%)`:u[0]==2?'#999':'#f2f2f2',"
    "full:u=>u[0]==1||u[0]==2?scale(u[2]):'#f2f2f2',pages:u=>u[3]?scale(u[3]):'#f2f2f2'};\n"
    "function draw(by){const ink=canvas.getContext('2d');ink.clearRect(0,0,canvas.width,canvas.height);"
    "units.forEach((u,i)=>{ink.fillStyle=paint[by](u);ink.fillRect(i%wide*side,Math.floor(i/"
    "wide)*side,side>2?side-1:side,side>2?side-1:side);});\n"
    "const n=USE.map(()=>0);units.forEach(u=>n[use(u)]++);"
    "key.innerHTML=by=='use'?USE.map((t,i)=>`<span><i style='background:${COLOR[i]}'></i>${t}: ${(n[i]/16).toFixed(1)} "
    "MiB</span>`).join('')"
    ":by=='size'?'one colour for each block size; grey: large blocks':'blue: none, red: all';document.body.dataset.drawn=by+' "
    "'+units.length;}\n"
    "document.querySelectorAll('input').forEach(b=>b.onchange=()=>draw(b.value));\n"
    "canvas.onmousemove=e=>{const "
    "b=canvas.getBoundingClientRect(),x=Math.floor((e.clientX-b.left)/b.width*wide),y=Math.floor((e.clientY-b.top)/b.height*high),"
    "i=y*wide+x,u=units[i];told.textContent=u?`0x${(BASE+BigInt(i)*65536n).toString(16)}: ${USE[use(u)]}`+"
    "(u[0]==1?`, blocks of ${SIZES[u[1]]} bytes`:'')+(u[0]==1||u[0]==2?`, ${Math.round(u[2]/2.55)} % live`:'')+`, ${Math.round(u[3]/2.55)} "
    "% of its pages there`:'';};\n"
    "const first=document.querySelector(`input[value='${location.hash.slice(1)}']`);if(first)first.checked=true;\n"
    "draw(first?first.value:'use');\n</script></html>\n";

static void write_run(FILE *out, const struct mb_monitor_unit *unit, uint64_t count) {
    if (count == 0) return;
    fprintf(out, "%llu,%u,%u,%u,%u,%u ", (unsigned long long)count, unit->kind, unit->class_index, unit->full, unit->resident, unit->flags);
}

// Requests the units from the process part by part and writes them. Returns their number; 0 if the process did not
// answer.
static uint64_t write_units(FILE *out, const struct tool_page *page) {
    struct mb_monitor_unit last = {0};
    uint64_t run = 0, all = 1;
    for (uint64_t first = 0; first < all; first += MB_MONITOR_UNITS) {
        if (!tool_page_ask(page, MB_MONITOR_MAP, first, PATIENCE_S)) return 0;
        all = page->page->number;
        for (uint64_t i = 0; i < MB_MONITOR_UNITS && first + i < all; i++) {
            const struct mb_monitor_unit *unit = &page->page->units[i];
            if (run > 0 && memcmp(unit, &last, sizeof last) != 0) write_run(out, &last, run), run = 0;
            last = *unit;
            run++;
        }
    }
    write_run(out, &last, run);
    return all;
}

static void write_text(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc(*text, out);
    }
}

static bool write_page(FILE *out, const struct tool_page *page) {
    if (!tool_page_ask(page, MB_MONITOR_STATISTICS, 0, PATIENCE_S)) return false;
    char comm[100] = "?";
    tool_read_of(page->pid, "comm", comm, sizeof comm);
    comm[strcspn(comm, "\n")] = '\0';
    fprintf(out, "%s<h1>The heap of process %d, ", HEAD, page->pid);
    write_text(out, comm);
    fprintf(out, "</h1><p id=words>");
    page->page->text[sizeof page->page->text - 1] = '\0';
    write_text(out, page->page->text);
    fprintf(out, "</p>\n<script>const BASE=BigInt('0x%llx'),SIZES=[", (unsigned long long)page->page->base);
    for (int c = 0; c < MB_MONITOR_CLASSES; c++) fprintf(out, "%u,", page->page->classes[c].block_bytes);
    fprintf(out, "],DATA='");
    bool good = write_units(out, page) != 0;
    fprintf(out, "';</script>\n%s", BODY);
    return good && !ferror(out);
}

int tool_map(int argc, char **argv) {
    char name[64];
    const char *file = name;
    int pid = argc > 0 ? tool_pid(argv[0]) : 0;
    if (argc == 3 && strcmp(argv[1], "-o") == 0)
        file = argv[2];
    else if (argc != 1)
        pid = 0;
    if (pid == 0) return tool_usage("map");
    snprintf(name, sizeof name, "mbmalloc-map-%d.html", pid);
    struct tool_page page;
    if (!tool_page_open(&page, pid)) return TOOL_FAILED;
    FILE *out = fopen(file, "w");
    bool good = out != NULL && write_page(out, &page);
    if (out == NULL || (fclose(out) != 0 && good)) tool_fail("%s: %s", file, strerror(errno)), good = false;
    tool_page_close(&page);
    if (good) printf("%s\n", file);
    return good ? TOOL_OK : TOOL_FAILED;
}
