/*
 * Faults below a program: loaded before it (LD_PRELOAD), this stands between it and the C library and counts the
 * calls that change files. The program knows nothing of it, and nothing is left out: between two such calls a
 * kill -9 leaves the same bytes on the disk wherever it strikes.
 *
 *   TXCO_FAULT        kill   the N-th call never happens, nor anything after it
 *                     torn   of the N-th call, if it writes, the first half happens; anything else happens whole
 *                     full   from the N-th call on there is no room on the disk
 *                     io     from the N-th call on writing fails in the device
 *   TXCO_FAULT_AT     N, from 1
 *   TXCO_FAULT_FROM   "start", or else counting begins when the program removes a file called faults-begin; when it
 *                     removes one called faults-end, there are no faults any more
 *   TXCO_FULL_WHILE   there is no room on the disk while this file exists
 *   TXCO_READ_ONLY    below this path nothing can be changed
 *   TXCO_CLOCK        seconds by which the wall clock is wrong
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum fault { NONE, KILL, TORN, FULL, IO };

static enum fault fault;
static long at;
static atomic_long counted;
static atomic_int armed;
static const char *full_while, *read_only;
static long clock_off;

__attribute__((constructor)) static void begin(void) {
    const char *word = getenv("TXCO_FAULT"), *number = getenv("TXCO_FAULT_AT"), *from = getenv("TXCO_FAULT_FROM");
    if (word) {
        fault = !strcmp(word, "kill") ? KILL : !strcmp(word, "torn") ? TORN : !strcmp(word, "full") ? FULL : IO;
        at = number ? atol(number) : 0;
        armed = from && !strcmp(from, "start");
    }
    full_while = getenv("TXCO_FULL_WHILE");
    read_only = getenv("TXCO_READ_ONLY");
    if (getenv("TXCO_CLOCK"))
        clock_off = atol(getenv("TXCO_CLOCK"));
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether this is the N-th call, or (for what lasts) one after it. */
static int struck(void) {
    if (fault == NONE || !armed)
        return 0;
    long number = atomic_fetch_add(&counted, 1) + 1;
    return fault == FULL || fault == IO ? number >= at : number == at;
}

static int fails(int error) {
    errno = error;
    return -1;
}

/* Before a change that adds no bytes. */
static int change(int *after) {
    *after = 0;
    if (!struck())
        return 0;
    if (fault == KILL)
        die();
    if (fault == TORN)
        *after = 1;
    return fault == IO ? fails(EIO) : 0;
}

#define CHANGE(call)                                                                                                   \
    do {                                                                                                               \
        int after;                                                                                                     \
        if (change(&after))                                                                                            \
            return -1;                                                                                                 \
        int done = (call);                                                                                             \
        if (after)                                                                                                     \
            die();                                                                                                     \
        return done;                                                                                                   \
    } while (0)

static int is_file(int fd) {
    struct stat facts;
    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* Before a write of `length` bytes; how many of them happen before the end, -1 when it does not strike. */
static ssize_t write_struck(int fd, size_t length, int *failed) {
    *failed = 0;
    if (!is_file(fd))
        return -1;
    if (full_while && access(full_while, F_OK) == 0) {
        *failed = ENOSPC;
        return -1;
    }
    if (!struck())
        return -1;
    if (fault == KILL)
        die();
    if (fault == TORN)
        return (ssize_t)(length / 2);
    *failed = fault == FULL ? ENOSPC : EIO;
    return -1;
}

#define WRITE(fd, length, torn, whole)                                                                                 \
    do {                                                                                                               \
        int failed;                                                                                                    \
        ssize_t half = write_struck(fd, length, &failed);                                                              \
        if (failed)                                                                                                    \
            return fails(failed);                                                                                      \
        if (half >= 0) {                                                                                               \
            ssize_t written = (torn);                                                                                  \
            (void)written;                                                                                             \
            die();                                                                                                     \
        }                                                                                                              \
        return (whole);                                                                                                \
    } while (0)

ssize_t write(int fd, const void *from, size_t length) {
    WRITE(fd, length, REAL(write)(fd, from, (size_t)half), REAL(write)(fd, from, length));
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset) {
    WRITE(fd, length, REAL(pwrite)(fd, from, (size_t)half, offset), REAL(pwrite)(fd, from, length, offset));
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t offset) {
    WRITE(fd, length, REAL(pwrite64)(fd, from, (size_t)half, offset), REAL(pwrite64)(fd, from, length, offset));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    WRITE(fd, 0, 0, REAL(writev)(fd, parts, count));
}

int fsync(int fd) { CHANGE(REAL(fsync)(fd)); }

int fdatasync(int fd) { CHANGE(REAL(fdatasync)(fd)); }

int ftruncate(int fd, off_t length) { CHANGE(REAL(ftruncate)(fd, length)); }

int ftruncate64(int fd, off64_t length) { CHANGE(REAL(ftruncate64)(fd, length)); }

static int is_read_only(const char *path) {
    return read_only && !strncmp(path, read_only, strlen(read_only));
}

int rename(const char *from, const char *to) {
    if (is_read_only(to))
        return fails(EROFS);
    CHANGE(REAL(rename)(from, to));
}

int link(const char *from, const char *to) {
    if (is_read_only(to))
        return fails(EROFS);
    CHANGE(REAL(link)(from, to));
}

int unlink(const char *path) {
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (!strcmp(name, "faults-begin"))
        armed = 1;
    else if (!strcmp(name, "faults-end"))
        armed = 0;
    else {
        if (is_read_only(path))
            return fails(EROFS);
        CHANGE(REAL(unlink)(path));
    }
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
    if (is_read_only(path))
        return fails(EROFS);
    CHANGE(REAL(mkdir)(path, mode));
}

/* Making a file is a change; opening one is none. */
static int opening(const char *path, int flags, int *after) {
    *after = 0;
    if (is_read_only(path) && flags & (O_CREAT | O_WRONLY | O_RDWR))
        return fails(EROFS);
    return flags & O_CREAT && access(path, F_OK) != 0 ? change(after) : 0;
}

#define OPEN(name, path, flags)                                                                                        \
    do {                                                                                                               \
        mode_t mode = 0;                                                                                               \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                         \
            va_list more;                                                                                              \
            va_start(more, flags);                                                                                     \
            mode = va_arg(more, mode_t);                                                                               \
            va_end(more);                                                                                              \
        }                                                                                                              \
        int after;                                                                                                     \
        if (opening(path, flags, &after))                                                                              \
            return -1;                                                                                                 \
        int fd = REAL(name)(path, flags, mode);                                                                        \
        if (after)                                                                                                     \
            die();                                                                                                     \
        return fd;                                                                                                     \
    } while (0)

int open(const char *path, int flags, ...) { OPEN(open, path, flags); }

int open64(const char *path, int flags, ...) { OPEN(open64, path, flags); }

int clock_gettime(clockid_t which, struct timespec *now) {
    int done = REAL(clock_gettime)(which, now);
    if (done == 0 && which == CLOCK_REALTIME)
        now->tv_sec += clock_off;
    return done;
}
