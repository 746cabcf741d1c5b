// A store for secrets in a locked region: readable only while it is being read, overwritten when a secret is deleted,
// empty in a forked child.
#include <mbmalloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct secret {
    char name[32];
    size_t bytes;
    char *value; // in the locked region
};

struct store {
    struct mb_locked locked;
    struct secret secrets[16];
};

static struct secret *find(struct store *store, const char *name) {
    for (size_t i = 0; i < 16; i++) {
        if (strcmp(store->secrets[i].name, name) == 0) return &store->secrets[i];
    }
    return NULL;
}

static bool open_store(struct store *store) {
    memset(store, 0, sizeof *store);
    return mb_locked_new(&store->locked, 4096) == MB_OK && mb_locked_protect(&store->locked, MB_OS_NONE) == MB_OK;
}

// Stores the value and overwrites the caller's copy.
static bool keep(struct store *store, const char *name, char *value, size_t bytes) {
    struct secret *secret = find(store, "");
    if (secret == NULL || mb_locked_protect(&store->locked, MB_OS_READ | MB_OS_WRITE) != MB_OK) return false;
    char *place = mb_locked_allocate(&store->locked, bytes, 1);
    if (place != NULL) {
        memcpy(place, value, bytes);
        snprintf(secret->name, sizeof secret->name, "%s", name);
        secret->bytes = bytes;
        secret->value = place;
    }
    mb_scrub(value, bytes);
    return mb_locked_protect(&store->locked, MB_OS_NONE) == MB_OK && place != NULL;
}

// Makes the secret readable only while `use` runs.
static bool with_secret(struct store *store, const char *name, bool (*use)(const char *value, size_t bytes)) {
    struct secret *secret = find(store, name);
    if (secret == NULL || mb_locked_protect(&store->locked, MB_OS_READ) != MB_OK) return false;
    bool result = use(secret->value, secret->bytes);
    return mb_locked_protect(&store->locked, MB_OS_NONE) == MB_OK && result;
}

static bool forget(struct store *store, const char *name) {
    struct secret *secret = find(store, name);
    if (secret == NULL || mb_locked_protect(&store->locked, MB_OS_READ | MB_OS_WRITE) != MB_OK) return false;
    bool gone = mb_locked_deallocate(&store->locked, secret->value, secret->bytes) == MB_OK;
    memset(secret, 0, sizeof *secret);
    return mb_locked_protect(&store->locked, MB_OS_NONE) == MB_OK && gone;
}

static bool is_opensesame(const char *value, size_t bytes) { return bytes == 10 && memcmp(value, "opensesame", 10) == 0; }

static bool child_has_none(struct store *store) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) _exit(with_secret(store, "door", is_opensesame) ? 1 : 0);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(void) {
    static struct store store;
    char password[] = "opensesame", pin[] = "1234";
    if (!open_store(&store)) {
        printf("SKIP: no locked memory: the system says %d\n", mb_locked_os_error(&store.locked));
        return 77; // and never memory that is not locked
    }
    bool fine = keep(&store, "door", password, 10) && keep(&store, "card", pin, 4);
    fine = fine && password[0] == 0 && with_secret(&store, "door", is_opensesame) && child_has_none(&store);
    fine = fine && forget(&store, "card") && !with_secret(&store, "card", is_opensesame) && forget(&store, "door");
    fine = fine && mb_locked_allocated(&store.locked) == 0; // each was the newest when it was forgotten, so its place is used again
    return mb_locked_drop(&store.locked) == MB_OK && fine ? 0 : 1;
}
