/* model.c - from rows to orders, and what becomes of each. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_GROUPS 4

/* ---- From rows to orders -------------------------------------------------- */

static bool same_text(const struct row *a, const struct row *b)
{
    return strcmp(a->key, b->key) == 0 && a->code == b->code && a->quantity == b->quantity &&
           a->price == b->price && a->customer == b->customer && a->minute == b->minute &&
           a->bad == b->bad;
}

bool model_same_rows(const struct group *a, const struct group *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = same_text(a->rows[i], b->rows[i]);
    return same;
}

/* A number is looked for among the last four that began; the oldest of four is complete. */
static int gather(const struct history *history, int rows, struct group *groups)
{
    int count = 0;
    for (int i = 0; i < rows; i++) {
        const struct row *row = &history->rows[i];
        int at = count;
        for (int k = count - 1; k >= 0 && k > count - OPEN_GROUPS && row->key[0]; k--) {
            if (strcmp(groups[k].rows[0]->key, row->key) == 0) {
                at = k;
                break;
            }
        }
        if (at == count) {
            if (count == GROUPS_MAX)
                abort();
            groups[count++] = (struct group){.spoiled = !row->key[0]};
        }
        struct group *group = &groups[at];
        if (group->count == GROUP_ROWS_MAX)
            abort();
        group->rows[group->count++] = row;
        group->spoiled = group->spoiled || row->bad;
    }
    return count;
}

/* Rows that cannot be read say nothing about the customer. */
static void look_for_two_customers(struct group *group)
{
    const struct row *first = NULL;
    for (int i = 0; i < group->count; i++) {
        if (group->rows[i]->bad || !group->rows[i]->key[0])
            continue;
        if (!first && i == 0)
            first = group->rows[i];
        if (first && first->customer != group->rows[i]->customer)
            group->spoiled = true;
    }
}

static bool sells(const struct group *group)
{
    char kind = group->rows[0]->key[0];
    return kind != 'C' && kind != 'A';
}

static bool same_basket(const struct group *a, const struct group *b)
{
    bool used[GROUP_ROWS_MAX] = {false};
    if (a->count != b->count || a->rows[0]->customer != b->rows[0]->customer)
        return false;
    for (int i = 0; i < a->count; i++) {
        int k = 0;
        while (k < b->count && (used[k] || a->rows[i]->code != b->rows[k]->code ||
                                a->rows[i]->quantity != b->rows[k]->quantity ||
                                a->rows[i]->price != b->rows[k]->price))
            k++;
        if (k == b->count)
            return false;
        used[k] = true;
    }
    return true;
}

static void look_for_baskets(const struct history *history, struct group *groups, int count)
{
    for (int i = 0; i < count; i++) {
        struct group *now = &groups[i];
        if (now->spoiled || !sells(now) || !now->rows[0]->customer || !history->window_minutes)
            continue;
        for (int k = 0; k < i; k++) {
            const struct group *before = &groups[k];
            int apart = abs(now->rows[0]->minute - before->rows[0]->minute);
            bool same = strcmp(now->rows[0]->key, before->rows[0]->key) == 0;
            if (!same && !before->spoiled && sells(before) && apart <= history->window_minutes &&
                same_basket(now, before))
                now->twice = true;
        }
    }
}

int model_orders(const struct history *history, int rows, struct group groups[GROUPS_MAX])
{
    int count = gather(history, rows, groups);
    for (int i = 0; i < count; i++)
        look_for_two_customers(&groups[i]);
    look_for_baskets(history, groups, count);
    return count;
}

bool oracle_may_cut(const struct history *history, int row)
{
    static struct group groups[GROUPS_MAX];
    int count = gather(history, history->count, groups);
    for (int i = 0; i < count; i++) {
        const struct group *group = &groups[i];
        if (group->rows[0] < &history->rows[row] &&
            group->rows[group->count - 1] >= &history->rows[row])
            return false;
    }
    return true;
}

/* ---- What becomes of an order --------------------------------------------- */

static int64_t pence(int64_t quantity, int64_t price)
{
    int64_t exact = quantity * price; /* in tenths of a penny */
    return exact >= 0 ? (exact + 5) / 10 : -((-exact + 5) / 10);
}

int64_t model_amount(const struct row *row)
{
    return pence(row->quantity, row->price);
}

int model_kind(const struct group *group)
{
    char kind = group->rows[0]->key[0];
    return kind == 'C' ? CANCELLATION : kind == 'A' ? ADJUSTMENT : SALE;
}

static int first_outcome(const struct group *group, int at)
{
    const struct row *row = group->rows[at];
    for (int i = 0; i < at; i++) {
        if (same_text(group->rows[i], row))
            return REPEATED;
    }
    if (row->quantity == 0)
        return NO_QUANTITY;
    if (model_kind(group) == ADJUSTMENT)
        return DEBT;
    if (model_kind(group) == CANCELLATION)
        return row->quantity > 0 ? PLUS_CANCELLED : row->price < 0 ? BELOW_ZERO : HELD_BACK;
    if (row->price < 0)
        return BELOW_ZERO;
    if (row->quantity < 0)
        return row->price == 0 ? WRITTEN : PRICED_MINUS;
    if (row->price == 0)
        return NO_PRICE;
    return history_is_product(row->code) ? SOLD : CHARGED;
}

