// A server that keeps a session for each user, for "Why is my resident set three times what I use?": 300,000 users
// come, two in three of them leave again, in no order. What is left uses a third of the memory. usage: sessions
// [SECONDS]: how long it then waits, 600 unless said
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USERS = 300000, SESSION_BYTES = 1000 };
static char *session[USERS];

int main(int argc, char **argv) {
    for (int i = 0; i < USERS; i++) session[i] = memset(malloc(SESSION_BYTES), 's', SESSION_BYTES);
    for (unsigned i = 0, random = 1; i < USERS; i++) {
        random = random * 1664525 + 1013904223;
        if (random >> 8 > (1u << 24) / 3) free(session[i]);
    }
    sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 600);
    return 0;
}
