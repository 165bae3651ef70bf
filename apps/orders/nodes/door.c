/* door.c - see door.h. */
#include "nodes/door.h"

#include "messages.troupe.h"
#include "sha.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct door {
    struct door_args args;
    struct sha *sha;
};

static tr_err door_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct door *self = state;
    self->args = *(const struct door_args *)arg;
    self->sha = sha_create();
    return self->sha ? TR_OK : tr_fail(ctx, TR_ENOMEM, "SHA-256 is not available");
}

static void door_stop(tr_ctx *ctx, void *state)
{
    (void)ctx;
    sha_destroy(((struct door *)state)->sha);
}

bool door_pence(float pounds, int64_t *ret_pence)
{
    if (!isfinite(pounds))
        return false;
    double pence = round((double)pounds * 100); /* A double holds a float a hundred times over. */
    if (pence < 1 || pence * 10 > (double)ORD_PRICE_MAX)
        return false;
    *ret_pence = (int64_t)pence;
    return true;
}

/* As an InvoiceNo: 1 to 31 letters, digits, '-', '_' and '.'; C… and A… would be no sales. */
static bool key_valid(const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < size; i++) {
        char c = key[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return size > 0 && size <= ORDER_KEY_MAX && key[0] != 'C' && key[0] != 'A';
}

/* Customers are numbers in the books; a name that is none stands under a hash of it. */
static uint32_t customer_of(const char *user)
{
    uint32_t number;
    if (ord_parse_customer(user, strlen(user), &number))
        return number;
    return (uint32_t)ord_hash(31, user, strlen(user)) | 0x80000000u;
}

static struct door_order *make(struct door *self, tr_ctx *ctx,
                               const struct messages_order_message *msg, int64_t pence)
{
    struct door_order *order = calloc(1, sizeof(*order));
    char text[192];
    if (!order)
        return NULL;
    int size = snprintf(text, sizeof(text), "%.63s\n%.63s\n%lld\n", msg->order_id, msg->user_id,
                        (long long)pence);
    struct sha_part part = {text, (size_t)size};
    order->state = -1;
    order->caller = tr_caller_of(ctx);
    snprintf(order->user, sizeof(order->user), "%.63s", msg->user_id);
    order->line = (struct doc_line){.price = pence * 10,
                                    .amount = pence,
                                    .product = self->args.product,
                                    .quantity = 1,
                                    .flags = LINE_NO_PRODUCT};
    order->doc = (struct doc){.what = DOC_ORDER,
                              .customer = customer_of(msg->user_id),
                              .country = self->args.country,
                              .placed_at = tr_wall_us(ctx) / 1000000,
                              .amount = pence,
                              .started_ns = tr_now_ns(ctx),
                              .products_known = self->args.products_known,
                              .countries_known = self->args.countries_known,
                              .lines = 1,
                              .lines_max = 1,
                              .line = &order->line};
    snprintf(order->doc.key, sizeof(order->doc.key), "%.31s", msg->order_id);
    if (sha_digest(self->sha, &part, 1, order->doc.content))
        return order;
    free(order);
    return NULL;
}

const char *door_refusal(const char *order_id, float amount)
{
    int64_t pence;
    return !key_valid(order_id)          ? "refused: order_id is not 1 to 31 of A-Z a-z 0-9 - _ ."
           : !door_pence(amount, &pence) ? "refused: amount is not from 0.01 to 10,000,000"
                                         : NULL;
}

static tr_err on_order(tr_ctx *ctx, struct door *self, const struct messages_order_message *msg)
{
    int64_t pence = 0;
    const char *why = door_refusal(msg->order_id, msg->amount);
    struct door_order *order = NULL;
    if (!why && door_pence(msg->amount, &pence))
        order = make(self, ctx, msg, pence);
    if (order) {
        tr_send(ctx, self->args.desk, gateway_order, .order = order);
        return TR_OK;
    }
    struct messages_ledger_message answer = {.amount = msg->amount};
    snprintf(answer.order_id, sizeof(answer.order_id), "%.63s", msg->order_id);
    snprintf(answer.status, sizeof(answer.status), "%s", why ? why : "refused: memory is short");
    if (!tr_pid_is_nobody(tr_caller_of(ctx).pid))
        tr_reply_(ctx, &messages_ledger_message_type, &answer, sizeof(answer));
    return TR_OK;
}

#define DOOR_HANDLERS(ON) ON(messages_order_message, on_order)
TR_DISPATCH(door, DOOR_HANDLERS);

const struct tr_actor door_actor = {
    .name = "order",
    .state_size = sizeof(struct door),
    .arg_size = sizeof(struct door_args),
    .init = door_init,
    .receive = door_receive,
    .stop = door_stop,
    .accepts = door_accepts,
};

void door_answer(tr_ctx *ctx, const struct door_order *order, const char *status)
{
    if (tr_pid_is_nobody(order->caller.pid))
        return;
    struct messages_ledger_message answer = {.amount = (float)((double)order->line.amount / 100)};
    snprintf(answer.order_id, sizeof(answer.order_id), "%s", order->doc.key);
    snprintf(answer.status, sizeof(answer.status), "%s", status);
    tr_reply_to_(ctx, order->caller, &messages_ledger_message_type, &answer, sizeof(answer));
}

/* ---- Waiting --------------------------------------------------------------- */

bool door_wait(struct door_waiting *waiting, struct door_order *order)
{
    if (waiting->count == DOOR_WAITING_MAX || tr_pid_is_nobody(order->caller.pid)) {
        free(order);
        return false;
    }
    struct door_order **bucket = &waiting->bucket[order->number % DOOR_BUCKETS];
    order->next = *bucket;
    *bucket = order;
    waiting->count++;
    return true;
}

void door_ended(tr_ctx *ctx, struct door_waiting *waiting, uint64_t number, uint8_t state)
{
    struct door_order **place = &waiting->bucket[number % DOOR_BUCKETS];
    while (*place) {
        struct door_order *order = *place;
        if (order->number != number) {
            place = &order->next;
            continue;
        }
        *place = order->next;
        waiting->count--;
        door_answer(ctx, order, ord_state_name(state));
        free(order);
    }
}

void door_waiting_fini(struct door_waiting *waiting)
{
    for (uint32_t i = 0; i < DOOR_BUCKETS; i++) {
        while (waiting->bucket[i]) {
            struct door_order *order = waiting->bucket[i];
            waiting->bucket[i] = order->next;
            free(order);
        }
    }
    waiting->count = 0;
}
