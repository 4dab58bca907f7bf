/*
 * Faults below a program: loaded before it (LD_PRELOAD), this stands between it and the C library and counts the
 * calls that change files. The program knows nothing of it, and nothing is left out: between two such calls a
 * kill -9 leaves the same bytes on the disk wherever it strikes.
 *
 *   TXCO_FAULT        kill   the N-th call never happens, nor anything after it
 *                     torn   of the N-th call, if it writes, the first half happens; anything else happens whole
 *                     cut    as kill, and what was written and not yet synced is gone: the power was cut
 *                     sync   as cut, but only calls that sync are counted: each is where something begins to last
 *                     synced as sync, but the N-th one happens, and nothing after it
 *                     full   from the N-th call on there is no room on the disk
 *                     io     from the N-th call on writing fails in the device
 *   TXCO_FAULT_AT     N, from 1
 *   TXCO_FAULT_FROM   "start"; "mark": counting begins when the program removes a file called faults-begin, and when it
 *                     removes one called faults-end, there are no faults any more; or the file whose presence begins it
 *   TXCO_FULL_WHILE   there is no room on the disk while this file exists
 *   TXCO_READ_ONLY    below this path nothing can be changed
 *   TXCO_CLOCK        seconds by which the wall clock is wrong
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum fault { NONE, KILL, TORN, CUT, SYNC, SYNCED, FULL, IO };

static enum fault fault;
static long at;
static atomic_long counted;
static atomic_int armed;
static int strike_at_syncs, forgets;
static const char *full_while, *read_only, *from;
static long clock_off;

__attribute__((constructor)) static void begin(void) {
    const char *word = getenv("TXCO_FAULT"), *number = getenv("TXCO_FAULT_AT");
    from = getenv("TXCO_FAULT_FROM");
    if (word) {
        fault = !strcmp(word, "kill")   ? KILL
                : !strcmp(word, "torn") ? TORN
                : !strcmp(word, "cut")  ? CUT
                : !strcmp(word, "sync") ? SYNC
                : !strcmp(word, "synced") ? SYNCED
                : !strcmp(word, "full") ? FULL
                                        : IO;
        at = number ? atol(number) : 0;
        armed = from && !strcmp(from, "start");
        if (armed || (from && !strcmp(from, "mark")))
            from = NULL;
        strike_at_syncs = fault == SYNC || fault == SYNCED;
        forgets = fault == CUT || fault == SYNC;
    }
    full_while = getenv("TXCO_FULL_WHILE");
    read_only = getenv("TXCO_READ_ONLY");
    if (getenv("TXCO_CLOCK"))
        clock_off = atol(getenv("TXCO_CLOCK"));
}

/* What a file had where something was written that is not synced yet, the newest first. */
struct unsynced {
    struct unsynced *older;
    dev_t device;
    ino_t file;
    int fd;
    off_t size, from;
    size_t length;
    char was[];
};

static struct unsynced *unsynced;
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

