/* fuzz_parcel.c - what comes in parcels between nodes: any bytes are an order, ends or a refund, or
 * are refused with a sentence; what was taken says the same when it is written and read again. */
#include "fuzz.h"
#include "nodes/parcel.h"

static uint8_t *copy(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    HOLDS(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    return bytes;
}

static void check_order(const struct parcel_order *order)
{
    const struct doc *doc = &order->doc;
    HOLDS(order->number > 0);
    HOLDS(memchr(doc->key, 0, sizeof(doc->key)) != NULL);
    HOLDS(doc->state < STATE_COUNT && doc->reason < REASON_COUNT && doc->kind < KIND_COUNT);
    HOLDS(doc->products_known <= DICT_WORDS_MAX && doc->countries_known <= DICT_WORDS_MAX);
    HOLDS(order->products <= doc->products_known && order->countries <= doc->countries_known);
    for (uint32_t i = 0; doc->what == DOC_ORDER && i < doc->lines; i++) {
        const struct doc_line *line = &doc->line[i];
        HOLDS(line->product > 0 && line->product <= doc->products_known);
        HOLDS(line->outcome < OUTCOME_COUNT);
        HOLDS(line->amount == ord_amount(line->quantity, line->price));
    }
    for (uint32_t i = 0; i < order->countries + order->products; i++)
        HOLDS(order->word[i].size > 0 && ord_utf8_valid(order->word[i].text, order->word[i].size));
}

static bool same_doc(const struct doc *a, const struct doc *b)
{
    bool same = a->what == b->what && strcmp(a->key, b->key) == 0 &&
                memcmp(a->content, b->content, CONTENT_SIZE) == 0 && a->lines == b->lines &&
                a->amount == b->amount && a->state == b->state && a->reason == b->reason &&
                a->paid == b->paid && a->flags == b->flags && a->customer == b->customer &&
                a->country == b->country && a->placed_at == b->placed_at && a->kind == b->kind;
    for (uint32_t i = 0; same && a->what == DOC_ORDER && i < a->lines; i++)
        same = a->line[i].product == b->line[i].product &&
               a->line[i].quantity == b->line[i].quantity && a->line[i].price == b->line[i].price &&
               a->line[i].outcome == b->line[i].outcome && a->line[i].flags == b->line[i].flags;
    return same;
}

static void order(const uint8_t *data, size_t size)
{
    struct ord_error error = {.text = ""};
    struct parcel_order *first = parcel_order_decode(copy(data, size), size, &error);
    if (!first) {
        HOLDS(error.text[0] != '\0');
        return;
    }
    size_t again_size;
    check_order(first);
    uint8_t *bytes = parcel_order_encode(&first->doc, first->number, first->word, first->countries,
                                         first->products, &again_size);
    HOLDS(bytes != NULL);
    struct parcel_order *again = parcel_order_decode(bytes, again_size, &error);
    HOLDS(again != NULL);
    HOLDS(again->number == first->number && again->countries == first->countries &&
          again->products == first->products);
    HOLDS(same_doc(&first->doc, &again->doc));
    parcel_order_free(again);
    parcel_order_free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ord_error error = {.text = ""};
    struct parcel_end *ends = NULL;
    struct parcel_refund refund;
    size_t count = 0;
    order(data, size);
    if (parcel_ends_decode(data, size, &ends, &count, &error)) {
        for (size_t i = 0; i < count; i++)
            HOLDS(ends[i].number > 0 && ends[i].state < STATE_COUNT);
        free(ends);
    }
    if (parcel_refund_decode(data, size, &refund, &error)) {
        uint8_t out[PARCEL_REFUND_SIZE_MAX];
        HOLDS(refund.pence > 0 && refund.key[0] != '\0');
        HOLDS(parcel_refund_encode(&refund, out) <= sizeof(out));
    }
    return 0;
}
