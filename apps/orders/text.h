/* text.h - small things every part of the order system uses: errors as sentences, numbers. */
#ifndef ORDERS_TEXT_H
#define ORDERS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why something failed: one sentence that names the offending value. Owned by the caller. */
struct ord_error {
    char text[384];
    bool starved; /* memory was short: nothing is wrong with what was asked for */
};

/* Writes the sentence and returns false, so that a check reads `return ord_fail(error, …)`. */
bool ord_fail(struct ord_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same where memory is short and the caller must tell that from nonsense. */
bool ord_starve(struct ord_error *error, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Replaces, in place, what must not reach a terminal or a text column: control characters and
 * bytes that are no UTF-8, such as a character that was cut in two. */
void ord_scrub(char *text);

/* Money is pence, prices are thousandths of a pound: never a float. */
#define ORD_QUANTITY_MAX 10000000
#define ORD_PRICE_MAX INT64_C(10000000000) /* 10,000,000.000 pounds */

/* Whole numbers: optional sign, digits, nothing else, within min … max. */
bool ord_parse_int(const char *text, size_t size, int64_t min, int64_t max, int64_t *ret_value);
/* Decimal numbers with at most three places, in thousandths, within ±ORD_PRICE_MAX. */
bool ord_parse_price(const char *text, size_t size, int64_t *ret_milli);
/* "17850", "17850.0" or nothing (0), up to 4,294,967,295. */
bool ord_parse_customer(const char *text, size_t size, uint32_t *ret_customer);
/* "2010-12-01 08:26:00" as seconds since 1970-01-01 00:00:00 in the file's own local time. */
bool ord_parse_time(const char *text, size_t size, int64_t *ret_seconds);

/* quantity × price in pence, halves away from zero; |quantity| and |price| within their bounds. */
int64_t ord_amount(int64_t quantity, int64_t price_milli);

/* Writes pence as "-1,234.56"; returns buffer. */
#define ORD_MONEY_SIZE 40
char *ord_money(char buffer[ORD_MONEY_SIZE], int64_t pence);
/* Writes a count with thousands separators (up to 27 bytes); returns buffer. */
char *ord_count(char *buffer, int64_t count);
/* Writes seconds as "2010-12-01 08:26:00" (19 characters and a NUL); "-" beyond four digits. */
void ord_time(char buffer[20], int64_t seconds);

bool ord_utf8_valid(const char *text, size_t size);
/* Bytes of the character that bytes[0] begins; 0: none, or not a valid one. size is not 0. */
size_t ord_utf8_length(const char *bytes, size_t size);

/* 64-bit mixing of a seed with bytes: for tables and for the seeded provider, not for secrets. */
uint64_t ord_hash(uint64_t seed, const void *data, size_t size);
/* The next of a splitmix64 sequence. */
uint64_t ord_random(uint64_t *state);

uint64_t ord_now_ns(void);

#endif
