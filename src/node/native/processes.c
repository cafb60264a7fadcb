// Other programs, sockets, signals, sleep.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))
#define FUNCTION(name) static JSValue name(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv)
#define UNUSED ((void)this, (void)argc)

extern char **environ;

static int wake[2] = { -1, -1 }; // A byte in it: this process was asked to end.
static volatile sig_atomic_t asked_to_end;

static void on_termination(int number)
{
    int kept = errno;
    (void)number;
    asked_to_end = 1;
    if (write(wake[1], "", 1) < 0) { // Full: it is known already.
    }
    errno = kept;
}

FUNCTION(defer_termination)
{
    UNUSED;
    (void)argv;
    if (wake[0] >= 0)
        return JS_UNDEFINED;
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
        return fail(ctx, errno, "pipe", "signals");
    struct sigaction action = { .sa_handler = on_termination };
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return JS_UNDEFINED;
}

FUNCTION(termination_asked)
{
    UNUSED;
    (void)argv;
    return JS_NewBool(ctx, asked_to_end);
}

// Until a deadline of CLOCK_MONOTONIC in milliseconds as poll(2) takes them, rounded up.
static int milliseconds_until(double deadline)
{
    double left = (deadline - clock_seconds(CLOCK_MONOTONIC)) * 1000 + 1;
    return left < 0 ? 0 : left > 1e9 ? 1000000000 : (int)left;
}

FUNCTION(sleep_seconds)
{
    UNUSED;
    double seconds;
    if (JS_ToFloat64(ctx, &seconds, argv[0]))
        return JS_EXCEPTION;
    double deadline = clock_seconds(CLOCK_MONOTONIC) + seconds;
    // The byte stays in the pipe: once asked to end, nothing sleeps any more.
    struct pollfd woken = { .fd = wake[0], .events = POLLIN };
    while (clock_seconds(CLOCK_MONOTONIC) < deadline && poll(&woken, 1, milliseconds_until(deadline)) <= 0)
        continue;
    return JS_UNDEFINED;
}

struct stream {
    int descriptor;
    uint8_t *bytes;
    size_t size, room;
};

