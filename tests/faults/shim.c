/* Spoils system calls of the process that it is loaded into (LD_PRELOAD), as a control file says
 * that is mapped by the test too: writes and flushes of one database's files, and what clocks say.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { FAIL, FAIL_FROM_THEN_ON, TEAR_AND_DIE };

/* Its twin is in native.py. */
struct control {
    volatile int64_t calls;   /* writes and flushes of the files so far */
    volatile int64_t nth;     /* the one to spoil; 0: none */
    volatile int64_t how;
    volatile int64_t error;   /* what it ends with */
    volatile int64_t spoiled; /* how many were */
    volatile int64_t wall_ns; /* what is added to the wall clock */
    volatile int64_t monotonic_ns;
    char files[1024];         /* how the paths of the files begin; "": none */
};

static struct control *control;

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("HAIRSPRING_TEST_SHIM");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) control = mapped;
}

static int is_meant(int file) {
    char name[64], path[PATH_MAX];
    if (!control || !control->files[0]) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, control->files, strlen(control->files)) == 0;
}

/* Whether this call is the one; what is torn is written by half before the process dies. */
static int is_spoiled(int file, const void *bytes, size_t count, off_t at) {
    if (!is_meant(file)) return 0;
    int64_t call = __atomic_add_fetch(&control->calls, 1, __ATOMIC_SEQ_CST), nth = control->nth;
    if (!nth || (control->how == FAIL_FROM_THEN_ON ? call < nth : call != nth)) return 0;
    __atomic_add_fetch(&control->spoiled, 1, __ATOMIC_SEQ_CST);
    if (control->how == TEAR_AND_DIE) {
        ssize_t (*torn)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
        if (bytes) torn(file, bytes, count / 2, at);
        kill(getpid(), SIGKILL);
    }
    errno = (int)control->error;
    return 1;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(write);
    return is_spoiled(file, bytes, count, lseek(file, 0, SEEK_CUR)) ? -1 : real(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    REAL(pwrite);
    return is_spoiled(file, bytes, count, at) ? -1 : real(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    REAL(pwrite64);
    return is_spoiled(file, bytes, count, at) ? -1 : real(file, bytes, count, at);
}

int fsync(int file) {
    REAL(fsync);
    return is_spoiled(file, NULL, 0, 0) ? -1 : real(file);
}

int fdatasync(int file) {
    REAL(fdatasync);
    return is_spoiled(file, NULL, 0, 0) ? -1 : real(file);
}

int ftruncate64(int file, off64_t size) {
    REAL(ftruncate64);
    return is_spoiled(file, NULL, 0, 0) ? -1 : real(file, size);
}

int clock_gettime(clockid_t clock, struct timespec *said) {
    REAL(clock_gettime);
    int result = real(clock, said);
    if (result || !control) return result;
    int64_t more = clock == CLOCK_REALTIME    ? control->wall_ns
                   : clock == CLOCK_MONOTONIC ? control->monotonic_ns
                                              : 0;
    int64_t all = said->tv_nsec + more;
    said->tv_sec += all / 1000000000;
    said->tv_nsec = all % 1000000000;
    if (said->tv_nsec < 0) said->tv_sec -= 1, said->tv_nsec += 1000000000;
    return 0;
}
