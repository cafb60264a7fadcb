// Files and folders. Every call is one system call or a loop over one; what is missing is `undefined` where TypeScript says so.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))
#define COPY_PIECE (256 * 1024)
#define PROGRESS_STEP (1024 * 1024)

#define FUNCTION(name) static JSValue name(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
#define UNUSED ((void)this, (void)argc)

static int is_missing(int number) { return number == ENOENT || number == ENOTDIR; }

// A failed call about `path`: undefined for what is missing, if `optional`. Frees the path.
static JSValue ended(JSContext *ctx, int number, const char *operation, const char *path, int optional)
{
    JSValue result = optional && is_missing(number) ? JS_UNDEFINED : fail(ctx, number, operation, path);
    JS_FreeCString(ctx, path);
    return result;
}

// Opens a regular file or block device; anything else could make a read wait for ever. -1 with errno.
static int open_for_reading(const char *path, struct stat *facts)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return -1;
    int number = fstat(descriptor, facts) < 0        ? errno
                 : S_ISDIR(facts->st_mode)           ? EISDIR
                 : !S_ISREG(facts->st_mode) && !S_ISBLK(facts->st_mode) ? EINVAL
                                                     : 0;
    if (number == 0)
        return descriptor;
    close(descriptor);
    errno = number;
    return -1;
}

// Reads until `most` bytes or the end; -1 with errno.
static ssize_t read_at(int descriptor, uint8_t *bytes, size_t most, off_t offset)
{
    size_t size = 0;
    while (size < most) {
        ssize_t got = pread(descriptor, bytes + size, most - size, offset + (off_t)size);
        if (got == 0)
            break;
        if (got > 0)
            size += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)size;
}

static void free_bytes(JSRuntime *runtime, void *opaque, void *bytes)
{
    (void)runtime;
    (void)opaque;
    free(bytes);
}

// read(path, offset, most): ArrayBuffer of at most `most` bytes. The buffer grows with what is there: files of /proc say size 0.
FUNCTION(read_file)
{
    UNUSED;
    int64_t offset, most;
    struct stat facts;
    if (JS_ToInt64(ctx, &offset, argv[1]) || JS_ToInt64(ctx, &most, argv[2]))
        return JS_EXCEPTION;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int descriptor = open_for_reading(path, &facts);
    if (descriptor < 0)
        return ended(ctx, errno, "open", path, 1);
    size_t room = 4096, size = 0;
    if (S_ISREG(facts.st_mode) && facts.st_size > offset)
        room = (size_t)(facts.st_size - offset) + 1; // One more, so that the end is met without growing.
    uint8_t *bytes = NULL;
    int number = 0;
    for (;;) {
        if (room > (size_t)most)
            room = (size_t)most;
        uint8_t *larger = realloc(bytes, room > 0 ? room : 1);
        if (larger == NULL) {
            number = ENOMEM;
            break;
        }
        bytes = larger;
        ssize_t got = read_at(descriptor, bytes + size, room - size, (off_t)offset + (off_t)size);
        if (got < 0) {
            number = errno;
            break;
        }
        size += (size_t)got;
        if (size < room || room == (size_t)most)
            break;
        room *= 2;
    }
    close(descriptor);
    if (number != 0) {
        free(bytes);
        return ended(ctx, number, "read", path, 0);
    }
    JS_FreeCString(ctx, path);
    return JS_NewArrayBuffer(ctx, bytes, size, free_bytes, NULL, 0);
}

FUNCTION(list_folder)
{
    UNUSED;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return ended(ctx, errno, "opendir", path, 1);
    JSValue names = JS_NewArray(ctx);
    uint32_t count = 0;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            JS_SetPropertyUint32(ctx, names, count++, JS_NewString(ctx, entry->d_name));
    }
    int number = errno;
    closedir(folder);
    if (number != 0) {
        JS_FreeValue(ctx, names);
        return ended(ctx, number, "readdir", path, 0);
    }
    JS_FreeCString(ctx, path);
    return names;
}

