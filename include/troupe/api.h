/*
 * troupe/api.h - what every public header needs: visibility and compiler checks.
 */
#ifndef TROUPE_API_H
#define TROUPE_API_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define TR_API __attribute__((visibility("default")))
#define TR_MUST_USE __attribute__((warn_unused_result))
#define TR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define TR_COLD __attribute__((cold))
#define TR_WEAK __attribute__((weak))
#define TR_MAYBE_UNUSED __attribute__((unused))
#define TR_UNLIKELY_(x) __builtin_expect(!!(x), 0)
#else
#error "Troupe needs a compiler with GNU attributes (gcc or clang)"
#endif

#ifdef __cplusplus
#define TR_BEGIN_DECLS extern "C" {
#define TR_END_DECLS }
#else
#define TR_BEGIN_DECLS
#define TR_END_DECLS
#endif

TR_BEGIN_DECLS

/* One running actor system. Create with tr_system_create(). */
typedef struct tr_system tr_system;

/*
 * Where code runs: inside an actor's handler, or on an outside thread. Every
 * call takes one; it belongs to the thread that it was given to, and inside a
 * handler it is valid until the handler returns.
 */
typedef struct tr_ctx tr_ctx;

TR_END_DECLS

#endif
