// compile NAME <module.js >program.c: bytecode of a module as a C array. Runs on the machine that builds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quickjs.h"

// The program imports `sextant:native`; its exports are looked up when it runs.
static int nothing(JSContext *ctx, JSModuleDef *module)
{
    (void)ctx;
    (void)module;
    return 0;
}

static char *read_input(size_t *size)
{
    size_t room = 1 << 20;
    char *text = malloc(room);
    *size = 0;
    while (text != NULL) {
        *size += fread(text + *size, 1, room - 1 - *size, stdin);
        if (ferror(stdin))
            return NULL;
        if (feof(stdin)) {
            text[*size] = 0; // JS_Eval wants it.
            break;
        }
        if (*size == room - 1)
            text = realloc(text, room *= 2);
    }
    return text;
}

int main(int argc, char **argv)
{
    size_t length, size;
    char *text = argc == 2 ? read_input(&length) : NULL;
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = runtime == NULL ? NULL : JS_NewContext(runtime);
    if (text == NULL || ctx == NULL) {
        fprintf(stderr, "usage: compile NAME <module.js >program.c\n");
        return 2;
    }
    JS_SetStripInfo(runtime, JS_STRIP_SOURCE); // Line numbers stay: a defect must be findable.
    JS_NewCModule(ctx, "sextant:native", nothing);
    JSValue module = JS_Eval(ctx, text, length, argv[1], JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    uint8_t *bytes = JS_IsException(module) ? NULL : JS_WriteObject(ctx, &size, module, JS_WRITE_OBJ_BYTECODE);
    if (bytes == NULL) {
        JSValue error = JS_GetException(ctx);
        JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
        const char *said = JS_ToCString(ctx, error), *where = JS_ToCString(ctx, stack);
        fprintf(stderr, "%s\n%s", said, where);
        return 1;
    }
    printf("#include <stdint.h>\nconst uint32_t program_size = %zu;\nconst uint8_t program[] = {", size);
    for (size_t at = 0; at < size; at++)
        printf("%s%d,", at % 24 ? "" : "\n", bytes[at]);
    printf("\n};\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