/* Before `length` bytes from `from` on are written or cut off. */
static void remember(int fd, off_t from, size_t length) {
    struct stat facts;
    char name[64];
    if (!forgets || !armed || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        return;
    struct unsynced *one = malloc(sizeof *one + length);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    *one = (struct unsynced){.device = facts.st_dev, .file = facts.st_ino, .size = facts.st_size, .from = from};
    one->fd = REAL(open64)(name, O_RDWR | O_CLOEXEC);
    ssize_t had = pread(one->fd, one->was, length, from);
    one->length = had > 0 ? (size_t)had : 0;
    pthread_mutex_lock(&unsynced_lock);
    one->older = unsynced;
    unsynced = one;
    pthread_mutex_unlock(&unsynced_lock);
}

/* What was written to this file is on the disk now. */
static void synced(int fd) {
    struct stat facts;
    if (!forgets || fstat(fd, &facts) != 0)
        return;
    pthread_mutex_lock(&unsynced_lock);
    for (struct unsynced **at = &unsynced; *at;) {
        struct unsynced *one = *at;
        if (one->device == facts.st_dev && one->file == facts.st_ino) {
            *at = one->older;
            close(one->fd);
            free(one);
        } else
            at = &one->older;
    }
    pthread_mutex_unlock(&unsynced_lock);
}

static void lose(void) {
    pthread_mutex_lock(&unsynced_lock);
    for (struct unsynced *one = unsynced; one; one = one->older) {
        ssize_t back = REAL(pwrite64)(one->fd, one->was, one->length, one->from);
        if (back < 0 || REAL(ftruncate64)(one->fd, one->size) != 0)
            abort();
    }
}

static void die(void) {
    if (forgets)
        lose();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether this is the N-th call, or (for what lasts) one after it. */
static int struck(int syncs) {
    if (fault == NONE || (strike_at_syncs && !syncs))
        return 0;
    if (!armed && !(armed = from && access(from, F_OK) == 0))
        return 0;
    long number = atomic_fetch_add(&counted, 1) + 1;
    return fault == FULL || fault == IO ? number >= at : number == at;
}

static int fails(int error) {
    errno = error;
    return -1;
}

/* Before a change that adds no bytes. */
static int change(int syncs, int *after) {
    *after = 0;
    if (!struck(syncs))
        return 0;
    if (fault == KILL || forgets)
        die();
    if (fault == TORN || fault == SYNCED)
        *after = 1;
    return fault == IO ? fails(EIO) : 0;
}

#define CHANGE(call) DONE(0, call)

#define DONE(syncs, call)                                                                                              \
    do {                                                                                                               \
        int after;                                                                                                     \
        if (change(syncs, &after))                                                                                     \
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
static ssize_t write_struck(int fd, off_t from, size_t length, int *failed) {
    *failed = 0;
    if (!is_file(fd))
        return -1;
    if (full_while && access(full_while, F_OK) == 0) {
        *failed = ENOSPC;
        return -1;
    }
    if (!struck(0)) {
        remember(fd, from, length);
        return -1;
    }
    if (fault == KILL || forgets)
        die();
    if (fault == TORN)
        return (ssize_t)(length / 2);
    *failed = fault == FULL ? ENOSPC : EIO;
    return -1;
}

#define WRITE(fd, from, length, torn, whole)                                                                                 \
    do {                                                                                                               \
        int failed;                                                                                                    \
        ssize_t half = write_struck(fd, from, length, &failed);                                                              \
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
    WRITE(fd, lseek(fd, 0, SEEK_CUR), length, REAL(write)(fd, from, (size_t)half), REAL(write)(fd, from, length));
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset) {
    WRITE(fd, offset, length, REAL(pwrite)(fd, from, (size_t)half, offset), REAL(pwrite)(fd, from, length, offset));
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t offset) {
    WRITE(fd, offset, length, REAL(pwrite64)(fd, from, (size_t)half, offset), REAL(pwrite64)(fd, from, length, offset));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    WRITE(fd, lseek(fd, 0, SEEK_CUR), length, 0, REAL(writev)(fd, parts, count));
}

static int sync_of(int fd, int done) {
    if (done == 0)
        synced(fd);
    return done;
}

int fsync(int fd) { DONE(1, sync_of(fd, REAL(fsync)(fd))); }

int fdatasync(int fd) { DONE(1, sync_of(fd, REAL(fdatasync)(fd))); }

static void before_cutting(int fd, off_t length) {
    struct stat facts;
    if (fstat(fd, &facts) == 0)
        remember(fd, length, facts.st_size > length ? (size_t)(facts.st_size - length) : 0);
}

int ftruncate(int fd, off_t length) { CHANGE((before_cutting(fd, length), REAL(ftruncate)(fd, length))); }

int ftruncate64(int fd, off64_t length) { CHANGE((before_cutting(fd, length), REAL(ftruncate64)(fd, length))); }

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
    /* What is there is there, the kernel says, whatever the disk. */
    if (is_read_only(path) && access(path, F_OK) != 0)
        return fails(EROFS);
    CHANGE(REAL(mkdir)(path, mode));
}

/* Making a file is a change; opening one is none. */
static int opening(const char *path, int flags, int *after) {
    *after = 0;
    if (is_read_only(path) && flags & (O_CREAT | O_WRONLY | O_RDWR))
        return fails(EROFS);
    return flags & O_CREAT && access(path, F_OK) != 0 ? change(0, after) : 0;
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
