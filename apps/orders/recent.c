/* recent.c - see recent.h. */
#include "recent.h"

#include <string.h>

bool recent_compares(const char *key, uint32_t customer)
{
    return customer != 0 && key[0] != 'C' && key[0] != 'A';
}

uint64_t recent_basket(uint32_t customer, const struct doc_line *lines, uint32_t count)
{
    uint64_t basket = ord_hash(2, &customer, sizeof(customer));
    for (uint32_t i = 0; i < count; i++) {
        struct {
            int64_t price;
            uint32_t product;
            int32_t quantity;
        } item = {lines[i].price, lines[i].product, lines[i].quantity};
        basket += ord_hash(3, &item, sizeof(item));
    }
    return basket;
}

static uint64_t number_of(const char *key)
{
    return ord_hash(5, key, strlen(key));
}

void recent_add(struct recent *recent, uint64_t basket, const char *key, int64_t placed_at)
{
    recent->basket[recent->next] = basket;
    recent->key[recent->next] = number_of(key);
    recent->placed_at[recent->next] = placed_at;
    recent->next = (recent->next + 1) % RECENT_ORDERS;
}

bool recent_has(const struct recent *recent, uint64_t basket, const char *key, int64_t placed_at,
                int64_t window_s)
{
    uint64_t number = number_of(key);
    for (unsigned i = 0; i < RECENT_ORDERS; i++) {
        int64_t apart = placed_at - recent->placed_at[i];
        if (recent->basket[i] == basket && recent->key[i] != number && apart <= window_s &&
            apart >= -window_s)
            return true;
    }
    return false;
}

bool recent_looks_twice(struct recent *recent, const char *key, uint32_t customer,
                        int64_t placed_at, const struct doc_line *lines, uint32_t count,
                        int64_t window_s)
{
    if (!recent_compares(key, customer))
        return false;
    uint64_t basket = recent_basket(customer, lines, count);
    bool found = recent_has(recent, basket, key, placed_at, window_s);
    recent_add(recent, basket, key, placed_at);
    return found;
}
