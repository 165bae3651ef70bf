/* fuzz_numbers.c - numbers, prices, customers, dates, against the C library and against writing
 * them again. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

static void check_int(const char *text, size_t size)
{
    int64_t value = 77;
    bool good = ord_parse_int(text, size, INT64_MIN, INT64_MAX, &value);
    char *end;
    errno = 0;
    long long expected = strtoll(text, &end, 10);
    bool digits = size > 0 && isdigit((unsigned char)text[size - 1]) &&
                  !isspace((unsigned char)text[0]);
    HOLDS(good == (digits && end == text + size && errno == 0));
    HOLDS(value == (good ? expected : 77)); /* untouched on failure */
    HOLDS(!ord_parse_int(text, size, 1, 0, &value));
    if (good && value > INT64_MIN)
        HOLDS(!ord_parse_int(text, size, INT64_MIN, value - 1, &value));
}

static void check_price(const char *text, size_t size)
{
    int64_t milli = 77;
    if (!ord_parse_price(text, size, &milli)) {
        HOLDS(milli == 77);
        return;
    }
    HOLDS(milli <= ORD_PRICE_MAX && milli >= -ORD_PRICE_MAX);
    char again[64];
    int64_t size_of = milli < 0 ? -milli : milli;
    int n = snprintf(again, sizeof(again), "%s%lld.%03lld", milli < 0 ? "-" : "",
                     (long long)(size_of / 1000), (long long)(size_of % 1000));
    int64_t value = 0;
    HOLDS(ord_parse_price(again, (size_t)n, &value) && value == milli);
    char *end;
    double close = strtod(text, &end) * 1000; /* 10^10 thousandths are exact to less than 1/1000 */
    HOLDS(end == text + size && close - (double)milli < 0.01 && (double)milli - close < 0.01);
}

static void check_customer(const char *text, size_t size)
{
    uint32_t customer = 77;
    if (!ord_parse_customer(text, size, &customer)) {
        HOLDS(customer == 77);
        return;
    }
    HOLDS((customer == 0) == (size == 0));
    HOLDS(size == 0 || (strtoull(text, NULL, 10) == customer && isdigit((unsigned char)text[0])));
}

static void check_time(const char *text, size_t size)
{
    int64_t seconds = 77;
    struct tm tm = {0};
    if (!ord_parse_time(text, size, &seconds)) {
        HOLDS(seconds == 77);
        return;
    }
    char again[20];
    ord_time(again, seconds);
    HOLDS(size == 19);
    HOLDS(memcmp(again, text, 20) == 0);
    char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    HOLDS(end == text + 19 && timegm(&tm) == seconds);
}

static void check_amount(const uint8_t *data, size_t size)
{
    int64_t numbers[2];
    char buffer[ORD_MONEY_SIZE];
    if (size < sizeof(numbers))
        return;
    memcpy(numbers, data, sizeof(numbers));
    HOLDS(strlen(ord_money(buffer, numbers[0])) < ORD_MONEY_SIZE);
    HOLDS(strlen(ord_count(buffer, numbers[0])) < ORD_MONEY_SIZE);
    int64_t quantity = numbers[0] % (ORD_QUANTITY_MAX + 1);
    int64_t price = numbers[1] % (ORD_PRICE_MAX + 1);
    int64_t pence = ord_amount(quantity, price), rest = quantity * price - pence * 10;
    HOLDS(rest >= -5 && rest <= 5 && ord_amount(-quantity, price) == -pence);
    HOLDS((rest != 5 || pence < 0) && (rest != -5 || pence > 0)); /* halves go away from zero */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512]; /* a NUL after it for the C library; none within it */
    if (size >= sizeof(text))
        return 0;
    check_amount(data, size);
    memcpy(text, data, size);
    text[size] = '\0';
    if (strlen(text) != size)
        return 0;
    check_int(text, size);
    check_price(text, size);
    check_customer(text, size);
    check_time(text, size);
    return 0;
}
