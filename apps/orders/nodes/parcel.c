/* parcel.c - see parcel.h. */
#include "nodes/parcel.h"

#include "nodes/pb.h"

#include <stdlib.h>

enum {
    O_NUMBER = 1,
    O_WHAT,
    O_KEY,
    O_CONTENT,
    O_PLACED_AT,
    O_CUSTOMER,
    O_COUNTRY,
    O_FLAGS,
    O_SOURCE_LINE,
    O_LINE_COUNT,
    O_AMOUNT,
    O_REFUSAL,
    O_DETAIL,
    O_KIND,
    O_STATE,
    O_REASON,
    O_PAID,
    O_COUNTRIES_KNOWN,
    O_PRODUCTS_KNOWN,
    O_LINE,
    O_COUNTRY_WORD,
    O_PRODUCT_WORD
};
enum { L_PRODUCT = 1, L_QUANTITY, L_PRICE, L_AMOUNT, L_OUTCOME, L_FLAGS };
enum { W_TEXT = 1, W_NOTE };

#define LINE_SIZE_MAX (6 * (PB_HEAD_MAX + 10))
#define WORD_TEXT_MAX 63u
#define WORD_NOTE_MAX 4096u

bool pb_take_text(char *into, size_t room, const struct pb_field *field)
{
    if (!field->data || field->size >= room || memchr(field->data, 0, field->size) ||
        !ord_utf8_valid((const char *)field->data, field->size))
        return false;
    memcpy(into, field->data, field->size);
    into[field->size] = '\0';
    return true;
}

/* ---- Writing --------------------------------------------------------------- */

static uint8_t *put_line(uint8_t *out, const struct doc_line *line)
{
    uint8_t inner[LINE_SIZE_MAX], *end = inner;
    end = pb_put_uint(end, L_PRODUCT, line->product);
    end = pb_put_sint(end, L_QUANTITY, line->quantity);
    end = pb_put_sint(end, L_PRICE, line->price);
    end = pb_put_sint(end, L_AMOUNT, line->amount);
    end = pb_put_uint(end, L_OUTCOME, line->outcome);
    end = pb_put_uint(end, L_FLAGS, line->flags);
    return pb_put_bytes(out, O_LINE, inner, (size_t)(end - inner));
}

static size_t word_size(const struct parcel_word *word)
{
    return (size_t)word->size + word->note_size + 2 * PB_NUMBER_MAX;
}

static uint8_t *put_word(uint8_t *out, uint32_t field, const struct parcel_word *word)
{
    uint8_t head[2][PB_NUMBER_MAX]; /* The size comes first, so the heads are made apart. */
    size_t head_size[2] = {0, 0};
    if (word->size > 0)
        head_size[0] = (size_t)(pb_put_varint(pb_put_varint(head[0], W_TEXT << 3 | 2), word->size) -
                                head[0]);
    if (word->note_size > 0)
        head_size[1] = (size_t)(pb_put_varint(pb_put_varint(head[1], W_NOTE << 3 | 2),
                                              word->note_size) -
                                head[1]);
    out = pb_put_varint(out, field << 3 | 2);
    out = pb_put_varint(out, head_size[0] + word->size + head_size[1] + word->note_size);
    memcpy(out, head[0], head_size[0]);
    out += head_size[0];
    memcpy(out, word->text, word->size);
    out += word->size;
    memcpy(out, head[1], head_size[1]);
    out += head_size[1];
    if (word->note_size > 0)
        memcpy(out, word->note, word->note_size);
    return out + word->note_size;
}

