/* text.c - errors, numbers, money, time, hashing. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void write_error(struct ord_error *error, bool starved, const char *fmt, va_list args)
{
    if (!error)
        return;
    vsnprintf(error->text, sizeof(error->text), fmt, args);
    ord_scrub(error->text); /* It quotes input. */
    error->starved = starved;
}

bool ord_fail(struct ord_error *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_error(error, false, fmt, args);
    va_end(args);
    return false;
}

bool ord_starve(struct ord_error *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_error(error, true, fmt, args);
    va_end(args);
    return false;
}

void ord_scrub(char *text)
{
    size_t size = strlen(text), length;
    for (; size > 0; text += length, size -= length) {
        length = ord_utf8_length(text, size);
        bool control = (unsigned char)*text < 0x20 || *text == 0x7F ||
                       (length == 2 && (unsigned char)text[0] == 0xC2 &&
                        (unsigned char)text[1] < 0xA0); /* U+0080 … U+009F */
        if (length == 0)
            length = 1;
        else if (!control)
            continue;
        memset(text, '?', length);
    }
}

bool ord_parse_int(const char *text, size_t size, int64_t min, int64_t max, int64_t *ret_value)
{
    size_t i = 0;
    bool negative = size > 0 && text[0] == '-';
    if (size > 0 && (text[0] == '-' || text[0] == '+'))
        i = 1;
    if (i == size)
        return false;
    int64_t value = 0;
    for (; i < size; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
    }
    /* Gathered below zero, where there is room for one more than above. */
    if (!negative) {
        if (value == INT64_MIN)
            return false;
        value = -value;
    }
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool ord_parse_price(const char *text, size_t size, int64_t *ret_milli)
{
    size_t i = 0;
    bool negative = size > 0 && text[0] == '-';
    if (negative)
        i = 1;
    int64_t value = 0;
    unsigned digits = 0, places = 0;
    bool point = false;
    for (; i < size; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (digit > 9)
            return false;
        digits++;
        if (point && ++places > 3) {
            if (digit != 0)
                return false; /* A fourth place would be lost. */
            continue;
        }
        value = value * 10 + (int64_t)digit;
        if (value > ORD_PRICE_MAX)
            return false;
    }
    if (digits == 0)
        return false;
    for (; places < 3; places++)
        value *= 10;
    if (value > ORD_PRICE_MAX)
        return false;
    *ret_milli = negative ? -value : value;
    return true;
}

bool ord_parse_customer(const char *text, size_t size, uint32_t *ret_customer)
{
    if (size == 0) {
        *ret_customer = 0;
        return true;
    }
    if (size > 2 && text[size - 2] == '.' && text[size - 1] == '0')
        size -= 2;
    int64_t value;
    if (text[0] == '+' || !ord_parse_int(text, size, 1, UINT32_MAX, &value))
        return false;
    *ret_customer = (uint32_t)value;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant's days_from_civil). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int two_digits(const char *text)
{
    unsigned tens = (unsigned)(unsigned char)text[0] - '0';
    unsigned ones = (unsigned)(unsigned char)text[1] - '0';
    return tens > 9 || ones > 9 ? -1 : (int)(tens * 10 + ones);
}

bool ord_parse_time(const char *text, size_t size, int64_t *ret_seconds)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != 19 || text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' ||
        text[16] != ':')
        return false;
    int century = two_digits(text), year = two_digits(text + 2), month = two_digits(text + 5);
    int day = two_digits(text + 8), hour = two_digits(text + 11), minute = two_digits(text + 14);
    int second = two_digits(text + 17);
    if (century < 0 || year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    year += century * 100;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > month_days[month - 1] + (leap && month == 2))
        return false;
    *ret_seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

static void put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
}

void ord_time(char buffer[20], int64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    memcpy(buffer, "-", sizeof("-"));
    if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        return;
    memcpy(buffer, "0000-00-00 00:00:00", 20);
    put_two(buffer, (tm.tm_year + 1900) / 100);
    put_two(buffer + 2, (tm.tm_year + 1900) % 100);
    put_two(buffer + 5, tm.tm_mon + 1);
    put_two(buffer + 8, tm.tm_mday);
    put_two(buffer + 11, tm.tm_hour);
    put_two(buffer + 14, tm.tm_min);
    put_two(buffer + 17, tm.tm_sec);
}

int64_t ord_amount(int64_t quantity, int64_t price_milli)
{
    int64_t exact = quantity * price_milli;
    return (exact >= 0 ? exact + 5 : exact - 5) / 10;
}

char *ord_count(char *buffer, int64_t count)
{
    char digits[24];
    uint64_t magnitude = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)magnitude);
    char *out = buffer;
    if (count < 0)
        *out++ = '-';
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return buffer;
}

char *ord_money(char buffer[ORD_MONEY_SIZE], int64_t pence)
{
    char whole[32];
    uint64_t magnitude = pence < 0 ? 0 - (uint64_t)pence : (uint64_t)pence;
    ord_count(whole, (int64_t)(magnitude / 100));
    snprintf(buffer, ORD_MONEY_SIZE, "%s%s.%02u", pence < 0 ? "-" : "", whole,
             (unsigned)(magnitude % 100));
    return buffer;
}

/* RFC 3629. */
size_t ord_utf8_length(const char *bytes, size_t size)
{
    const unsigned char *text = (const unsigned char *)bytes;
    unsigned char first = text[0];
    size_t length = first < 0x80   ? 1
                    : first < 0xC2 ? 0
                    : first < 0xE0 ? 2
                    : first < 0xF0 ? 3
                    : first < 0xF5 ? 4
                                   : 0;
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if (length > 2) { /* overlong forms, surrogates, beyond U+10FFFF */
        unsigned char second = text[1];
        if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
            (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
            return 0;
    }
    return length;
}

bool ord_utf8_valid(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        uint64_t eight;
        if (size - i >= sizeof(eight)) { /* Nearly all text is ASCII: look at eight at once. */
            memcpy(&eight, text + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t length = ord_utf8_length(text + i, size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t ord_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(*state);
}

uint64_t ord_hash(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (size + 1));
    uint64_t word;
    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    memcpy(&word, bytes, size);
    return mix(hash ^ word);
}

uint64_t ord_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
