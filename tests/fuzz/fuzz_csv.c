/* fuzz_csv.c - the CSV reader: every line comes out once, fields lie within bounds, quoting
 * undone and done again gives the same fields. */
#include "csv.h"
#include "fuzz.h"

static void check_record(const struct csv_record *record)
{
    size_t bytes = 0;
    HOLDS(record->fields > 0 && record->fields <= CSV_FIELDS_MAX);
    HOLDS(ord_utf8_valid(record->raw, record->raw_size));
    HOLDS(memchr(record->raw, '\0', record->raw_size) == NULL);
    for (unsigned i = 0; i < record->fields; i++) {
        HOLDS(record->field[i].size <= CSV_FIELD_MAX);
        bytes += record->field[i].size;
    }
    HOLDS(bytes + record->fields - 1 <= record->raw_size);
}

/* Writes the record with all fields quoted, and reads that. */
static void check_again(const struct csv_record *record)
{
    static char text[2 * CSV_RECORD_MAX + 4 * CSV_FIELDS_MAX];
    size_t size = 0;
    for (unsigned i = 0; i < record->fields; i++) {
        text[size++] = '"';
        for (size_t k = 0; k < record->field[i].size; k++) {
            if (record->field[i].text[k] == '"')
                text[size++] = '"';
            text[size++] = record->field[i].text[k];
        }
        text[size++] = '"';
        text[size++] = i + 1 == record->fields ? '\n' : ',';
    }
    if (size > CSV_RECORD_MAX)
        return;
    struct fuzz_source source = {
        .base = {.read = fuzz_read}, .data = (uint8_t *)text, .size = size, .step = 1u << 20};
    struct csv *csv = csv_create(&source.base);
    struct csv_record again;
    struct ord_error error = {.text = ""};
    HOLDS(csv && csv_next(csv, &again, &error) == CSV_RECORD);
    HOLDS(again.fields == record->fields);
    for (unsigned i = 0; i < record->fields; i++)
        HOLDS(again.field[i].size == record->field[i].size &&
              memcmp(again.field[i].text, record->field[i].text, again.field[i].size) == 0);
    HOLDS(csv_next(csv, &again, &error) == CSV_END);
    csv_destroy(csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_source source = fuzz_source(data, size);
    struct csv *csv = csv_create(&source.base);
    struct csv_record record;
    struct ord_error error = {.text = ""};
    uint64_t line = 0, records = 0;
    enum csv_result result;
    HOLDS(csv != NULL);
    while ((result = csv_next(csv, &record, &error)) == CSV_RECORD || result == CSV_BAD) {
        HOLDS(record.line > line); /* later ones stand further down */
        line = record.line;
        HOLDS(++records <= source.size);
        if (result == CSV_RECORD) {
            check_record(&record);
            if (records < 4) /* It takes its time. */
                check_again(&record);
        } else {
            HOLDS(error.text[0] != '\0');
        }
        error.text[0] = '\0';
    }
    uint64_t lines = 1;
    for (size_t i = 0; i < source.size; i++)
        lines += source.data[i] == '\n';
    HOLDS(line <= lines);
    HOLDS((result == CSV_BROKEN) == source.breaks);
    HOLDS(result != CSV_BROKEN || error.text[0] != '\0');
    csv_destroy(csv);
    return 0;
}
