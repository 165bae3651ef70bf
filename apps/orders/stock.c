/* stock.c - see stock.h. */
#include "stock.h"

#include "plant.h"

#include <stdlib.h>

bool stock_init(struct stock_table *stock, const struct store *store, uint32_t products)
{
    stock->initial = store_stock(store);
    stock->room = products + 1024;
    stock->on_hand = calloc(stock->room, sizeof(*stock->on_hand));
    if (!stock->on_hand)
        return false;
    for (uint32_t i = 1; i < stock->room; i++)
        stock->on_hand[i] = ORDERS_PLANTED(STALE_STOCK) ? stock->initial : store_on_hand(store, i);
    return true;
}

void stock_fini(struct stock_table *stock)
{
    free(stock->on_hand);
    stock->on_hand = NULL;
}

bool stock_grow(struct stock_table *stock, uint32_t products)
{
    if (products < stock->room)
        return true;
    uint32_t room = products * 2;
    int64_t *on_hand = realloc(stock->on_hand, room * sizeof(*on_hand));
    if (!on_hand)
        return false;
    for (uint32_t i = stock->room; i < room; i++)
        on_hand[i] = stock->initial < 0 ? 0 : stock->initial;
    stock->on_hand = on_hand;
    stock->room = room;
    return true;
}

/* Pieces that the line takes out of stock. */
static int64_t wanted(const struct doc_line *line)
{
    return line->outcome == OUTCOME_SOLD          ? line->quantity
           : line->outcome == OUTCOME_WRITTEN_OFF ? -(int64_t)line->quantity
                                                  : 0;
}

bool stock_reserve(struct stock_table *stock, struct doc *doc)
{
    for (uint32_t i = 0; i < doc->lines; i++) {
        struct doc_line *line = &doc->line[i];
        int64_t *on_hand = &stock->on_hand[line->product];
        int64_t want = wanted(line);
        if (want > *on_hand && stock->initial < 0) {
            line->received = (int32_t)(want - *on_hand);
            *on_hand = want;
        }
        if (want > *on_hand) {
            while (i-- > 0)
                stock->on_hand[doc->line[i].product] += wanted(&doc->line[i]) *
                                                        (ORDERS_PLANTED(RELEASED_TWICE) ? 2 : 1);
            return false;
        }
        *on_hand -= want;
    }
    return true;
}
