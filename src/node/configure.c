/* Configuration out of texts: tr_node_configure(). */
#include "base/error.h"
#include "troupe/node.h"

#include <stdlib.h>

enum kind { TEXT, COUNT, SIZE, FLAG, OVERFLOW };

struct setting {
    const char *key;
    enum kind kind;
    size_t at; /* in the configuration */
};

#define AT(field) offsetof(struct tr_node_config, field)
static const struct setting settings[] = {
    {"listen", TEXT, AT(remote.listen)},
    {"advertise", TEXT, AT(remote.advertise)},
    {"plaintext", FLAG, AT(remote.plaintext)},
    {"overflow", OVERFLOW, AT(remote.overflow)},
    {"queue-bytes", SIZE, AT(remote.queue_bytes)},
    {"queue-messages", COUNT, AT(remote.queue_messages)},
    {"batch-bytes", SIZE, AT(remote.batch_bytes)},
    {"backoff-ms-min", COUNT, AT(remote.backoff_ms_min)},
    {"backoff-ms-max", COUNT, AT(remote.backoff_ms_max)},
    {"give-up-ms", COUNT, AT(remote.give_up_ms)},
    {"idle-ms", COUNT, AT(remote.idle_ms)},
    {"lost-ms", COUNT, AT(remote.lost_ms)},
    {"io-threads", COUNT, AT(remote.io_threads)},
    {"workers", COUNT, AT(system.workers)},
    {"memory-max", SIZE, AT(system.memory_max)},
    {"stop-ms", COUNT, AT(stop_ms)},
};
#undef AT

/* Digits, and for sizes a k, m or g behind them. */
static bool read_number(const char *text, bool size, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return false;
    }
    unsigned shift = 0;
    if (size && *text) {
        shift = *text == 'k' ? 10 : *text == 'm' ? 20 : *text == 'g' ? 30 : 0;
        if (!shift)
            return false;
        text++;
    }
    if (*text || value > max >> shift)
        return false;
    *ret = value << shift;
    return true;
}

static const char *set(struct tr_node_config *config, const struct setting *s, const char *value)
{
    static const struct {
        const char *name;
        enum tr_overflow policy;
    } policies[] = {{"refuse", TR_REFUSE},
                    {"drop-newest", TR_DROP_NEWEST},
                    {"drop-oldest", TR_DROP_OLDEST},
                    {"delay", TR_DELAY},
                    {"queue", TR_QUEUE}};
    char *at = (char *)config + s->at;
    uint64_t number;
    switch (s->kind) {
    case TEXT:
        memcpy(at, &value, sizeof value);
        return NULL;
    case COUNT: {
        if (!read_number(value, false, 1000000000, &number))
            return "a number up to 1,000,000,000";
        unsigned count = (unsigned)number;
        memcpy(at, &count, sizeof count);
        return NULL;
    }
    case SIZE: {
        if (!read_number(value, true, SIZE_MAX / 2, &number))
            return "bytes, perhaps with k, m or g behind them";
        size_t size = (size_t)number;
        memcpy(at, &size, sizeof size);
        return NULL;
    }
    case FLAG: {
        bool yes = strcmp(value, "yes") == 0;
        if (!yes && strcmp(value, "no") != 0)
            return "yes or no";
        memcpy(at, &yes, sizeof yes);
        return NULL;
    }
    case OVERFLOW:
        for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
            if (strcmp(value, policies[i].name) == 0) {
                memcpy(at, &policies[i].policy, sizeof policies[i].policy);
                return NULL;
            }
        }
        return "refuse, drop-newest, drop-oldest, delay or queue";
    }
    return "another";
}

tr_err tr_node_configure(struct tr_node_config *config, const char *key, const char *value,
                         struct tr_error *error)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(settings[i].key, key) != 0)
            continue;
        const char *want = set(config, &settings[i], value);
        return want ? tri_error_set(error, TR_EINVAL, 0, "%s is '%.64s', want %s", key, value, want)
                    : TR_OK;
    }
    return tri_error_set(error, TR_EINVAL, 0, "there is no setting '%.64s'", key);
}
