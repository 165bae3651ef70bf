/* post.c - see post.h. */
#include "post.h"

#include <string.h>

void post_open(struct post *post, uint64_t identity, uint64_t kept, uint64_t acked,
               uint64_t applied)
{
    memset(post, 0, sizeof(*post));
    post->identity = identity;
    post->kept = kept;
    post->sent = post->acked = acked;
    post->applied = post->taken = applied;
    post->gap = UINT64_MAX;
}

uint64_t post_window(const struct post *post, uint64_t *ret_bytes)
{
    uint64_t under_way = post->sent - post->acked;
    *ret_bytes = post->bytes < POST_WINDOW_BYTES ? POST_WINDOW_BYTES - post->bytes : 0;
    if (!post->up || post->trouble || (*ret_bytes == 0 && under_way > 0))
        return 0;
    return POST_WINDOW - under_way;
}

uint64_t post_room(const struct post *post, uint64_t *ret_bytes)
{
    uint64_t room = post_window(post, ret_bytes), left = post->kept - post->sent;
    return room < left ? room : left;
}

/* What was sent after `number` counts as not sent. */
static unsigned go_back(struct post *post, uint64_t number)
{
    if (number < post->acked)
        number = post->acked;
    if (number >= post->sent)
        return 0;
    post->went_back++;
    for (; post->sent > number; post->sent--)
        post->bytes -= post->size[post->sent % POST_WINDOW];
    return POST_DO_PUMP;
}

static unsigned refuse(struct post *post, enum post_trouble trouble)
{
    bool said = post->trouble == trouble;
    post->trouble = trouble;
    return said ? 0 : POST_DO_REFUSE;
}

/* Who is there? True if it is the one that we know. */
static bool hear(struct post *post, const struct post_event *event, unsigned *actions)
{
    if (event->identity == 0 || event->start == 0)
        return false;
    if (post->identity == 0) {
        post->identity = event->identity;
        *actions |= POST_DO_MEET;
    } else if (post->identity != event->identity) {
        *actions |= refuse(post, POST_OTHER_DATABASE);
        return false;
    }
    if (post->trouble == POST_OTHER_DATABASE)
        post->trouble = POST_FINE; /* The right one is back. */
    post->heard_ns = event->now_ns;
    if (post->start != event->start) {
        /* It has forgotten what it took but did not apply, or we have: both say so. */
        post->start = event->start;
        post->gap = UINT64_MAX;
        *actions |= go_back(post, post->acked) | POST_DO_HELLO;
    }
    if (!post->up) {
        post->up = true;
        post->away = false;
        *actions |= POST_DO_UP | POST_DO_PUMP;
    }
    return true;
}

static unsigned on_tick(struct post *post, uint64_t now_ns)
{
    unsigned actions = 0;
    if (post->heard_ns == 0)
        post->heard_ns = now_ns; /* From now on it has time to answer. */
    if (!post->away && now_ns - post->heard_ns > POST_AWAY_NS) {
        post->up = false;
        post->away = true;
        actions |= POST_DO_DOWN | go_back(post, post->acked);
    }
    bool open = post->kept > post->acked || !post->up;
    if (post->asked_ns == 0 || now_ns - post->asked_ns >= (open ? POST_ASK_NS : POST_IDLE_NS)) {
        post->asked_ns = now_ns;
        actions |= POST_DO_HELLO;
    }
    return actions;
}

static unsigned on_hello(struct post *post, const struct post_event *event)
{
    if (event->acked > post->applied)
        return refuse(post, POST_WENT_BACK);
    return POST_DO_ACK;
}

static unsigned on_ack(struct post *post, const struct post_event *event)
{
    unsigned actions = 0;
    if (event->applied > post->kept)
        return refuse(post, POST_WENT_BACK);
    if (event->applied < post->acked)
        return 0; /* An older word that came late. If its database went back, it finds out. */
    if (event->applied > post->acked) {
        while (post->acked < event->applied) {
            post->acked++;
            if (post->acked <= post->sent)
                post->bytes -= post->size[post->acked % POST_WINDOW];
        }
        if (post->sent < post->acked)
            post->sent = post->acked;
        actions |= POST_DO_FORGET | POST_DO_PUMP;
    }
    /* The road keeps their order: what was sent before the hello and is not there never comes. */
    if (event->taken < event->sent)
        actions |= go_back(post, event->taken);
    return actions;
}

static unsigned on_parcel(struct post *post, const struct post_event *event)
{
    if (event->number <= post->taken) {
        post->repeated++;
        return event->number <= post->applied ? POST_DO_ACK : 0;
    }
    if (event->number == post->taken + 1 && post->taken - post->applied < POST_WINDOW) {
        post->taken++;
        return POST_DO_TAKE;
    }
    if (post->gap == post->taken)
        return 0;
    post->gap = post->taken; /* Told once per gap; hellos find what that misses. */
    return POST_DO_ACK;
}

unsigned post_step(struct post *post, const struct post_event *event)
{
    unsigned actions = 0;
    switch (event->kind) {
    case POST_TICK:
        return on_tick(post, event->now_ns);
    case POST_KEPT:
        post->kept = event->number;
        return POST_DO_PUMP;
    case POST_SENT:
        post->sent = event->number;
        post->size[event->number % POST_WINDOW] = (uint32_t)event->size;
        post->bytes += event->size;
        return 0;
    case POST_APPLIED:
        post->applied = event->number;
        if (post->taken < post->applied)
            post->taken = post->applied;
        return POST_DO_ACK;
    default:
        break;
    }
    if (!hear(post, event, &actions))
        return actions;
    if (event->kind == POST_HELLO)
        actions |= on_hello(post, event);
    else if (event->kind == POST_ACK)
        actions |= on_ack(post, event);
    else if (!post->trouble)
        actions |= on_parcel(post, event);
    return actions;
}
