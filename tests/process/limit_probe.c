// What cgroup_limit.sh runs: prints how many blocks of 1 MiB it could have, of 100, all written.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    int had = 0;
    for (void *p; had < 100 && (p = malloc(1 << 20)) != NULL; had++) memset(p, 1, 1 << 20);
    printf("%d\n", had);
    return 0;
}