uint8_t *parcel_order_encode(const struct doc *doc, uint64_t number, const struct parcel_word *word,
                             uint32_t countries, uint32_t products, size_t *ret_size)
{
    uint32_t lines = doc->what == DOC_ORDER ? doc->lines : 0;
    size_t room = O_PRODUCT_WORD * PB_NUMBER_MAX + ORDER_KEY_MAX + CONTENT_SIZE + DOC_EXCERPT_SIZE +
                  (size_t)lines * (LINE_SIZE_MAX + PB_HEAD_MAX);
    for (uint32_t i = 0; i < countries + products; i++)
        room += word_size(&word[i]) + PB_NUMBER_MAX;
    uint8_t *bytes = malloc(room), *out = bytes;
    if (!bytes)
        return NULL;
    out = pb_put_uint(out, O_NUMBER, number);
    out = pb_put_uint(out, O_WHAT, doc->what);
    out = pb_put_text(out, O_KEY, doc->key);
    out = pb_put_bytes(out, O_CONTENT, doc->content, CONTENT_SIZE);
    out = pb_put_sint(out, O_PLACED_AT, doc->placed_at);
    out = pb_put_uint(out, O_CUSTOMER, doc->customer);
    out = pb_put_uint(out, O_COUNTRY, doc->country);
    out = pb_put_uint(out, O_FLAGS, doc->flags);
    out = pb_put_uint(out, O_SOURCE_LINE, doc->source_line);
    out = pb_put_uint(out, O_LINE_COUNT, doc->lines);
    out = pb_put_sint(out, O_AMOUNT, doc->amount);
    out = pb_put_uint(out, O_REFUSAL, doc->refusal);
    out = pb_put_text(out, O_DETAIL, doc->what == DOC_REFUSED ? doc->excerpt : "");
    out = pb_put_uint(out, O_KIND, doc->kind);
    out = pb_put_uint(out, O_STATE, doc->state);
    out = pb_put_uint(out, O_REASON, doc->reason);
    out = pb_put_uint(out, O_PAID, doc->paid);
    out = pb_put_uint(out, O_COUNTRIES_KNOWN, doc->countries_known);
    out = pb_put_uint(out, O_PRODUCTS_KNOWN, doc->products_known);
    for (uint32_t i = 0; i < lines; i++)
        out = put_line(out, &doc->line[i]);
    for (uint32_t i = 0; i < countries; i++)
        out = put_word(out, O_COUNTRY_WORD, &word[i]);
    for (uint32_t i = 0; i < products; i++)
        out = put_word(out, O_PRODUCT_WORD, &word[countries + i]);
    *ret_size = (size_t)(out - bytes);
    return bytes;
}

/* ---- Reading --------------------------------------------------------------- */

static bool take_line(struct doc_line *line, const struct pb_field *from)
{
    struct pb_reader reader = {from->data, from->data + from->size, false};
    struct pb_field field;
    int64_t quantity = 0, price = 0, amount = 0;
    *line = (struct doc_line){0};
    while (pb_next(&reader, &field)) {
        switch (field.number) {
        case L_PRODUCT:
            line->product = (uint32_t)field.value;
            break;
        case L_QUANTITY:
            quantity = pb_sint(field.value);
            break;
        case L_PRICE:
            price = pb_sint(field.value);
            break;
        case L_AMOUNT:
            amount = pb_sint(field.value);
            break;
        case L_OUTCOME:
            if (field.value >= OUTCOME_COUNT)
                return false;
            line->outcome = (uint8_t)field.value;
            break;
        case L_FLAGS:
            line->flags = (uint8_t)field.value;
            break;
        }
    }
    if (reader.bad || quantity > ORD_QUANTITY_MAX || quantity < -ORD_QUANTITY_MAX ||
        price > ORD_PRICE_MAX || price < -ORD_PRICE_MAX)
        return false;
    line->quantity = (int32_t)quantity;
    line->price = price;
    line->amount = amount;
    return amount == ord_amount(quantity, price);
}

static bool take_word(struct parcel_word *word, const struct pb_field *from)
{
    struct pb_reader reader = {from->data, from->data + from->size, false};
    struct pb_field field;
    *word = (struct parcel_word){"", "", 0, 0};
    while (pb_next(&reader, &field)) {
        if (field.number != W_TEXT && field.number != W_NOTE)
            continue;
        if (!field.data || field.size > (field.number == W_TEXT ? WORD_TEXT_MAX : WORD_NOTE_MAX) ||
            memchr(field.data, 0, field.size) ||
            !ord_utf8_valid((const char *)field.data, field.size))
            return false;
        if (field.number == W_TEXT) {
            word->text = (const char *)field.data;
            word->size = (uint32_t)field.size;
        } else {
            word->note = (const char *)field.data;
            word->note_size = (uint32_t)field.size;
        }
    }
    return !reader.bad && word->size > 0;
}

