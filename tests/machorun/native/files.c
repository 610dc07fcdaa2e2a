/* Files: Darwin's flags, struct stat (64-bit inodes), and folders. */

#define _GNU_SOURCE
#include "machorun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct flag {
    int darwin, here;
};

static int translate(int flags, const struct flag *table, const char *what) {
    int found = 0;
    for (; table->darwin; table++)
        if ((flags & table->darwin) == table->darwin) {
            found |= table->here;
            flags &= ~table->darwin;
        }
    if (flags) machorun_unsupported(what);
    return found;
}

static int back(int flags, const struct flag *table) {
    int found = 0;
    for (; table->darwin; table++)
        if (table->here && (flags & table->here) == table->here) {
            found |= table->darwin;
            flags &= ~table->here;
        }
    return found;
}

static const struct flag open_flags[] = {
    {0x100000, O_DIRECTORY}, {0x1000000, O_CLOEXEC}, {1, O_WRONLY}, {2, O_RDWR}, {4, O_NONBLOCK}, {8, O_APPEND},
    {0x80, O_SYNC}, {0x100, O_NOFOLLOW}, {0x200, O_CREAT}, {0x400, O_TRUNC}, {0x800, O_EXCL}, {0x20000, O_NOCTTY}, {0}};

int machorun_open(const char *path, int flags, int mode) {
    return open(path, translate(flags, open_flags, "a flag of open"), (mode_t)mode);
}

static int folder(int fd) { return fd == -2 ? AT_FDCWD : fd; }

int machorun_openat(int at, const char *path, int flags, int mode) {
    return openat(folder(at), path, translate(flags, open_flags, "a flag of openat"), (mode_t)mode);
}

int machorun_fcntl(int fd, int command, long argument) {
    char name[64];
    ssize_t length;
    switch (command) {
    case 0: return fcntl(fd, F_DUPFD, argument);
    case 1: return fcntl(fd, F_GETFD);
    case 2: return fcntl(fd, F_SETFD, argument);
    case 3: {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 ? flags : (flags & O_ACCMODE) | back(flags & ~(O_ACCMODE | 0100000), open_flags);
    }
    case 4: return fcntl(fd, F_SETFL, translate((int)argument, open_flags, "a flag of fcntl"));
    case 50: /* F_GETPATH */
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        length = readlink(name, (char *)argument, 1023);
        if (length < 0) return -1;
        ((char *)argument)[length] = 0;
        return 0;
    case 51: return fsync(fd); /* F_FULLFSYNC */
    case 67: return fcntl(fd, F_DUPFD_CLOEXEC, argument);
    default: machorun_unsupported("a command of fcntl");
    }
}

struct darwin_stat {
    int32_t device;
    uint16_t mode, links;
    uint64_t inode;
    uint32_t user, group;
    int32_t special, padding;
    struct timespec accessed, modified, changed, born;
    int64_t size, blocks;
    int32_t block;
    uint32_t flags, generation;
    int32_t spare;
    int64_t spares[2];
};
_Static_assert(sizeof(struct darwin_stat) == 144, "Darwin's struct stat with 64-bit inodes");

static int told(int result, const struct stat *s, struct darwin_stat *d) {
    if (result) return result;
    *d = (struct darwin_stat){
        .device = (int32_t)s->st_dev, .mode = (uint16_t)s->st_mode, .links = (uint16_t)s->st_nlink, .inode = s->st_ino,
        .user = s->st_uid, .group = s->st_gid, .special = (int32_t)s->st_rdev, .accessed = s->st_atim,
        .modified = s->st_mtim, .changed = s->st_ctim, .born = s->st_ctim, .size = s->st_size, .blocks = s->st_blocks,
        .block = (int32_t)s->st_blksize};
    return 0;
}

static int darwin_stat(const char *path, struct darwin_stat *d) {
    struct stat s;
    return told(stat(path, &s), &s, d);
}
static int darwin_lstat(const char *path, struct darwin_stat *d) {
    struct stat s;
    return told(lstat(path, &s), &s, d);
}
static int darwin_fstat(int fd, struct darwin_stat *d) {
    struct stat s;
    return told(fstat(fd, &s), &s, d);
}

