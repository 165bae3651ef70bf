/* intake.c - see intake.h. */
#include "intake.h"

#include "recent.h"
#include "rules.h"
#include "sha.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column { INVOICE, CODE, DESCRIPTION, QUANTITY, DATE, PRICE, CUSTOMER, COUNTRY, COLUMNS };
static const char *const column_names[COLUMNS] = {"InvoiceNo",  "StockCode",   "Description",
                                                  "Quantity",   "InvoiceDate", "UnitPrice",
                                                  "CustomerID", "Country"};

/* Sums of an order stay far below 2^63 pence. */
#define ORDER_PENCE_MAX INT64_C(1000000000000000)

/* The lines of one invoice while they come in. */
struct group {
    char key[ORDER_KEY_MAX + 1];
    size_t key_size; /* 0: this group stands for one unreadable line */
    char *raw;       /* all lines as they came, each with a newline */
    size_t raw_size, raw_room;
    uint32_t *line_end; /* in raw */
    struct doc_line *line;
    uint32_t lines, lines_room; /* lines kept */
    uint64_t lines_seen;
    uint64_t source_line;
    int64_t placed_at, sum;
    uint32_t customer, country;
    uint8_t flags;
    bool refused;
    uint8_t refusal;
    char why[DOC_EXCERPT_SIZE];
};

struct intake {
    struct intake_options options;
    struct csv *csv;
    struct sha *sha;
    struct group group[INTAKE_OPEN];
    unsigned first, open; /* groups in use: a ring */
    bool ended, broken;
    bool starved; /* memory ran short: nothing more comes, and no order is refused for that */
    struct ord_error broken_why;
    uint64_t lines;
    uint32_t *seen; /* scratch of mark_duplicates() */
    uint32_t seen_room;
    struct recent recent;
};

uint64_t intake_lines(const struct intake *intake)
{
    return intake->lines;
}

bool doc_reserve(struct doc *doc, uint32_t lines)
{
    if (lines <= doc->lines_max)
        return true;
    uint32_t room = lines < 64 ? 64 : lines + lines / 2;
    struct doc_line *line = realloc(doc->line, room * sizeof(*line));
    if (!line)
        return false;
    doc->line = line;
    doc->lines_max = room;
    return true;
}

static bool same_word(struct csv_field field, const char *word)
{
    return field.size == strlen(word) && memcmp(field.text, word, field.size) == 0;
}

static bool check_header(struct intake *intake, struct ord_error *error)
{
    struct csv_record header;
    struct ord_error why;
    const char *name = intake->options.name;
    switch (csv_next(intake->csv, &header, &why)) {
    case CSV_END:
        return ord_fail(error, "'%s' is empty, want a header line", name);
    case CSV_BROKEN:
        *error = why;
        return false;
    case CSV_BAD:
        return ord_fail(error, "'%s' line %llu: %.200s", name, (unsigned long long)header.line,
                        why.text);
    case CSV_RECORD:
        break;
    }
    for (unsigned i = 0; i < COLUMNS; i++) {
        if (i >= header.fields)
            return ord_fail(error, "'%s' line %llu: %u columns, want 8; column %u '%s' is missing",
                            name, (unsigned long long)header.line, header.fields, i + 1,
                            column_names[i]);
        if (!same_word(header.field[i], column_names[i]))
            return ord_fail(error, "'%s' line %llu: column %u is '%.*s', want '%s'", name,
                            (unsigned long long)header.line, i + 1,
                            (int)(header.field[i].size < 64 ? header.field[i].size : 64),
                            header.field[i].text, column_names[i]);
    }
    if (header.fields > COLUMNS)
        return ord_fail(error, "'%s' line %llu: %u columns, want 8", name,
                        (unsigned long long)header.line, header.fields);
    return true;
}

struct intake *intake_create(const struct intake_options *options, struct ord_error *error)
{
    struct intake *intake = calloc(1, sizeof(*intake));
    if (intake) {
        intake->options = *options;
        intake->csv = csv_create(options->source);
        intake->sha = sha_create();
    }
    if (!intake || !intake->csv || !intake->sha) {
        intake_destroy(intake);
        ord_fail(error, "memory is short opening '%s'", options->name);
        return NULL;
    }
    if (!check_header(intake, error)) {
        intake_destroy(intake);
        return NULL;
    }
    return intake;
}

void intake_destroy(struct intake *intake)
{
    if (!intake)
        return;
    for (unsigned i = 0; i < INTAKE_OPEN; i++) {
        free(intake->group[i].raw);
        free(intake->group[i].line_end);
        free(intake->group[i].line);
    }
    free(intake->seen);
    sha_destroy(intake->sha);
    csv_destroy(intake->csv);
    free(intake);
}

