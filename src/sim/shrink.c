#include "sim/shrink.h"

#include "base/alloc.h"

#include <string.h>

struct shrink {
    uint16_t *now; /* the shortest so far */
    uint16_t *trial;
    size_t count;
    unsigned runs;
    tri_shrink_fn fails;
    void *user;
};

/* Trailing zeroes say nothing. */
static size_t trimmed(const uint16_t *decisions, size_t count)
{
    while (count > 0 && decisions[count - 1] == 0)
        count--;
    return count;
}

/* Takes over `trial` if it still fails. */
static bool keep(struct shrink *s, size_t count)
{
    count = trimmed(s->trial, count);
    if (s->runs++ >= TRI_SHRINK_RUNS_MAX || !s->fails(s->user, s->trial, count))
        return false;
    memcpy(s->now, s->trial, count * sizeof *s->now);
    s->count = count;
    return true;
}

static bool cut_tail(struct shrink *s, size_t count)
{
    memcpy(s->trial, s->now, count * sizeof *s->now);
    return keep(s, count);
}

static bool take_out(struct shrink *s, size_t at, size_t size)
{
    memcpy(s->trial, s->now, at * sizeof *s->now);
    memcpy(s->trial + at, s->now + at + size, (s->count - at - size) * sizeof *s->now);
    return keep(s, s->count - size);
}

static bool make_zero(struct shrink *s, size_t at, size_t size)
{
    bool changes = false;
    for (size_t i = at; i < at + size; i++)
        changes = changes || s->now[i] != 0;
    if (!changes)
        return false;
    memcpy(s->trial, s->now, s->count * sizeof *s->now);
    memset(s->trial + at, 0, size * sizeof *s->trial);
    return keep(s, s->count);
}

/* One pass with parts of one size; true if something got shorter. */
static bool pass(struct shrink *s, size_t size)
{
    bool better = false;
    for (size_t at = 0; at < s->count && s->runs < TRI_SHRINK_RUNS_MAX;) {
        size_t part = at + size < s->count ? size : s->count - at;
        if (take_out(s, at, part)) {
            better = true;
            continue; /* What followed is here now. */
        }
        if (at < s->count && make_zero(s, at, at + part <= s->count ? part : s->count - at))
            better = true;
        at += part;
    }
    return better;
}

static void lower(struct shrink *s)
{
    for (size_t at = 0; at < s->count && s->runs < TRI_SHRINK_RUNS_MAX; at++) {
        for (uint16_t value = 1; at < s->count && value < s->now[at];
             value = (uint16_t)(2 * value)) {
            memcpy(s->trial, s->now, s->count * sizeof *s->now);
            s->trial[at] = value;
            if (keep(s, s->count) || value > UINT16_MAX / 2)
                break;
        }
    }
}

size_t tri_shrink(uint16_t *decisions, size_t count, tri_shrink_fn fails, void *user)
{
    struct shrink s = {
        .now = decisions, .count = trimmed(decisions, count), .fails = fails, .user = user};
    s.trial = tri_malloc((count ? count : 1) * sizeof *s.trial);
    if (!s.trial)
        return s.count;
    for (size_t half = s.count / 2; half > 0; half = s.count / 2) {
        if (!cut_tail(&s, half))
            break;
    }
    for (size_t size = s.count / 2 + 1; s.count > 0; size /= 2) {
        while (pass(&s, size ? size : 1) && size <= 1) {
        }
        if (size <= 1)
            break;
    }
    lower(&s);
    tri_free(s.trial);
    return s.count;
}

size_t tri_shrink_events(uint32_t *events, size_t count, tri_shrink_events_fn fails, void *user)
{
    uint32_t *trial = tri_malloc((count ? count : 1) * sizeof *trial);
    unsigned runs = 0;
    bool better = true;
    if (!trial)
        return count;
    for (size_t size = count; better || size > 1;) {
        size = size > 1 ? (size + 1) / 2 : 1;
        better = false;
        for (size_t at = 0; at < count && runs < TRI_SHRINK_EVENT_RUNS_MAX;) {
            size_t part = at + size < count ? size : count - at;
            memcpy(trial, events, at * sizeof *trial);
            memcpy(trial + at, events + at + part, (count - at - part) * sizeof *trial);
            runs++;
            if (!fails(user, trial, count - part)) {
                at += part;
                continue;
            }
            count -= part; /* What followed is here now. */
            memcpy(events, trial, count * sizeof *trial);
            better = true;
        }
        if (runs >= TRI_SHRINK_EVENT_RUNS_MAX || count == 0)
            break;
    }
    tri_free(trial);
    return count;
}