static bool take_number(struct parcel_order *order, const struct pb_field *field)
{
    struct doc *doc = &order->doc;
    uint64_t value = field->value;
    switch (field->number) {
    case O_NUMBER:
        order->number = value;
        break;
    case O_WHAT:
        doc->what = value == 1 ? DOC_REFUSED : DOC_ORDER;
        return value <= 1;
    case O_PLACED_AT:
        doc->placed_at = pb_sint(value);
        break;
    case O_CUSTOMER:
        doc->customer = (uint32_t)value;
        break;
    case O_COUNTRY:
        doc->country = (uint32_t)value;
        break;
    case O_FLAGS:
        doc->flags = (uint8_t)value;
        break;
    case O_SOURCE_LINE:
        doc->source_line = value;
        return value <= INT64_MAX;
    case O_LINE_COUNT:
        doc->lines = (uint32_t)value;
        return value <= UINT32_MAX;
    case O_AMOUNT:
        doc->amount = pb_sint(value);
        break;
    case O_REFUSAL:
        doc->refusal = (uint8_t)value;
        return value < REFUSAL_COUNT;
    case O_KIND:
        doc->kind = (uint8_t)value;
        return value < KIND_COUNT;
    case O_STATE:
        doc->state = (uint8_t)value;
        return value < STATE_COUNT;
    case O_REASON:
        doc->reason = (uint8_t)value;
        return value < REASON_COUNT;
    case O_PAID:
        doc->paid = value != 0;
        break;
    case O_COUNTRIES_KNOWN:
        doc->countries_known = (uint32_t)value;
        return value <= DICT_WORDS_MAX;
    case O_PRODUCTS_KNOWN:
        doc->products_known = (uint32_t)value;
        return value <= DICT_WORDS_MAX;
    }
    return true;
}

static bool take_field(struct parcel_order *order, const struct pb_field *field, uint32_t *lines,
                       uint32_t *words)
{
    struct doc *doc = &order->doc;
    switch (field->number) {
    case O_KEY:
        return pb_take_text(doc->key, sizeof(doc->key), field);
    case O_DETAIL:
        return pb_take_text(doc->excerpt, sizeof(doc->excerpt), field);
    case O_CONTENT:
        if (!field->data || field->size != CONTENT_SIZE)
            return false;
        memcpy(doc->content, field->data, CONTENT_SIZE);
        return true;
    case O_LINE:
        /* There is room for all that make_room() saw. */
        return field->data && doc->line && take_line(&doc->line[(*lines)++], field);
    case O_COUNTRY_WORD:
        order->countries++;
        return field->data && order->products == 0 && take_word(&order->word[(*words)++], field);
    case O_PRODUCT_WORD:
        order->products++;
        return field->data && take_word(&order->word[(*words)++], field);
    default:
        return take_number(order, field);
    }
}

/* Room for as many lines and words as there are. */
static bool make_room(struct parcel_order *order, const uint8_t *bytes, size_t size,
                      struct ord_error *error)
{
    struct pb_reader reader = {bytes, bytes + size, false};
    struct pb_field field;
    uint32_t lines = 0, words = 0;
    while (pb_next(&reader, &field)) {
        lines += field.number == O_LINE;
        words += field.number == O_COUNTRY_WORD || field.number == O_PRODUCT_WORD;
    }
    if (lines > ORDER_LINES_MAX)
        return ord_fail(error, "an order of %zu bytes has more than %u lines", size,
                        ORDER_LINES_MAX);
    order->word = calloc((size_t)words + 1, sizeof(*order->word));
    return (order->word && doc_reserve(&order->doc, lines + 1)) ||
           ord_starve(error, "memory is short for an order of %zu bytes", size);
}

static bool fits(const struct parcel_order *order, uint32_t lines)
{
    const struct doc *doc = &order->doc;
    if (order->number == 0 || order->countries > doc->countries_known ||
        order->products > doc->products_known)
        return false;
    if (doc->what == DOC_REFUSED)
        return lines == 0;
    if (lines != doc->lines || lines == 0 || doc->key[0] == '\0' || doc->country == 0 ||
        doc->country > doc->countries_known)
        return false;
    for (uint32_t i = 0; i < lines; i++)
        if (doc->line[i].product == 0 || doc->line[i].product > doc->products_known)
            return false;
    return true;
}