// facts(path, follow): [kind, size, mode, modified, inode, device].
FUNCTION(file_facts)
{
    UNUSED;
    struct stat facts;
    int follow = JS_ToBool(ctx, argv[1]);
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    if (fstatat(AT_FDCWD, path, &facts, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return ended(ctx, errno, "stat", path, 1);
    JS_FreeCString(ctx, path);
    const char *kind = S_ISREG(facts.st_mode)   ? "file"
                       : S_ISDIR(facts.st_mode) ? "folder"
                       : S_ISLNK(facts.st_mode) ? "link"
                                                : "other";
    JSValue list = JS_NewArray(ctx);
    JS_SetPropertyUint32(ctx, list, 0, JS_NewString(ctx, kind));
    JS_SetPropertyUint32(ctx, list, 1, JS_NewInt64(ctx, facts.st_size));
    JS_SetPropertyUint32(ctx, list, 2, JS_NewInt64(ctx, facts.st_mode & 07777));
    JS_SetPropertyUint32(ctx, list, 3, JS_NewInt64(ctx, facts.st_mtime));
    JS_SetPropertyUint32(ctx, list, 4, JS_NewInt64(ctx, (int64_t)facts.st_ino));
    JS_SetPropertyUint32(ctx, list, 5, JS_NewInt64(ctx, (int64_t)facts.st_dev));
    return list;
}

FUNCTION(read_link)
{
    UNUSED;
    char target[4096 + 1]; // PATH_MAX
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    ssize_t size = readlink(path, target, sizeof(target));
    if (size < 0)
        return ended(ctx, errno, "readlink", path, 1);
    JS_FreeCString(ctx, path);
    return JS_NewStringLen(ctx, target, (size_t)size);
}

// space(path): [free, total, freeFiles].
FUNCTION(file_system_space)
{
    UNUSED;
    struct statvfs facts;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    if (statvfs(path, &facts) < 0)
        return ended(ctx, errno, "statvfs", path, 0);
    JS_FreeCString(ctx, path);
    JSValue list = JS_NewArray(ctx);
    JS_SetPropertyUint32(ctx, list, 0, JS_NewInt64(ctx, (int64_t)(facts.f_bavail * facts.f_frsize)));
    JS_SetPropertyUint32(ctx, list, 1, JS_NewInt64(ctx, (int64_t)(facts.f_blocks * facts.f_frsize)));
    JS_SetPropertyUint32(ctx, list, 2, JS_NewInt64(ctx, (int64_t)facts.f_favail));
    return list;
}

// A new file with exactly this mode, whatever the umask; -1 with errno.
static int create(const char *path, int32_t mode)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor >= 0 && fchmod(descriptor, (mode_t)mode & 07777) < 0) {
        int number = errno;
        close(descriptor);
        unlink(path);
        errno = number;
        return -1;
    }
    return descriptor;
}

// Closes a file that was written; on failure, now or before (`number`), removes it. 0 or an errno.
static int finish(int descriptor, const char *path, int number)
{
    if (close(descriptor) < 0 && number == 0)
        number = errno;
    if (number != 0)
        unlink(path);
    return number;
}

FUNCTION(write_new)
{
    UNUSED;
    int32_t mode;
    size_t size;
    const uint8_t *bytes = bytes_of(ctx, argv[1], &size);
    if ((bytes == NULL && size > 0) || JS_ToInt32(ctx, &mode, argv[2]))
        return JS_EXCEPTION;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int descriptor = create(path, mode);
    if (descriptor < 0)
        return ended(ctx, errno, "create", path, 0);
    int number = write_all(descriptor, bytes, size) < 0 ? errno : 0;
    number = finish(descriptor, path, number);
    if (number != 0)
        return ended(ctx, number, "write", path, 0);
    JS_FreeCString(ctx, path);
    return JS_UNDEFINED;
}

// Copies all bytes; tells `progress`, if it is a function, after each MiB. 0, an errno, or -1 when `progress` threw.
static int copy_bytes(JSContext *ctx, int from, int to, JSValueConst progress)
{
    uint8_t *piece = malloc(COPY_PIECE);
    if (piece == NULL)
        return ENOMEM;
    int64_t copied = 0, told = 0;
    int number = 0;
    for (;;) {
        ssize_t got = read_at(from, piece, COPY_PIECE, (off_t)copied);
        if (got < 0 || write_all(to, piece, (size_t)got) < 0) {
            number = errno;
            break;
        }
        copied += got;
        if (JS_IsFunction(ctx, progress) && (copied - told >= PROGRESS_STEP || (got < COPY_PIECE && copied > told))) {
            told = copied;
            JSValue argument = JS_NewInt64(ctx, copied);
            JSValue result = JS_Call(ctx, progress, JS_UNDEFINED, 1, &argument);
            JS_FreeValue(ctx, result);
            if (JS_IsException(result)) {
                number = -1;
                break;
            }
        }
        if (got < COPY_PIECE)
            break;
    }
    free(piece);
    return number;
}