static void withdraw(struct fate *fate, int count, int state, int reason, int outcome)
{
    fate->state = state;
    fate->reason = reason;
    for (int i = 0; i < count; i++) {
        if (fate->outcome[i] < NO_PRICE)
            fate->outcome[i] = outcome;
    }
}

/* All of it or nothing, in the order of the lines. */
static bool take_stock(struct oracle *oracle, const struct group *group, struct fate *fate)
{
    bool bounded = oracle->history->stock >= 0;
    int64_t want[CODES] = {0};
    for (int i = 0; i < group->count; i++) {
        int code = group->rows[i]->code;
        if (fate->outcome[i] == SOLD || fate->outcome[i] == WRITTEN)
            want[code] += abs(group->rows[i]->quantity);
    }
    for (int code = 0; code < CODES; code++) {
        int64_t there = (bounded ? oracle->history->stock : 0) + oracle->received[code] -
                        oracle->sold[code] - oracle->written_off[code];
        if (want[code] <= there)
            continue;
        if (bounded)
            return false;
        fate->got_in[code] = want[code] - there;
    }
    return true;
}

/* The newest sale to that customer at that price with enough left; one of just that size first. */
static void find_sale(struct oracle *oracle, const struct row *row, int *outcome, int64_t *reverses)
{
    int64_t want = -row->quantity;
    struct entered *best = NULL;
    int best_line = 0;
    bool best_exact = false;
    for (int i = 0; i < oracle->entered_count; i++) {
        struct entered *order = &oracle->entered[i];
        for (int k = 0; k < order->group.count; k++) {
            const struct row *sale = order->group.rows[k];
            int64_t left = sale->quantity - order->returned[k];
            if (order->outcome[k] > CHARGED || sale->code != row->code ||
                sale->price != row->price || order->group.rows[0]->customer != row->customer ||
                left < want || (best_exact && left != want))
                continue;
            best = order;
            best_line = k;
            best_exact = left == want;
        }
    }
    if (!best)
        return;
    best->returned[best_line] += want;
    *outcome = RETURNED;
    *reverses = (int64_t)(best - oracle->entered + 1) * 65536 + best_line;
}

static void settle_cancellation(struct oracle *oracle, const struct group *group, struct fate *fate)
{
    bool all = true;
    for (int i = 0; i < group->count; i++) {
        if (fate->outcome[i] != HELD_BACK)
            continue;
        if (group->rows[0]->customer) {
            struct row line = *group->rows[i];
            line.customer = group->rows[0]->customer;
            find_sale(oracle, &line, &fate->outcome[i], &fate->reverses[i]);
        }
        all = all && fate->outcome[i] == RETURNED;
    }
    if (!all) {
        fate->state = PARKED;
        fate->reason = NO_SALE;
    }
}

static void pay_and_reserve(struct oracle *oracle, const struct group *group, struct fate *fate)
{
    bool paid = false;
    if (fate->amount != 0) {
        const struct payment *payment = world_payment(oracle->world, group->rows[0]->key);
        paid = payment->captured != 0;
        if (payment->in_vain >= WORLD_PATIENCE) {
            withdraw(fate, group->count, PARKED, NO_ANSWER, HELD_BACK);
            return;
        }
        if (!paid) {
            withdraw(fate, group->count, REJECTED, NOT_PAID, UNPAID);
            return;
        }
    }
    if (take_stock(oracle, group, fate))
        return;
    if (paid)
        withdraw(fate, group->count, REFUNDED, NO_STOCK, PAID_BACK);
    else
        withdraw(fate, group->count, PARKED, SHORT, HELD_BACK);
}

static void keep_accounts(const struct group *group, struct fate *fate)
{
    for (int i = 0; i < group->count; i++) {
        int64_t amount = model_amount(group->rows[i]);
        int debit = CLEARING, credit = SALES;
        switch (fate->outcome[i]) {
        case SOLD:
            break;
        case CHARGED:
            credit = CHARGES;
            break;
        case RETURNED:
            credit = RETURNS;
            break;
        case DEBT:
            debit = RECEIVABLE;
            credit = BAD_DEBT;
            break;
        default:
            continue;
        }
        fate->account[debit] += amount;
        fate->account[credit] -= amount;
    }
}

void model_decide(struct oracle *oracle, const struct group *group, struct fate *fate)
{
    bool any = false;
    *fate = (struct fate){.state = FULFILLED};
    fate->flags = (group->rows[0]->customer ? 0 : 1) | (group->twice ? 4 : 0);
    for (int i = 0; i < group->count; i++) {
        int outcome = first_outcome(group, i);
        fate->outcome[i] = outcome;
        any = any || outcome < NO_PRICE;
        if (outcome == SOLD || outcome == CHARGED)
            fate->amount += model_amount(group->rows[i]);
        if (group->rows[i]->minute != group->rows[0]->minute)
            fate->flags |= 2;
    }
    if (!any)
        withdraw(fate, group->count, REJECTED, NOTHING_LEFT, UNPAID);
    else if (group->twice && fate->amount > 0)
        withdraw(fate, group->count, PARKED, TWICE, HELD_BACK);
    else
        pay_and_reserve(oracle, group, fate);
    if (model_kind(group) == CANCELLATION)
        settle_cancellation(oracle, group, fate);
    keep_accounts(group, fate);
}
