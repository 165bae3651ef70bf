/*
 * host.h - whose simulation it is: where the disk, the provider and the history get their chance
 * from, and whom they tell what is wrong. One node (town.c) and three (../pipeline) are hosts.
 */
#ifndef SIM_ORDERS_HOST_H
#define SIM_ORDERS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host {
    void *user;
    uint64_t seed;
    uint32_t (*choose)(void *user, uint32_t bound); /* below bound: how things go */
    uint64_t (*random)(void *user);                 /* what the history is made of */
    bool (*event)(void *user);                      /* does the next event of it happen? */
    void (*note)(void *user, const char *line);
    void (*wrong)(void *user, const char *why);
};

/* A line of the trace. */
void host_note(const struct host *host, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline uint32_t host_choose(const struct host *host, uint32_t bound)
{
    return host->choose(host->user, bound);
}

#define HOST_TEXT_(x) #x
#define HOST_LINE_(x) HOST_TEXT_(x)
#define host_expect(host, condition)           \
    ((condition) ? (void)0                     \
                 : (host)->wrong((host)->user, \
                                 __FILE__ ":" HOST_LINE_(__LINE__) ": expected " #condition))

#endif
