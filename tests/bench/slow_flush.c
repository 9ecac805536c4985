/* LD_PRELOAD: every fdatasync and fsync takes GOLEM_BENCH_FLUSH_US microseconds longer, whatever program makes it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static struct timespec delay;

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("GOLEM_BENCH_FLUSH_US");
    long us = given ? atol(given) : 0;
    delay.tv_sec = us / 1000000;
    delay.tv_nsec = us % 1000000 * 1000;
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
}

static int after_a_while(int result) {
    nanosleep(&delay, NULL);
    return result;
}

int fdatasync(int fd) { return after_a_while(real_fdatasync(fd)); }

int fsync(int fd) { return after_a_while(real_fsync(fd)); }
