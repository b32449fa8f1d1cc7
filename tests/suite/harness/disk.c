/* A disk that fails when told to, under a program that knows nothing of it (LD_PRELOAD).
 *
 * DISK_UNDER   only files below that folder are on it
 * DISK_STATE   a file whose first byte says how it is, at each moment anew; see `Disk` in disk.rs for the letters
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { SOUND = '.', FULL = 'n', WRITES_FAIL = 'w', FLUSHES_FAIL = 'f', TORN = 't', SLOW = 's' };

typedef ssize_t write_at(int, const void *, size_t, off64_t);
typedef int flush(int);

static const volatile char *state;
static const char *under;
static write_at *real_write_at;
static flush *real_fsync, *real_fdatasync;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("DISK_STATE");
    under = getenv("DISK_UNDER");
    real_write_at = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    int fd = path && under ? open(path, O_RDONLY) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(0, 1, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        fputs("the failing disk has no DISK_STATE or no DISK_UNDER\n", stderr);
        abort();
    }
    close(fd);
    state = page;
}

/* How the disk of that file is. */
static char how(int fd)
{
    if (*state == SOUND)
        return SOUND;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return SOUND;
    path[length] = 0;
    return strncmp(path, under, strlen(under)) ? SOUND : *state;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    struct stat file;
    switch (how(fd)) {
    case FULL:
        /* What a file has already, it keeps. */
        if (fstat(fd, &file) || offset + (off64_t)length <= file.st_size)
            break;
        return fail(ENOSPC);
    case WRITES_FAIL:
        /* As disks do: a part of it is there. */
        real_write_at(fd, bytes, length / 2, offset);
        return fail(EIO);
    case TORN:
        real_write_at(fd, bytes, length / 2, offset);
        raise(SIGKILL);
    }
    return real_write_at(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

static int flush_by(flush *real, int fd)
{
    char now = how(fd);
    if (now == FLUSHES_FAIL)
        return fail(EIO);
    if (now == SLOW)
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, 0);
    return real(fd);
}

int fsync(int fd)
{
    return flush_by(real_fsync, fd);
}

int fdatasync(int fd)
{
    return flush_by(real_fdatasync, fd);
}
