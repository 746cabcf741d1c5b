// mbmalloc symbols: adds function names to the call stacks in reports of profile=debug. This is done in a separate
// program, since the process that writes a report must not allocate.
//
// What: copies standard input, or a file, to standard output. To each line `#N 0xADDRESS FILE+0xOFFSET build-id ID` it
// adds the function, source file and line of the call, found by addr2line(1). If FILE now has another build id than the
// one in the report, it says so.
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/tool/tool.h"

enum { ID_BYTES = 20, ID_TEXT = 2 * ID_BYTES + 1, NAME_BYTES = 1024 };

struct frame {
    char file[4096], id[ID_TEXT];
    unsigned long offset;
};

// Parses a line such as `... #3 0x55d0c3f1 /usr/bin/app+0x43f1 build-id 1e0e...`.
static bool parse(const char *line, struct frame *out) {
    const char *at = strstr(line, "    #");
    if (strncmp(line, "mbmalloc: ", 10) != 0 || at == NULL) return false;
    out->id[0] = '\0';
    char *plus;
    if (sscanf(at, " #%*u 0x%*x %4095s build-id %40[0-9a-f]", out->file, out->id) < 1) return false;
    if ((plus = strrchr(out->file, '+')) == NULL) return false;
    *plus = '\0';
    out->offset = strtoul(plus + 1, NULL, 16);
    return out->offset > 0;
}

// --- build-id --------------------------------------------------------------------------------------------------------

static void print_id(const unsigned char *bytes, size_t count, char out[ID_TEXT]) {
    for (size_t i = 0; i < count && i < ID_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool read_note(FILE *file, const Elf64_Phdr *header, char out[ID_TEXT]) {
    unsigned char notes[1024];
    size_t length = header->p_filesz < sizeof notes ? header->p_filesz : sizeof notes;
    if (fseek(file, (long)header->p_offset, SEEK_SET) != 0 || fread(notes, 1, length, file) != length) return false;
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= length;) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof note);
        size_t text = at + sizeof note + ((note.n_namesz + 3u) & ~3u), end = text + note.n_descsz;
        if (end > length) return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4) return print_id(notes + text, note.n_descsz, out), true;
        at = (end + 3) & ~(size_t)3;
    }
    return false;
}

static bool build_id(const char *path, char out[ID_TEXT]) {
    Elf64_Ehdr elf;
    Elf64_Phdr header;
    FILE *file = fopen(path, "rb");
    bool found = false;
    if (file == NULL) return false;
    if (fread(&elf, sizeof elf, 1, file) != 1 || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) elf.e_phnum = 0;
    for (unsigned i = 0; i < elf.e_phnum && !found; i++) {
        bool read = fseek(file, (long)(elf.e_phoff + i * sizeof header), SEEK_SET) == 0 && fread(&header, sizeof header, 1, file) == 1;
        found = read && header.p_type == PT_NOTE && read_note(file, &header, out);
    }
    fclose(file);
    return found;
}

// --- names -----------------------------------------------------------------------------------------------------------

static void become_addr2line(const struct frame *frame, int out) {
    char offset[32];
    snprintf(offset, sizeof offset, "0x%lx", frame->offset - 1); // the frame's address is that of the instruction after the call
    dup2(out, STDOUT_FILENO);
    execlp("addr2line", "addr2line", "-f", "-C", "-p", "-e", frame->file, offset, (char *)NULL);
    _exit(127);
}

// False if addr2line is not installed or does not know the address.
static bool name_of(const struct frame *frame, char *out, size_t bytes) {
    int ends[2], status = -1;
    if (pipe(ends) != 0) return false;
    pid_t child = fork();
    if (child == 0) become_addr2line(frame, ends[1]);
    close(ends[1]);
    size_t used = 0;
    for (ssize_t got; used < bytes - 1 && (got = read(ends[0], out + used, bytes - 1 - used)) > 0;) used += (size_t)got;
    out[used] = '\0';
    out[strcspn(out, "\n")] = '\0';
    close(ends[0]);
    if (child > 0) waitpid(child, &status, 0);
    return status == 0 && out[0] != '\0' && strncmp(out, "??", 2) != 0;
}

static void write_frame(const char *line, const struct frame *frame) {
    char id[ID_TEXT] = "", name[NAME_BYTES];
    printf("%.*s", (int)strcspn(line, "\n"), line);
    if (access(frame->file, R_OK) != 0)
        printf(": no such file here\n");
    else if (frame->id[0] != '\0' && build_id(frame->file, id) && strcmp(frame->id, id) != 0)
        printf(": the file is another build now (%s)\n", id);
    else if (name_of(frame, name, sizeof name))
        printf(": %s\n", name);
    else
        putchar('\n');
}

int tool_symbols(int argc, char **argv) {
    char *line = NULL;
    size_t room = 0;
    if (argc > 1) return tool_usage("symbols");
    FILE *in = argc == 1 ? fopen(argv[0], "r") : stdin;
    if (in == NULL) return tool_fail("%s cannot be read", argv[0]);
    while (getline(&line, &room, in) >= 0) {
        struct frame frame;
        if (parse(line, &frame))
            write_frame(line, &frame);
        else
            fputs(line, stdout);
        fflush(stdout);
    }
    free(line);
    if (in != stdin) fclose(in);
    return TOOL_OK;
}