struct parcel_order *parcel_order_decode(uint8_t *bytes, size_t size, struct ord_error *error)
{
    struct parcel_order *order = calloc(1, sizeof(*order));
    uint32_t lines = 0, words = 0;
    if (!order)
        ord_starve(error, "memory is short for an order of %zu bytes", size);
    if (!order || !make_room(order, bytes, size, error)) {
        parcel_order_free(order);
        free(bytes);
        return NULL;
    }
    order->bytes = bytes;
    struct pb_reader reader = {bytes, bytes + size, false};
    struct pb_field field;
    bool good = true;
    while (good && pb_next(&reader, &field))
        good = take_field(order, &field, &lines, &words);
    if (good && !reader.bad && fits(order, lines))
        return order;
    ord_fail(error, "a parcel of %zu bytes holds no order that makes sense (number %llu, '%.31s')",
             size, (unsigned long long)order->number, order->doc.key);
    parcel_order_free(order);
    return NULL;
}

void parcel_order_free(struct parcel_order *order)
{
    if (!order)
        return;
    free(order->doc.line);
    free(order->word);
    free(order->bytes);
    free(order);
}

/* ---- The small ones -------------------------------------------------------- */

uint8_t *parcel_ends_encode(const struct parcel_end *ends, size_t count, size_t *ret_size)
{
    uint8_t *bytes = malloc(count * 4 * PB_NUMBER_MAX + 1), *out = bytes;
    for (size_t i = 0; bytes && i < count; i++) {
        uint8_t inner[3 * PB_NUMBER_MAX], *end = inner;
        end = pb_put_uint(end, 1, ends[i].number);
        end = pb_put_uint(end, 2, ends[i].state);
        end = pb_put_uint(end, 3, ends[i].reason);
        out = pb_put_bytes(out, 1, inner, (size_t)(end - inner));
    }
    *ret_size = (size_t)(out - bytes);
    return bytes;
}

static bool take_end(struct parcel_end *end, const struct pb_field *from)
{
    struct pb_reader reader = {from->data, from->data + from->size, false};
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == 1)
            end->number = field.value;
        else if (field.number == 2 && field.value < STATE_COUNT)
            end->state = (uint8_t)field.value;
        else if (field.number == 3 && field.value < REASON_COUNT)
            end->reason = (uint8_t)field.value;
        else if (field.number <= 3)
            return false;
    }
    return !reader.bad && end->number > 0;
}

bool parcel_ends_decode(const uint8_t *bytes, size_t size, struct parcel_end **ret_ends,
                        size_t *ret_count, struct ord_error *error)
{
    struct pb_reader reader = {bytes, bytes + size, false};
    struct pb_field field;
    struct parcel_end *ends = calloc(size / 2 + 1, sizeof(*ends)); /* two bytes each at least */
    size_t count = 0;
    bool good = ends != NULL;
    while (good && pb_next(&reader, &field))
        if (field.number == 1)
            good = field.data && take_end(&ends[count++], &field);
    if (good && !reader.bad) {
        *ret_ends = ends;
        *ret_count = count;
        return true;
    }
    free(ends);
    if (!ends)
        return ord_starve(error, "memory is short for a parcel of %zu bytes", size);
    return ord_fail(error, "a parcel of %zu bytes does not say how orders ended", size);
}

size_t parcel_refund_encode(const struct parcel_refund *refund, uint8_t out[PARCEL_REFUND_SIZE_MAX])
{
    return (size_t)(pb_put_sint(pb_put_text(out, 1, refund->key), 2, refund->pence) - out);
}

bool parcel_refund_decode(const uint8_t *bytes, size_t size, struct parcel_refund *refund,
                          struct ord_error *error)
{
    struct pb_reader reader = {bytes, bytes + size, false};
    struct pb_field field;
    bool good = true;
    memset(refund, 0, sizeof(*refund));
    while (good && pb_next(&reader, &field)) {
        if (field.number == 1)
            good = pb_take_text(refund->key, sizeof(refund->key), &field);
        else if (field.number == 2)
            refund->pence = pb_sint(field.value);
    }
    if (good && !reader.bad && refund->key[0] && refund->pence > 0)
        return true;
    return ord_fail(error, "a parcel of %zu bytes holds no refund", size);
}