static const struct flag at_flags[] = {{0x20, AT_SYMLINK_NOFOLLOW}, {0x40, AT_SYMLINK_FOLLOW}, {0x80, AT_REMOVEDIR}, {0}};

static int darwin_fstatat(int at, const char *path, struct darwin_stat *d, int flags) {
    struct stat s;
    return told(fstatat(folder(at), path, &s, translate(flags, at_flags, "a flag of fstatat")), &s, d);
}
static int darwin_unlinkat(int at, const char *path, int flags) {
    return unlinkat(folder(at), path, translate(flags, at_flags, "a flag of unlinkat"));
}
static int darwin_linkat(int from, const char *old, int to, const char *new, int flags) {
    return linkat(folder(from), old, folder(to), new, translate(flags, at_flags, "a flag of linkat"));
}

struct darwin_dirent {
    uint64_t inode, position;
    uint16_t record, length;
    uint8_t kind;
    char name[1024];
};

struct open_folder {
    DIR *here;
    struct darwin_dirent entry;
};

static struct open_folder *opened(DIR *here) {
    if (!here) return NULL;
    struct open_folder *made = calloc(1, sizeof *made);
    if (!made) abort();
    made->here = here;
    return made;
}
static struct open_folder *darwin_opendir(const char *path) { return opened(opendir(path)); }
static struct open_folder *darwin_fdopendir(int fd) { return opened(fdopendir(fd)); }
static int darwin_dirfd(struct open_folder *d) { return dirfd(d->here); }
static void darwin_rewinddir(struct open_folder *d) { rewinddir(d->here); }

static struct darwin_dirent *darwin_readdir(struct open_folder *d) {
    machorun_sync_errno();
    struct dirent *found = readdir(d->here);
    if (!found) return NULL;
    size_t length = strlen(found->d_name);
    d->entry.inode = found->d_ino, d->entry.position = (uint64_t)found->d_off, d->entry.kind = found->d_type;
    d->entry.length = (uint16_t)length, d->entry.record = (uint16_t)((21 + length + 1 + 3) & ~3UL);
    memcpy(d->entry.name, found->d_name, length + 1);
    return &d->entry;
}

static int darwin_readdir_r(struct open_folder *d, struct darwin_dirent *entry, struct darwin_dirent **result) {
    int kept = errno;
    errno = 0;
    struct darwin_dirent *found = darwin_readdir(d);
    int failed = found ? 0 : errno;
    errno = kept;
    *result = found ? memcpy(entry, found, sizeof *entry) : NULL;
    return failed;
}

static int darwin_closedir(struct open_folder *d) {
    int result = closedir(d->here);
    free(d);
    return result;
}

static const struct flag map_flags[] = {
    {1, MAP_SHARED}, {2, MAP_PRIVATE}, {0x10, MAP_FIXED}, {0x40, MAP_NORESERVE}, {0x1000, MAP_ANONYMOUS}, {0}};

static void *darwin_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap(at, size, protection, translate(flags, map_flags, "a flag of mmap"), fd, offset);
}

static char *darwin_realpath(const char *path, char *resolved) { return realpath(path, resolved); }

/* On x86_64 the plain names mean 32-bit inodes, which nothing new uses. */
#if defined(__x86_64__)
#define INODE64 "$INODE64"
#else
#define INODE64
#endif

const struct machorun_symbol machorun_files[] = {
    {"_stat" INODE64, darwin_stat}, {"_lstat" INODE64, darwin_lstat}, {"_fstat" INODE64, darwin_fstat},
    {"_fstatat" INODE64, darwin_fstatat}, {"_opendir" INODE64, darwin_opendir},
    {"_fdopendir" INODE64, darwin_fdopendir}, {"_readdir" INODE64, darwin_readdir},
    {"_readdir_r" INODE64, darwin_readdir_r}, {"_rewinddir" INODE64, darwin_rewinddir}, {"_closedir", darwin_closedir},
    {"_dirfd", darwin_dirfd}, {"_unlinkat", darwin_unlinkat}, {"_linkat", darwin_linkat}, {"_mmap", darwin_mmap},
    {"_realpath$DARWIN_EXTSN", darwin_realpath}, {"_realpath", darwin_realpath}, {0}};