/* ---- Gathering ------------------------------------------------------------ */

static bool key_valid(struct csv_field field)
{
    if (field.size == 0 || field.size > ORDER_KEY_MAX)
        return false;
    for (size_t i = 0; i < field.size; i++) {
        char c = field.text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

static struct group *open_group(struct intake *intake, struct csv_field key, uint64_t source_line)
{
    struct group *group = &intake->group[(intake->first + intake->open) % INTAKE_OPEN];
    intake->open++;
    memcpy(group->key, key.text, key.size);
    group->key[key.size] = '\0';
    group->key_size = key.size;
    group->raw_size = 0;
    group->lines = 0;
    group->lines_seen = 0;
    group->source_line = source_line;
    group->sum = 0;
    group->flags = 0;
    group->refused = false;
    return group;
}

/* The open group of that key, or NULL. The newest is looked at first: it is nearly always it. */
static struct group *find_group(struct intake *intake, struct csv_field key)
{
    for (unsigned i = intake->open; i-- > 0;) {
        struct group *group = &intake->group[(intake->first + i) % INTAKE_OPEN];
        if (group->key_size == key.size && memcmp(group->key, key.text, key.size) == 0)
            return group;
    }
    return NULL;
}

static void refuse(struct group *group, enum refusal refusal, uint64_t line, const char *why)
{
    if (group->refused)
        return; /* The first reason is kept. */
    group->refused = true;
    group->refusal = (uint8_t)refusal;
    snprintf(group->why, sizeof(group->why), "line %llu: %.120s", (unsigned long long)line, why);
    ord_scrub(group->why); /* It may have been cut within a character. */
}

static bool make_room(struct group *group, size_t raw)
{
    if (group->raw_size + raw + 1 > group->raw_room) {
        size_t room = (group->raw_size + raw + 1) * 2 + 4096;
        char *bytes = realloc(group->raw, room);
        if (!bytes)
            return false;
        group->raw = bytes;
        group->raw_room = room;
    }
    if (group->lines == group->lines_room) {
        uint32_t room = group->lines_room * 2 + 64;
        uint32_t *ends = realloc(group->line_end, room * sizeof(*ends));
        if (ends)
            group->line_end = ends;
        struct doc_line *lines = realloc(group->line, room * sizeof(*lines));
        if (lines)
            group->line = lines;
        if (!ends || !lines)
            return false;
        group->lines_room = room;
    }
    return true;
}

static void starve(struct intake *intake, uint64_t line)
{
    intake->starved = true;
    ord_fail(&intake->broken_why, "memory is short at line %llu (run again: it resumes)",
             (unsigned long long)line);
}

/* Keeps the text of a line; the line itself is filled in by the caller. NULL: the order has
 * become too large, which is noted, or the intake starves. */
static struct doc_line *append(struct intake *intake, struct group *group,
                               const struct csv_record *record)
{
    group->lines_seen++;
    if (group->lines == ORDER_LINES_MAX ||
        group->raw_size + record->raw_size > INTAKE_ORDER_BYTES_MAX) {
        refuse(group, REFUSAL_TOO_LARGE, record->line, "more than 65,535 lines or 16 MiB");
        return NULL;
    }
    if (!make_room(group, record->raw_size)) {
        starve(intake, record->line);
        return NULL;
    }
    memcpy(group->raw + group->raw_size, record->raw, record->raw_size);
    group->raw_size += record->raw_size;
    group->raw[group->raw_size++] = '\n';
    group->line_end[group->lines] = (uint32_t)group->raw_size;
    struct doc_line *line = &group->line[group->lines++];
    *line = (struct doc_line){0};
    return line;
}

static bool bad_value(struct ord_error *error, const struct csv_record *record, enum column column,
                      const char *want)
{
    struct csv_field field = record->field[column];
    return ord_fail(error, "%s is '%.*s', want %s", column_names[column],
                    (int)(field.size < 48 ? field.size : 48), field.text, want);
}

struct parsed {
    int64_t quantity, price, placed_at;
    uint32_t customer;
};

static bool parse(const struct csv_record *record, struct parsed *p, struct ord_error *error)
{
    const struct csv_field *f = record->field;
    if (record->fields != COLUMNS)
        return ord_fail(error, "%u fields, want 8", record->fields);
    if (!key_valid(f[INVOICE]))
        return bad_value(error, record, INVOICE, "1 to 31 letters and digits");
    if (f[CODE].size == 0 || f[CODE].size > 63)
        return bad_value(error, record, CODE, "1 to 63 bytes");
    if (!ord_parse_int(f[QUANTITY].text, f[QUANTITY].size, -ORD_QUANTITY_MAX, ORD_QUANTITY_MAX,
                       &p->quantity))
        return bad_value(error, record, QUANTITY, "a whole number up to 10,000,000");
    if (!ord_parse_time(f[DATE].text, f[DATE].size, &p->placed_at))
        return bad_value(error, record, DATE, "YYYY-MM-DD HH:MM:SS");
    if (!ord_parse_price(f[PRICE].text, f[PRICE].size, &p->price))
        return bad_value(error, record, PRICE, "a decimal with at most 3 places, up to 10,000,000");
    if (!ord_parse_customer(f[CUSTOMER].text, f[CUSTOMER].size, &p->customer))
        return bad_value(error, record, CUSTOMER, "nothing or a positive whole number");
    if (f[COUNTRY].size == 0 || f[COUNTRY].size > 63)
        return bad_value(error, record, COUNTRY, "1 to 63 bytes");
    return true;
}

static bool add_line(struct intake *intake, struct group *group, const struct csv_record *record,
                     const struct parsed *p, struct ord_error *error)
{
    const struct csv_field *f = record->field;
    uint32_t country = dict_number(intake->options.countries, f[COUNTRY].text, f[COUNTRY].size, "",
                                   0);
    uint32_t product = dict_number(intake->options.products, f[CODE].text, f[CODE].size,
                                   f[DESCRIPTION].text, f[DESCRIPTION].size);
    if ((country == 0 && dict_count(intake->options.countries) < DICT_WORDS_MAX) ||
        (product == 0 && dict_count(intake->options.products) < DICT_WORDS_MAX)) {
        starve(intake, record->line);
        return true;
    }
    if (country == 0 || product == 0)
        return ord_fail(error, "more than %u different stock codes or countries", DICT_WORDS_MAX);
    bool first = group->lines_seen == 0;
    struct doc_line *line = append(intake, group, record);
    if (!line)
        return true;
    line->quantity = (int32_t)p->quantity;
    line->price = p->price;
    line->amount = ord_amount(p->quantity, p->price);
    line->product = product;
    if (f[DESCRIPTION].size == 0)
        line->flags |= LINE_NO_DESCRIPTION;
    if (!rules_is_product(f[CODE].text, f[CODE].size))
        line->flags |= LINE_NO_PRODUCT;
    int64_t size = line->amount < 0 ? -line->amount : line->amount;
    if (size > ORDER_PENCE_MAX || group->sum > ORDER_PENCE_MAX) {
        refuse(group, REFUSAL_TOO_LARGE, record->line, "the order's amount is out of range");
        return true;
    }
    group->sum += size;
    if (first) {
        group->placed_at = p->placed_at;
        group->customer = p->customer;
        group->country = country;
    } else {
        if (p->placed_at != group->placed_at)
            group->flags |= ORDER_TWO_TIMES;
        if (p->customer != group->customer || country != group->country)
            refuse(group, REFUSAL_SPOILED, record->line,
                   "another customer or country than the order's first line");
    }
    return true;
}

/* A record that cannot be used spoils the order that it names, or stands alone. */
static void spoil(struct intake *intake, const struct csv_record *record,
                  const struct ord_error *why)
{
    struct csv_field none = {"", 0};
    bool named = record->fields > 0 && key_valid(record->field[0]);
    struct group *group = named ? find_group(intake, record->field[0]) : NULL;
    if (!group)
        group = open_group(intake, named ? record->field[0] : none, record->line);
    append(intake, group, record);
    refuse(group, named ? REFUSAL_SPOILED : REFUSAL_UNREADABLE, record->line, why->text);
}

/* Reads on until the oldest group is complete. False: the input is over. */
static bool gather(struct intake *intake)
{
    while (!intake->ended && !intake->starved && intake->open < INTAKE_OPEN) {
        struct csv_record record;
        struct ord_error why;
        struct parsed parsed = {0};
        enum csv_result result = csv_next(intake->csv, &record, &why);
        if (result == CSV_END || result == CSV_BROKEN) {
            intake->ended = true;
            intake->broken = result == CSV_BROKEN;
            if (intake->broken)
                intake->broken_why = why;
            break;
        }
        intake->lines++;
        if (result == CSV_BAD || !parse(&record, &parsed, &why)) {
            spoil(intake, &record, &why);
            continue;
        }
        struct group *group = find_group(intake, record.field[INVOICE]);
        if (!group)
            group = open_group(intake, record.field[INVOICE], record.line);
        if (!add_line(intake, group, &record, &parsed, &why))
            spoil(intake, &record, &why);
    }
    return intake->open > 0;
}

/* ---- Sealing -------------------------------------------------------------- */

/* Lines that say exactly what an earlier one of the same order says, byte by byte. */
static bool mark_duplicates(struct intake *intake, struct group *group)
{
    if (group->lines < 2)
        return true;
    uint32_t size = 16;
    while (size < group->lines * 2)
        size *= 2;
    if (size > intake->seen_room) {
        free(intake->seen);
        intake->seen = malloc(size * sizeof(*intake->seen));
        intake->seen_room = intake->seen ? size : 0;
        if (!intake->seen)
            return false;
    }
    memset(intake->seen, 0, size * sizeof(*intake->seen));
    for (uint32_t i = 0; i < group->lines; i++) {
        uint32_t start = i == 0 ? 0 : group->line_end[i - 1];
        uint32_t length = group->line_end[i] - start;
        uint32_t at = (uint32_t)ord_hash(1, group->raw + start, length) & (size - 1);
        for (; intake->seen[at] != 0; at = (at + 1) & (size - 1)) {
            uint32_t other = intake->seen[at] - 1;
            uint32_t other_start = other == 0 ? 0 : group->line_end[other - 1];
            if (group->line_end[other] - other_start == length &&
                memcmp(group->raw + other_start, group->raw + start, length) == 0) {
                group->line[i].outcome = OUTCOME_DUPLICATE;
                break;
            }
        }
        if (intake->seen[at] == 0)
            intake->seen[at] = i + 1;
    }
    return true;
}

static void seal_refused(struct doc *doc, const struct group *group)
{
    doc->what = DOC_REFUSED;
    doc->refusal = group->refusal;
    doc->lines = (uint32_t)(group->lines_seen < UINT32_MAX ? group->lines_seen : UINT32_MAX);
    for (uint32_t i = 0; i < group->lines; i++)
        doc->amount += group->line[i].amount;
    snprintf(doc->excerpt, DOC_EXCERPT_SIZE, "%s", group->why);
}

static bool seal(struct intake *intake, struct doc *doc, struct ord_error *error)
{
    struct group *group = &intake->group[intake->first];
    /* Two lines that cannot be read may be the same: where they stand tells them apart. */
    struct sha_part parts[] = {{group->raw, group->raw_size},
                               {&group->source_line, sizeof(group->source_line)}};
    intake->first = (intake->first + 1) % INTAKE_OPEN;
    intake->open--;

    doc->what = DOC_ORDER;
    doc->flags = group->flags;
    doc->paid = doc->resumed = false;
    doc->amount = 0;
    doc->excerpt[0] = '\0';
    memcpy(doc->key, group->key, group->key_size + 1);
    doc->customer = group->customer;
    doc->country = group->country;
    doc->placed_at = group->placed_at;
    doc->source_line = group->source_line;
    doc->products_known = dict_count(intake->options.products);
    doc->countries_known = dict_count(intake->options.countries);
    doc->lines = group->lines;
    if (!sha_digest(intake->sha, parts, group->refused ? 2 : 1, doc->content))
        return ord_fail(error, "SHA-256 failed for order %s", group->key);
    if (group->refused) {
        seal_refused(doc, group);
        return true;
    }
    if (!doc_reserve(doc, group->lines) || !mark_duplicates(intake, group))
        return ord_fail(error, "memory is short at order %s", group->key);
    if (intake->options.window_s != 0 &&
        recent_looks_twice(&intake->recent, group->key, group->customer, group->placed_at,
                           group->line, group->lines, intake->options.window_s))
        doc->flags |= ORDER_SUSPECT;
    memcpy(doc->line, group->line, group->lines * sizeof(*group->line));
    return true;
}

enum intake_result intake_next(struct intake *intake, struct doc *doc, struct ord_error *error)
{
    bool any = gather(intake);
    if (intake->starved) {
        *error = intake->broken_why;
        return INTAKE_BROKEN;
    }
    if (any) {
        if (intake->broken) { /* The lines of an order that was cut off may be missing. */
            struct group *last = &intake->group[(intake->first + intake->open - 1) % INTAKE_OPEN];
            refuse(last, REFUSAL_SPOILED, last->source_line, "the input breaks off within it");
        }
        return seal(intake, doc, error) ? INTAKE_DOC : INTAKE_BROKEN;
    }
    if (intake->broken) {
        *error = intake->broken_why;
        return INTAKE_BROKEN;
    }
    return INTAKE_END;
}
