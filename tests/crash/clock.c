/* A clock that was set wrong, in front of a process.
 *
 *   CLOCK_MOVED       by how many seconds
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    const char *moved = getenv("CLOCK_MOVED");
    if (clock == CLOCK_REALTIME && moved) now->tv_sec += atol(moved);
    return done;
}
