/* Shifts the time of day of a process, so that a test can let it jump. The monotonic clock, which deadlines use, stays.
 *
 *     cc -shared -fPIC -O2 -o clock.so tests/system/clock.c
 *     echo 3600000 > offset
 *     LD_PRELOAD=$PWD/clock.so CLOCK_OFFSET=$PWD/offset target/debug/letterbox serve
 *     echo -86400000 > offset.new && mv offset.new offset
 *
 * CLOCK_OFFSET names a file with a decimal number of milliseconds, which may be negative. It is read at every call: the clock
 * jumps as soon as the file has another number, also in the middle of a delivery. While the file is missing, empty or
 * unreadable, the last number counts, at first 0; replace the file with `mv`, or write it in one call.
 *
 * It shifts clock_gettime, gettimeofday, time and timespec_get of dynamically linked programs with glibc on Linux.
 * clock.py compiles and uses it.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS 1000000000L

static long long offset_in_ms(void) {
    static _Atomic long long last;
    const char *path = getenv("CLOCK_OFFSET");
    if (path == NULL) return 0;
    /* A successful call of the functions below must not change it. */
    int error = errno;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        char text[32];
        ssize_t length = read(file, text, sizeof text - 1);
        close(file);
        if (length > 0) {
            char *end;
            text[length] = '\0';
            long long offset = strtoll(text, &end, 10);
            if (end != text) atomic_store(&last, offset);
        }
    }
    errno = error;
    return atomic_load(&last);
}

static int is_time_of_day(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
    if (is_time_of_day(clock)) {
        long long offset = offset_in_ms();
        now->tv_sec += offset / 1000;
        now->tv_nsec += offset % 1000 * 1000000;
        if (now->tv_nsec < 0) {
            now->tv_nsec += NANOSECONDS;
            now->tv_sec -= 1;
        } else if (now->tv_nsec >= NANOSECONDS) {
            now->tv_nsec -= NANOSECONDS;
            now->tv_sec += 1;
        }
    }
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}
