/* fuzz_intake.c - from bytes to documents: every line that is read is in one document, and the
 * rules give each a place. The header is put before the input. */
#include "fuzz.h"
#include "intake.h"
#include "rules.h"

static const char header[] =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

static void check_doc(struct doc *doc, const struct dict *products, const struct dict *countries)
{
    if (doc->what == DOC_REFUSED) {
        HOLDS(doc->excerpt[0] != '\0' && strlen(doc->excerpt) < DOC_EXCERPT_SIZE);
        HOLDS(doc->refusal < REFUSAL_COUNT && doc->lines > 0);
        return;
    }
    HOLDS(doc->key[0] != '\0' && strlen(doc->key) <= ORDER_KEY_MAX);
    HOLDS(doc->lines > 0 && doc->lines <= ORDER_LINES_MAX);
    HOLDS(doc->country >= 1 && doc->country <= dict_count(countries));
    rules_classify(doc);
    HOLDS(doc->kind < KIND_COUNT && doc->state < STATE_COUNT && doc->reason < REASON_COUNT);
    int64_t due = 0;
    for (uint32_t i = 0; i < doc->lines; i++) {
        const struct doc_line *line = &doc->line[i];
        HOLDS(line->outcome < OUTCOME_COUNT);
        HOLDS(line->product >= 1 && line->product <= dict_count(products));
        HOLDS(line->amount == ord_amount(line->quantity, line->price));
        HOLDS(line->quantity <= ORD_QUANTITY_MAX && line->quantity >= -ORD_QUANTITY_MAX);
        if (line->outcome == OUTCOME_SOLD || line->outcome == OUTCOME_CHARGED)
            due += line->amount;
    }
    HOLDS(doc->state != STATE_FULFILLED || due == doc->amount);
    HOLDS(doc->amount >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1u << 20)
        return 0;
    uint8_t *whole = malloc(size + sizeof(header));
    HOLDS(whole != NULL);
    whole[0] = data[0];
    memcpy(whole + 1, header, sizeof(header) - 1);
    memcpy(whole + sizeof(header), data + 1, size - 1);
    struct fuzz_source source = fuzz_source(whole, size + sizeof(header) - 1);

    struct ord_error error = {.text = ""};
    struct intake_options options = {.source = &source.base,
                                     .name = "fuzz",
                                     .products = dict_create(),
                                     .countries = dict_create(),
                                     .window_s = 600};
    struct intake *intake = intake_create(&options, &error);
    HOLDS(intake != NULL);
    struct doc doc = {0};
    enum intake_result result;
    uint64_t lines = 0;
    while ((result = intake_next(intake, &doc, &error)) == INTAKE_DOC) {
        lines += doc.lines;
        check_doc(&doc, options.products, options.countries);
    }
    HOLDS((result == INTAKE_BROKEN) == source.breaks);
    HOLDS(lines == intake_lines(intake));
    free(doc.line);
    intake_destroy(intake);
    dict_destroy(options.products);
    dict_destroy(options.countries);
    free(whole);
    return 0;
}
