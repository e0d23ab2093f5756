/* A disk that forgets and fails, in front of a process whose journal is tested.
 *
 * Of each file in the watched folder it keeps a copy as of the last sync: what is
 * left when the power goes. It can let one sync fail, and let writes find the disk
 * full for a while.
 *
 *   DISK_WATCHED      the folder
 *   DISK_KEPT         where the copies go
 *   DISK_FAIL_SYNC    which sync of a file in it fails
 *   DISK_FULL_FROM    from which write the disk is full
 *   DISK_FULL_TO      and to which
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long syncs, writes;

static long number(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

/* The name of a file in the watched folder, or nothing. */
static const char *watched(int fd, char *path) {
    char link[64];
    const char *folder = getenv("DISK_WATCHED");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (!folder || length < 0) return NULL;
    path[length] = 0;
    size_t prefix = strlen(folder);
    if (strncmp(path, folder, prefix) || path[prefix] != '/') return NULL;
    return path + prefix + 1;
}

/* A copy is whole or not there: the process may die while it is made. */
static int keep(const char *path, const char *name) {
    char copy[PATH_MAX], part[PATH_MAX], bytes[65536];
    ssize_t length;
    snprintf(copy, sizeof copy, "%s/%s", getenv("DISK_KEPT"), name);
    snprintf(part, sizeof part, "%s/%s.part", getenv("DISK_KEPT"), name);
    int from = open(path, O_RDONLY);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (from < 0 || to < 0) abort();
    while ((length = read(from, bytes, sizeof bytes)) > 0)
        if (syscall(SYS_write, to, bytes, length) != length) abort();
    close(from);
    close(to);
    return rename(part, copy);
}

static int sync_file(int fd, long call) {
    char path[PATH_MAX];
    const char *name = watched(fd, path);
    if (name) {
        if (__atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST) == number("DISK_FAIL_SYNC")) {
            errno = EIO;
            return -1;
        }
        keep(path, name);
    }
    return (int)syscall(call, fd);
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

static int is_full(int fd) {
    char path[PATH_MAX];
    long from = number("DISK_FULL_FROM");
    if (!from || !watched(fd, path)) return 0;
    long now = __atomic_add_fetch(&writes, 1, __ATOMIC_SEQ_CST);
    errno = ENOSPC;
    return now >= from && now <= number("DISK_FULL_TO");
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return is_full(fd) ? -1 : syscall(SYS_write, fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    return is_full(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, length, at);
}
