/*
 * csv.h - a streaming reader of RFC 4180 text: LF or CRLF, a BOM is skipped, quoted fields may
 * hold commas, doubled quotes and line ends. Memory is bounded whatever the input.
 */
#ifndef ORDERS_CSV_H
#define ORDERS_CSV_H

#include "source.h"

#define CSV_FIELDS_MAX 16u
#define CSV_RECORD_MAX (64u * 1024u) /* bytes of one record, its line ends included */
#define CSV_FIELD_MAX 4096u          /* bytes of one field */

struct csv_field {
    const char *text; /* not NUL-terminated; valid until the next csv_next() */
    size_t size;
};

struct csv_record {
    uint64_t line;   /* where it starts, from 1 */
    const char *raw; /* its bytes without the line end */
    size_t raw_size;
    struct csv_field field[CSV_FIELDS_MAX];
    unsigned fields; /* as many as were readable; all of them for CSV_RECORD */
};

enum csv_result {
    CSV_RECORD,
    CSV_BAD, /* this record cannot be read; *error says why; the next one may be fine */
    CSV_END,
    CSV_BROKEN /* the source failed; what came before was good, nothing comes after */
};

struct csv;

/* The source stays the caller's and must outlive the reader. NULL when memory is short. */
struct csv *csv_create(struct ord_source *source);
void csv_destroy(struct csv *csv);

/* Empty lines are skipped. One thread. */
enum csv_result csv_next(struct csv *csv, struct csv_record *ret_record, struct ord_error *error);

#endif
