// A substitute for a program of another C library or processor, so that the scripts here can run that program by its
// plain name. As FOLDER/bin/NAME (a hard link) it starts FOLDER/real/NAME, with the library in MB_PRELOAD preloaded if
// that is set, under the emulator in MB_EMULATOR (a command with qemu-user's options, separated by blanks) if that is
// set. It is static, so that no loader looks at an LD_PRELOAD that is meant for the other program.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, WORDS = 16 };

static void find_real(char real[static PATH_BYTES]) {
    char self[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) _exit(126);
    self[length] = 0;
    char *name = strrchr(self, '/');
    *name = 0;
    snprintf(real, PATH_BYTES, "%.*s/real/%.255s", (int)(strrchr(self, '/') - self), self, name + 1);
}

static int start_emulated(char *emulator, const char *preload, char *real, int argc, char **argv) {
    static char setting[PATH_BYTES];
    char **words = calloc((size_t)argc + WORDS + 6, sizeof *words);
    int count = 0;
    if (words == NULL) return 126;
    for (char *word = strtok(emulator, " "); word != NULL && count < WORDS; word = strtok(NULL, " ")) words[count++] = word;
    words[count++] = "-0";
    words[count++] = argv[0];
    if (preload != NULL) {
        snprintf(setting, sizeof setting, "LD_PRELOAD=%s", preload);
        words[count++] = "-E";
        words[count++] = setting;
    }
    words[count++] = real;
    memcpy(words + count, argv + 1, (size_t)argc * sizeof *argv);
    execvp(words[0], words);
    return 127;
}

int main(int argc, char **argv) {
    char real[PATH_BYTES], *emulator = getenv("MB_EMULATOR");
    const char *preload = getenv("MB_PRELOAD");
    find_real(real);
    unsetenv("LD_PRELOAD");
    if (emulator != NULL) return start_emulated(strdup(emulator), preload, real, argc, argv);
    if (preload != NULL) setenv("LD_PRELOAD", preload, 1);
    execv(real, argv);
    perror(real);
    return 127;
}
