// What the C files share. Every function of the module `sextant:native` is declared to TypeScript in host/native.d.ts.
#ifndef SEXTANT_NATIVE_H
#define SEXTANT_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

// Throws a HostError; `number` is an errno.
JSValue fail(JSContext *ctx, int number, const char *operation, const char *path);
// A string of the caller's that holds no NUL; free with JS_FreeCString. NULL with an exception pending.
const char *plain_string(JSContext *ctx, JSValueConst value);
// The bytes of a Uint8Array; valid as long as it is. NULL with an exception pending, also for an empty one: look at *size.
const uint8_t *bytes_of(JSContext *ctx, JSValueConst value, size_t *size);
// Write end until all is written; -1 with errno.
int write_all(int descriptor, const uint8_t *bytes, size_t size);
// Seconds of a clock.
double clock_seconds(int clock);

JSModuleDef *native_module(JSContext *ctx, int argc, char **argv);
int add_files(JSContext *ctx, JSModuleDef *module);
int set_files(JSContext *ctx, JSModuleDef *module);
int add_processes(JSContext *ctx, JSModuleDef *module);
int set_processes(JSContext *ctx, JSModuleDef *module);

#endif
