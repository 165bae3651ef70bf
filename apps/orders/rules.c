/* rules.c - the rules for dirty lines. */
#include "rules.h"

#include <stdio.h>

bool rules_is_product(const char *code, size_t size)
{
    if (size < 5)
        return false;
    for (size_t i = 0; i < 5; i++)
        if (code[i] < '0' || code[i] > '9')
            return false;
    return true;
}

static uint8_t cancellation_line(const struct doc_line *line)
{
    if (line->quantity > 0)
        return OUTCOME_POSITIVE_CANCELLATION;
    if (line->price < 0)
        return OUTCOME_NEGATIVE_PRICE;
    return OUTCOME_PARKED; /* until the ledger finds the sale that it reverses */
}

static uint8_t sale_line(const struct doc_line *line)
{
    if (line->price < 0)
        return OUTCOME_NEGATIVE_PRICE;
    if (line->quantity < 0)
        return line->price == 0 ? OUTCOME_WRITTEN_OFF : OUTCOME_PRICED_WRITE_OFF;
    if (line->price == 0)
        return OUTCOME_NO_PRICE;
    return line->flags & LINE_NO_PRODUCT ? OUTCOME_CHARGED : OUTCOME_SOLD;
}

static uint8_t line_outcome(const struct doc *doc, const struct doc_line *line)
{
    if (line->outcome == OUTCOME_DUPLICATE) /* The intake saw the text; nobody else does. */
        return OUTCOME_DUPLICATE;
    if (line->quantity == 0)
        return OUTCOME_NO_QUANTITY;
    switch (doc->kind) {
    case KIND_CANCELLATION:
        return cancellation_line(line);
    case KIND_ADJUSTMENT:
        return OUTCOME_BAD_DEBT;
    default:
        return sale_line(line);
    }
}

void rules_classify(struct doc *doc)
{
    bool any = false;
    doc->kind = doc->key[0] == 'C'   ? KIND_CANCELLATION
                : doc->key[0] == 'A' ? KIND_ADJUSTMENT
                                     : KIND_SALE;
    doc->state = STATE_FULFILLED;
    doc->reason = REASON_NONE;
    doc->amount = 0;
    if (doc->customer == 0)
        doc->flags |= ORDER_NO_CUSTOMER;
    for (uint32_t i = 0; i < doc->lines; i++) {
        struct doc_line *line = &doc->line[i];
        if (line->quantity > OUTLIER_QUANTITY || line->quantity < -OUTLIER_QUANTITY ||
            line->amount > OUTLIER_PENCE || line->amount < -OUTLIER_PENCE)
            line->flags |= LINE_OUTLIER;
        if (line->price % 10 != 0)
            line->flags |= LINE_SUB_PENCE;
        line->outcome = line_outcome(doc, line);
        any = any || line->outcome < OUTCOME_NO_PRICE;
        if (line->outcome == OUTCOME_SOLD || line->outcome == OUTCOME_CHARGED)
            doc->amount += line->amount;
    }
    if (!any) {
        doc->state = STATE_REJECTED;
        doc->reason = REASON_NOTHING_LEFT;
    } else if (doc->flags & ORDER_SUSPECT && doc->amount > 0) {
        doc->state = STATE_PARKED;
        doc->reason = REASON_LOOKS_TWICE;
        rules_withdraw(doc, OUTCOME_PARKED);
    }
}

void rules_withdraw(struct doc *doc, uint8_t outcome)
{
    for (uint32_t i = 0; i < doc->lines; i++)
        if (doc->line[i].outcome < OUTCOME_NO_PRICE)
            doc->line[i].outcome = outcome;
}

bool rules_short(struct doc *doc)
{
    doc->reason = REASON_NO_STOCK;
    if (!doc->paid) { /* Only what is written off needs stock but no money. */
        doc->state = STATE_PARKED;
        doc->reason = REASON_WRITE_OFF_SHORT;
        rules_withdraw(doc, OUTCOME_PARKED);
        return false;
    }
    doc->state = STATE_REFUNDED;
    rules_withdraw(doc, OUTCOME_REFUNDED);
    return true;
}

void rules_conflict(struct doc *doc)
{
    doc->what = DOC_REFUSED;
    doc->refusal = REFUSAL_CONFLICT;
    doc->amount = 0;
    for (uint32_t i = 0; i < doc->lines; i++)
        doc->amount += doc->line[i].amount;
    if (doc->source_line > 0)
        snprintf(doc->excerpt, sizeof(doc->excerpt),
                 "line %llu: number %s was entered before with other content",
                 (unsigned long long)doc->source_line, doc->key);
    else /* It was a message. */
        snprintf(doc->excerpt, sizeof(doc->excerpt),
                 "number %s was entered before with other content", doc->key);
}
