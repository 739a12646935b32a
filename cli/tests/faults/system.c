/*
 * A system that fails on demand, for a program that LD_PRELOAD loads this into: its clock is off, writes to its databases
 * fail, or their disk answers late. LETTERBOX_SYSTEM names the file that says how. Each call then goes to the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* In the order of `Fault` in system.rs, and of `MEMBERS` in tests/system/clock.py. */
struct faults {
    /* Added to the time of day, in milliseconds. */
    int64_t clock;
    /* The error of a write, and of a sync; 0 for none. */
    int64_t write;
    int64_t sync;
    /* How long a sync takes, in milliseconds. */
    int64_t delay;
};

static volatile struct faults *faults;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LETTERBOX_SYSTEM");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *faults, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        fputs("LETTERBOX_SYSTEM: no such file\n", stderr);
        abort();
    }
    close(file);
    faults = mapped;
}

static int is_database(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, ".db") != NULL;
}

/* The number of bytes that can be written. A disk that fills up takes a part of them first. */
static ssize_t writable(int file, size_t length) {
    static __thread int is_full;
    int error = faults ? (int)faults->write : 0;
    if (!error || !is_database(file))
        return length;
    if (error == ENOSPC && length > 1 && !is_full) {
        is_full = 1;
        return length / 2;
    }
    is_full = 0;
    errno = error;
    return -1;
}

ssize_t write(int file, const void *data, size_t length) {
    ssize_t part = writable(file, length);
    return part < 0 ? part : syscall(SYS_write, file, data, part);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    ssize_t part = writable(file, length);
    return part < 0 ? part : syscall(SYS_pwrite64, file, data, part, offset);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    ssize_t part = writable(file, length);
    return part < 0 ? part : syscall(SYS_pwrite64, file, data, part, offset);
}

static int synced(int file) {
    const struct timespec pause = {0, 1000 * 1000};
    if (!faults || !is_database(file))
        return 0;
    for (int64_t waited = 0; waited < faults->delay; waited++)
        syscall(SYS_nanosleep, &pause, NULL);
    if (!faults->sync)
        return 0;
    errno = (int)faults->sync;
    return -1;
}

int fdatasync(int file) {
    return synced(file) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    return synced(file) ? -1 : (int)syscall(SYS_fsync, file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && faults && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t offset = faults->clock;
        now->tv_sec += offset / 1000;
        now->tv_nsec += offset % 1000 * 1000000;
        if (now->tv_nsec >= 1000000000) {
            now->tv_nsec -= 1000000000;
            now->tv_sec++;
        }
        if (now->tv_nsec < 0) {
            now->tv_nsec += 1000000000;
            now->tv_sec--;
        }
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    (void)zone;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
