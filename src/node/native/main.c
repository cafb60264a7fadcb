// sextant-node: runs one compiled JavaScript module and ends. No event loop, no workers, no eval, nothing loaded from files.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

extern const uint8_t program[];
extern const uint32_t program_size;

#define STACK_BYTES (1024 * 1024)
#define CLOSE_ON_EXEC 4 // CLOSE_RANGE_CLOEXEC of <linux/close_range.h>, Linux 5.11

// A descriptor 0, 1 or 2 that is closed would be taken by the first file opened, and then be written to as an error message. What a
// careless parent left open does not reach the programs that run here.
static void standard_streams(void)
{
    int descriptor;
    do {
        descriptor = open("/dev/null", O_RDWR);
    } while (descriptor >= 0 && descriptor <= 2);
    if (descriptor > 2)
        close(descriptor);
    syscall(SYS_close_range, 3U, ~0U, CLOSE_ON_EXEC);
}

static void say(const char *text)
{
    if (text != NULL)
        write_all(2, (const uint8_t *)text, strlen(text));
}

// What main.ts did not catch: a defect.
static int uncaught(JSContext *ctx, JSValue error)
{
    const char *text = JS_ToCString(ctx, error);
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    const char *where = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
    say("error: ");
    say(text);
    say("\n");
    say(where);
    return 1;
}

int main(int argc, char **argv)
{
    standard_streams();
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = runtime == NULL ? NULL : JS_NewContextRaw(runtime);
    if (ctx == NULL) {
        say("error: out of memory\n");
        return 1;
    }
    JS_SetMaxStackSize(runtime, STACK_BYTES);
    JS_AddIntrinsicBaseObjects(ctx);
    JS_AddIntrinsicDate(ctx);
    JS_AddIntrinsicRegExpCompiler(ctx);
    JS_AddIntrinsicRegExp(ctx);
    JS_AddIntrinsicJSON(ctx);
    JS_AddIntrinsicMapSet(ctx);
    JS_AddIntrinsicTypedArrays(ctx);
    JS_AddIntrinsicPromise(ctx); // Modules are evaluated by promises.

    if (native_module(ctx, argc, argv) == NULL)
        return uncaught(ctx, JS_GetException(ctx));
    JSValue module = JS_ReadObject(ctx, program, program_size, JS_READ_OBJ_BYTECODE);
    if (JS_IsException(module) || JS_ResolveModule(ctx, module) < 0)
        return uncaught(ctx, JS_GetException(ctx));
    JSValue promise = JS_EvalFunction(ctx, module);
    if (JS_IsException(promise))
        return uncaught(ctx, JS_GetException(ctx));
    JSContext *job;
    while (JS_ExecutePendingJob(runtime, &job) > 0)
        continue;
    if (JS_PromiseState(ctx, promise) != JS_PROMISE_FULFILLED)
        return uncaught(ctx, JS_PromiseResult(ctx, promise));
    return 0; // The kernel takes the memory back faster than we could.
}