// copyNew(from, to, mode, progress)
FUNCTION(copy_new)
{
    UNUSED;
    int32_t mode;
    struct stat facts;
    if (JS_ToInt32(ctx, &mode, argv[2]))
        return JS_EXCEPTION;
    const char *from = plain_string(ctx, argv[0]);
    if (from == NULL)
        return JS_EXCEPTION;
    int source = open_for_reading(from, &facts);
    if (source < 0)
        return ended(ctx, errno, "open", from, 0);
    JS_FreeCString(ctx, from);
    const char *path = plain_string(ctx, argv[1]);
    int descriptor = path == NULL ? -1 : create(path, mode);
    if (descriptor < 0) {
        int number = errno;
        close(source);
        return path == NULL ? JS_EXCEPTION : ended(ctx, number, "create", path, 0);
    }
    int number = finish(descriptor, path, copy_bytes(ctx, source, descriptor, argv[3]));
    close(source);
    if (number > 0)
        return ended(ctx, number, "copy", path, 0);
    JS_FreeCString(ctx, path);
    return number < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

FUNCTION(sync_path)
{
    UNUSED;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int number = descriptor < 0 || fsync(descriptor) < 0 ? errno : 0;
    if (descriptor >= 0)
        close(descriptor);
    if (number != 0)
        return ended(ctx, number, "fsync", path, 0);
    JS_FreeCString(ctx, path);
    return JS_UNDEFINED;
}

// The two-name calls. An error is about the name that is made.
static JSValue two_names(JSContext *ctx, JSValueConst *argv, int (*call)(const char *, const char *), const char *operation)
{
    const char *from = plain_string(ctx, argv[0]);
    if (from == NULL)
        return JS_EXCEPTION;
    const char *to = plain_string(ctx, argv[1]);
    if (to == NULL) {
        JS_FreeCString(ctx, from);
        return JS_EXCEPTION;
    }
    int number = call(from, to) < 0 ? errno : 0;
    JS_FreeCString(ctx, from);
    if (number != 0)
        return ended(ctx, number, operation, to, 0);
    JS_FreeCString(ctx, to);
    return JS_UNDEFINED;
}

FUNCTION(rename_path) { UNUSED; return two_names(ctx, argv, rename, "rename"); }
FUNCTION(symlink_path) { UNUSED; return two_names(ctx, argv, symlink, "symlink"); }
FUNCTION(link_path) { UNUSED; return two_names(ctx, argv, link, "link"); }

// False for what was not there.
static JSValue removed(JSContext *ctx, JSValueConst *argv, int (*call)(const char *), const char *operation)
{
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int number = call(path) < 0 ? errno : 0;
    if (number != 0 && number != ENOENT)
        return ended(ctx, number, operation, path, 0);
    JS_FreeCString(ctx, path);
    return JS_NewBool(ctx, number == 0);
}

FUNCTION(unlink_path) { UNUSED; return removed(ctx, argv, unlink, "unlink"); }
FUNCTION(rmdir_path) { UNUSED; return removed(ctx, argv, rmdir, "rmdir"); }

FUNCTION(make_folder)
{
    UNUSED;
    int32_t mode;
    struct stat facts;
    if (JS_ToInt32(ctx, &mode, argv[1]))
        return JS_EXCEPTION;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int number = mkdir(path, 0700) < 0 || chmod(path, (mode_t)mode & 07777) < 0 ? errno : 0;
    if (number != 0 && !(number == EEXIST && lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode)))
        return ended(ctx, number, "mkdir", path, 0);
    JS_FreeCString(ctx, path);
    return JS_NewBool(ctx, number == 0);
}

// lock(path, seconds): descriptor, or undefined when somebody else keeps it.
FUNCTION(lock_file)
{
    UNUSED;
    double seconds;
    if (JS_ToFloat64(ctx, &seconds, argv[1]))
        return JS_EXCEPTION;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return ended(ctx, errno, "open", path, 0);
    double deadline = clock_seconds(CLOCK_MONOTONIC) + seconds;
    const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
    while (flock(descriptor, LOCK_EX | LOCK_NB) < 0) {
        int number = errno;
        if (number == EINTR)
            continue;
        if (number != EWOULDBLOCK || clock_seconds(CLOCK_MONOTONIC) >= deadline) {
            close(descriptor);
            if (number != EWOULDBLOCK)
                return ended(ctx, number, "flock", path, 0);
            JS_FreeCString(ctx, path);
            return JS_UNDEFINED;
        }
        nanosleep(&pause, NULL);
    }
    JS_FreeCString(ctx, path);
    return JS_NewInt32(ctx, descriptor);
}

FUNCTION(close_descriptor)
{
    UNUSED;
    int32_t descriptor;
    if (JS_ToInt32(ctx, &descriptor, argv[0]))
        return JS_EXCEPTION;
    close(descriptor);
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("read", 3, read_file),
    JS_CFUNC_DEF("list", 1, list_folder),
    JS_CFUNC_DEF("facts", 2, file_facts),
    JS_CFUNC_DEF("readlink", 1, read_link),
    JS_CFUNC_DEF("space", 1, file_system_space),
    JS_CFUNC_DEF("writeNew", 3, write_new),
    JS_CFUNC_DEF("copyNew", 4, copy_new),
    JS_CFUNC_DEF("sync", 1, sync_path),
    JS_CFUNC_DEF("rename", 2, rename_path),
    JS_CFUNC_DEF("symlink", 2, symlink_path),
    JS_CFUNC_DEF("link", 2, link_path),
    JS_CFUNC_DEF("unlink", 1, unlink_path),
    JS_CFUNC_DEF("rmdir", 1, rmdir_path),
    JS_CFUNC_DEF("mkdir", 2, make_folder),
    JS_CFUNC_DEF("lock", 2, lock_file),
    JS_CFUNC_DEF("close", 1, close_descriptor),
};

int add_files(JSContext *ctx, JSModuleDef *module) { return JS_AddModuleExportList(ctx, module, FUNCTIONS, COUNT(FUNCTIONS)); }
int set_files(JSContext *ctx, JSModuleDef *module) { return JS_SetModuleExportList(ctx, module, FUNCTIONS, COUNT(FUNCTIONS)); }
