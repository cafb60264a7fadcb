// The module `sextant:native`: errors, text, streams, clocks. Files are in files.c, processes in processes.c.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

static JSValue error_class = JS_UNDEFINED;
static int argument_count;
static char **arguments;

// What errno(3) calls the numbers that file and process calls return; others are shown as E and the number.
static const struct {
    int number;
    const char *name;
} NAMES[] = {
#define NAME(name) { name, #name }
    NAME(E2BIG), NAME(EACCES), NAME(EAGAIN), NAME(EBADF), NAME(EBUSY), NAME(ECONNREFUSED), NAME(EDQUOT), NAME(EEXIST),
    NAME(EFBIG), NAME(EINTR), NAME(EINVAL), NAME(EIO), NAME(EISDIR), NAME(ELOOP), NAME(EMFILE), NAME(EMLINK),
    NAME(EMSGSIZE), NAME(ENAMETOOLONG), NAME(ENFILE), NAME(ENODEV), NAME(ENOENT), NAME(ENOEXEC), NAME(ENOMEM),
    NAME(ENOSPC), NAME(ENOSYS), NAME(ENOTCONN), NAME(ENOTDIR), NAME(ENOTEMPTY), NAME(ENXIO), NAME(EOPNOTSUPP),
    NAME(EPERM), NAME(EPIPE), NAME(EROFS), NAME(ETXTBSY), NAME(EXDEV),
};

static const char *errno_name(int number, char *other, size_t size)
{
    for (int at = 0; at < COUNT(NAMES); at++)
        if (NAMES[at].number == number)
            return NAMES[at].name;
    // snprintf() would bring all of printf() with it.
    char digits[12];
    int length = 0;
    for (; number > 0 && length < (int)sizeof(digits); number /= 10)
        digits[length++] = (char)('0' + number % 10);
    size_t at = 0;
    other[at++] = 'E';
    while (length > 0 && at < size - 1)
        other[at++] = digits[--length];
    other[at] = 0;
    return other;
}

JSValue fail(JSContext *ctx, int number, const char *operation, const char *path)
{
    char other[16];
    JSValue values[] = {
        JS_NewString(ctx, errno_name(number, other, sizeof(other))),
        JS_NewString(ctx, operation),
        JS_NewString(ctx, path),
    };
    JSValue error = JS_CallConstructor(ctx, error_class, COUNT(values), values);
    for (int at = 0; at < COUNT(values); at++)
        JS_FreeValue(ctx, values[at]);
    return JS_IsException(error) ? error : JS_Throw(ctx, error);
}

const char *plain_string(JSContext *ctx, JSValueConst value)
{
    size_t size;
    const char *text = JS_ToCStringLen(ctx, &size, value);
    if (text != NULL && strlen(text) != size) {
        fail(ctx, EINVAL, "NUL in a name", text);
        JS_FreeCString(ctx, text);
        return NULL;
    }
    return text;
}

const uint8_t *bytes_of(JSContext *ctx, JSValueConst value, size_t *size)
{
    size_t offset, element, whole;
    *size = 0;
    JSValue buffer = JS_GetTypedArrayBuffer(ctx, value, &offset, size, &element);
    if (JS_IsException(buffer))
        return NULL;
    const uint8_t *bytes = JS_GetArrayBuffer(ctx, &whole, buffer);
    JS_FreeValue(ctx, buffer); // The array holds on to it.
    return bytes == NULL ? NULL : bytes + offset;
}

int write_all(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written >= 0) {
            bytes += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) { // A terminal that another program made non-blocking.
            struct pollfd ready = { .fd = descriptor, .events = POLLOUT };
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

double clock_seconds(int clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static JSValue set_error_class(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    JS_FreeValue(ctx, error_class);
    error_class = JS_DupValue(ctx, argv[0]);
    return JS_UNDEFINED;
}

static JSValue encode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    size_t size;
    const char *text = JS_ToCStringLen(ctx, &size, argv[0]);
    if (text == NULL)
        return JS_EXCEPTION;
    JSValue result = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, size);
    JS_FreeCString(ctx, text);
    return result;
}

static JSValue decode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    size_t size;
    const uint8_t *bytes = bytes_of(ctx, argv[0], &size);
    if (bytes == NULL && size > 0)
        return JS_EXCEPTION;
    return JS_NewStringLen(ctx, (const char *)bytes, size);
}

static JSValue write_stream(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    int32_t descriptor;
    size_t size;
    if (JS_ToInt32(ctx, &descriptor, argv[0]))
        return JS_EXCEPTION;
    const char *text = JS_ToCStringLen(ctx, &size, argv[1]);
    if (text == NULL)
        return JS_EXCEPTION;
    int status = write_all(descriptor, (const uint8_t *)text, size);
    int number = errno;
    JS_FreeCString(ctx, text);
    return status == 0 ? JS_UNDEFINED : fail(ctx, number, "write", descriptor == 1 ? "standard output" : "standard error");
}

static JSValue program_arguments(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    (void)argv;
    JSValue list = JS_NewArray(ctx);
    for (int at = 1; at < argument_count; at++)
        JS_SetPropertyUint32(ctx, list, (uint32_t)at - 1, JS_NewString(ctx, arguments[at]));
    return list;
}

static JSValue environment(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    const char *name = plain_string(ctx, argv[0]);
    if (name == NULL)
        return JS_EXCEPTION;
    const char *value = getenv(name);
    JS_FreeCString(ctx, name);
    return value == NULL ? JS_UNDEFINED : JS_NewString(ctx, value);
}

static JSValue user_id(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    (void)argv;
    return JS_NewInt64(ctx, geteuid());
}

static JSValue uptime(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    (void)argv;
    return JS_NewFloat64(ctx, clock_seconds(CLOCK_BOOTTIME));
}

static JSValue end(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this;
    (void)argc;
    int32_t code;
    if (JS_ToInt32(ctx, &code, argv[0]))
        return JS_EXCEPTION;
    _exit(code);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("setErrorClass", 1, set_error_class),
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CFUNC_DEF("decode", 1, decode),
    JS_CFUNC_DEF("write", 2, write_stream),
    JS_CFUNC_DEF("args", 0, program_arguments),
    JS_CFUNC_DEF("env", 1, environment),
    JS_CFUNC_DEF("userId", 0, user_id),
    JS_CFUNC_DEF("uptime", 0, uptime),
    JS_CFUNC_DEF("exit", 1, end),
};

static int set_all(JSContext *ctx, JSModuleDef *module)
{
    if (JS_SetModuleExportList(ctx, module, FUNCTIONS, COUNT(FUNCTIONS)) < 0)
        return -1;
    return set_files(ctx, module) < 0 || set_processes(ctx, module) < 0 ? -1 : 0;
}

JSModuleDef *native_module(JSContext *ctx, int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
    JSModuleDef *module = JS_NewCModule(ctx, "sextant:native", set_all);
    if (module == NULL || JS_AddModuleExportList(ctx, module, FUNCTIONS, COUNT(FUNCTIONS)) < 0)
        return NULL;
    return add_files(ctx, module) < 0 || add_processes(ctx, module) < 0 ? NULL : module;
}