static void shut(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

// Takes what is there; closes at the end. 0, 1 when it is more than `limit` bytes now, -1 without memory.
static int take(struct stream *stream, size_t limit)
{
    if (stream->room - stream->size < 4096) {
        uint8_t *larger = realloc(stream->bytes, stream->room * 2 + 4096);
        if (larger == NULL)
            return -1;
        stream->bytes = larger;
        stream->room = stream->room * 2 + 4096;
    }
    ssize_t got = read(stream->descriptor, stream->bytes + stream->size, stream->room - stream->size);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        shut(&stream->descriptor);
    else if (got > 0)
        stream->size += (size_t)got;
    if (stream->size <= limit)
        return 0;
    stream->size = limit;
    return 1;
}

// The strings of an array, NULL at the end; NULL with an exception pending.
static char **strings_of(JSContext *ctx, JSValueConst list)
{
    int64_t count = 0;
    JSValue length = JS_GetPropertyStr(ctx, list, "length");
    if (JS_ToInt64(ctx, &count, length))
        return NULL;
    char **strings = js_mallocz(ctx, (size_t)(count + 1) * sizeof(char *));
    for (int64_t at = 0; strings != NULL && at < count; at++) {
        JSValue item = JS_GetPropertyUint32(ctx, list, (uint32_t)at);
        strings[at] = (char *)plain_string(ctx, item);
        JS_FreeValue(ctx, item);
        if (strings[at] == NULL) {
            while (at-- > 0)
                JS_FreeCString(ctx, strings[at]);
            js_free(ctx, strings);
            return NULL;
        }
    }
    return strings;
}

static void free_strings(JSContext *ctx, char **strings)
{
    for (char **string = strings; string != NULL && *string != NULL; string++)
        JS_FreeCString(ctx, *string);
    js_free(ctx, strings);
}

// In the child: never returns. `report` takes the errno of a failed start.
static void become(char **words, char **environment, int input, int output, int error, int report, pid_t parent)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // It must not go on changing things when we are gone.
    if (getppid() != parent)
        _exit(127);
    sigaction(SIGPIPE, &plain, NULL);
    sigaction(SIGTERM, &plain, NULL);
    sigaction(SIGINT, &plain, NULL);
    sigaction(SIGHUP, &plain, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    environ = environment; // execvp() searches the PATH in it.
    if (dup2(input, 0) >= 0 && dup2(output, 1) >= 0 && dup2(error, 2) >= 0)
        execvp(words[0], words);
    int number = errno;
    if (write(report, &number, sizeof(number)) < 0) {
    }
    _exit(127);
}

struct child {
    pid_t process;
    int input; // -1 where it gets none
    struct stream output, error;
};

// Starts a program; 0 or an errno, and then nothing is left open.
static int start(struct child *child, char **words, char **environment, int with_input)
{
    // Read end, write end: standard input, output, error, and the report of a failed start.
    int pipes[4][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
    int number = 0, failure = 0;
    for (int at = 0; at < 4 && number == 0; at++) {
        if (at == 0 && !with_input)
            number = (pipes[0][0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0 ? errno : 0;
        else
            number = pipe2(pipes[at], O_CLOEXEC) < 0 ? errno : 0;
    }
    pid_t parent = getpid();
    child->process = number == 0 ? fork() : -1;
    if (child->process == 0)
        become(words, environment, pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1], parent);
    if (child->process < 0 && number == 0)
        number = errno;
    shut(&pipes[0][0]);
    for (int at = 1; at < 4; at++)
        shut(&pipes[at][1]);
    if (number == 0) {
        setpgid(child->process, child->process); // Whoever comes first.
        ssize_t got;
        while ((got = read(pipes[3][0], &failure, sizeof(failure))) < 0 && errno == EINTR)
            continue;
        if (got == sizeof(failure)) {
            number = failure;
            while (waitpid(child->process, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
    }
    shut(&pipes[3][0]);
    if (number != 0) {
        shut(&pipes[0][1]);
        shut(&pipes[1][0]);
        shut(&pipes[2][0]);
        return number;
    }
    child->input = pipes[0][1];
    if (child->input >= 0)
        fcntl(child->input, F_SETFL, O_NONBLOCK);
    child->output.descriptor = pipes[1][0];
    child->error.descriptor = pipes[2][0];
    return 0;
}

// Feeds and listens until both outputs are closed: NULL, or why it has to be ended.
static const char *converse(struct child *child, const uint8_t *input, size_t size, size_t limit, double deadline)
{
    while (child->output.descriptor >= 0 || child->error.descriptor >= 0) {
        struct pollfd ready[] = {
            { .fd = child->input, .events = POLLOUT },
            { .fd = child->output.descriptor, .events = POLLIN },
            { .fd = child->error.descriptor, .events = POLLIN },
        };
        if (clock_seconds(CLOCK_MONOTONIC) >= deadline)
            return "timeout";
        if (poll(ready, 3, milliseconds_until(deadline)) <= 0)
            continue;
        if (ready[0].revents != 0) {
            ssize_t written = size > 0 ? write(child->input, input, size) : 0;
            if (written > 0) {
                input += written;
                size -= (size_t)written;
            }
            // All given, or it does not want the rest.
            if (size == 0 || (written < 0 && errno != EINTR && errno != EAGAIN))
                shut(&child->input);
        }
        if (ready[1].revents != 0 && take(&child->output, limit) != 0)
            return "limit";
        if (ready[2].revents != 0 && take(&child->error, limit) != 0)
            return "limit";
    }
    return NULL;
}

// Waits for the end of the process itself: NULL, or "timeout".
static const char *await(pid_t process, int *status, double deadline)
{
    struct timespec pause = { .tv_nsec = 500 * 1000 };
    for (;;) {
        pid_t ended = waitpid(process, status, WNOHANG);
        if (ended == process || (ended < 0 && errno != EINTR))
            return NULL;
        if (clock_seconds(CLOCK_MONOTONIC) >= deadline)
            return "timeout";
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 50 * 1000 * 1000)
            pause.tv_nsec *= 2;
    }
}

// run(argv, environment, input or undefined, seconds, limit): [ended, number, stdout, stderr].
FUNCTION(run_program)
{
    UNUSED;
    double seconds;
    int64_t limit;
    size_t size = 0;
    const uint8_t *input = NULL;
    int with_input = !JS_IsUndefined(argv[2]);
    if (JS_ToFloat64(ctx, &seconds, argv[3]) || JS_ToInt64(ctx, &limit, argv[4]))
        return JS_EXCEPTION;
    if (with_input && (input = bytes_of(ctx, argv[2], &size)) == NULL && size > 0)
        return JS_EXCEPTION;
    char **words = strings_of(ctx, argv[0]);
    char **environment = words == NULL ? NULL : strings_of(ctx, argv[1]);
    if (environment == NULL) {
        if (words != NULL)
            free_strings(ctx, words);
        return JS_EXCEPTION;
    }
    struct child child = { .input = -1 };
    double deadline = clock_seconds(CLOCK_MONOTONIC) + seconds;
    int number = words[0] == NULL ? EINVAL : start(&child, words, environment, with_input);
    JSValue result = number == 0 ? JS_UNDEFINED : fail(ctx, number, "run", words[0] == NULL ? "" : words[0]);
    free_strings(ctx, words);
    free_strings(ctx, environment);
    if (number != 0)
        return result;

    int status = 0;
    const char *ended = converse(&child, input, size, (size_t)limit, deadline);
    shut(&child.input);
    if (ended == NULL)
        ended = await(child.process, &status, deadline);
    if (ended != NULL) {
        kill(-child.process, SIGKILL);
        while (waitpid(child.process, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    shut(&child.output.descriptor);
    shut(&child.error.descriptor);
    if (ended == NULL)
        ended = WIFEXITED(status) ? "exit" : "signal";
    result = JS_NewArray(ctx);
    JS_SetPropertyUint32(ctx, result, 0, JS_NewString(ctx, ended));
    JS_SetPropertyUint32(ctx, result, 1, JS_NewInt32(ctx, WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)));
    JS_SetPropertyUint32(ctx, result, 2, JS_NewStringLen(ctx, (const char *)child.output.bytes, child.output.size));
    JS_SetPropertyUint32(ctx, result, 3, JS_NewStringLen(ctx, (const char *)child.error.bytes, child.error.size));
    free(child.output.bytes);
    free(child.error.bytes);
    return result;
}

FUNCTION(send_datagram)
{
    UNUSED;
    size_t size;
    const uint8_t *bytes = bytes_of(ctx, argv[1], &size);
    if (bytes == NULL && size > 0)
        return JS_EXCEPTION;
    const char *path = plain_string(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int number = 0, descriptor = -1;
    if (strlen(path) >= sizeof(address.sun_path))
        number = ENAMETOOLONG;
    else
        strcpy(address.sun_path, path);
    if (number == 0 && (descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
        number = errno;
    // Never waits for a journal that has stopped reading: an event that is lost is better than a boot that hangs.
    if (number == 0 && sendto(descriptor, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof(address)) < 0)
        number = errno;
    shut(&descriptor);
    JSValue result = number == 0 ? JS_UNDEFINED : fail(ctx, number, "send", path);
    JS_FreeCString(ctx, path);
    return result;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("run", 5, run_program),
    JS_CFUNC_DEF("sendDatagram", 2, send_datagram),
    JS_CFUNC_DEF("sleep", 1, sleep_seconds),
    JS_CFUNC_DEF("deferTermination", 0, defer_termination),
    JS_CFUNC_DEF("terminationAsked", 0, termination_asked),
};

int add_processes(JSContext *ctx, JSModuleDef *module) { return JS_AddModuleExportList(ctx, module, FUNCTIONS, COUNT(FUNCTIONS)); }
int set_processes(JSContext *ctx, JSModuleDef *module) { return JS_SetModuleExportList(ctx, module, FUNCTIONS, COUNT(FUNCTIONS)); }
