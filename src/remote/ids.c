/* Ids of local actors, and of protoactor-go's futures: remote/node.h. */
#include "core/names.h"
#include "remote/node.h"

/* protoactor-go's digits for ids, in their order. */
static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ~+";

#define FUTURE "future$"
#define FUTURE_SIZE 7u
/* A future's number with ten digits fits beside TRI_CALL_FUTURE. */
#define FUTURE_DIGITS_MAX 10u
#define PID_DIGITS 11u

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 36;
    return c == '~' ? 62 : c == '+' ? 63 : -1;
}

/* Digits without leading zeros; false if there is another character or too many of them. */
static bool read_number(const char *at, uint32_t size, uint32_t size_max, uint64_t *ret)
{
    uint64_t value = 0;
    if (size == 0 || size > size_max || at[0] == '0')
        return false;
    for (uint32_t i = 0; i < size; i++) {
        int digit = digit_of(at[i]);
        if (digit < 0)
            return false;
        value = value << 6 | (uint64_t)digit;
    }
    *ret = value;
    return true;
}

bool tri_number_read(const char *at, uint32_t size, uint64_t *ret)
{
    return read_number(at, size, PID_DIGITS, ret);
}

uint32_t tri_number_write(uint64_t value, char *out)
{
    char reversed[PID_DIGITS];
    uint32_t size = 0;
    do {
        reversed[size++] = digits[value & 63];
        value >>= 6;
    } while (value);
    for (uint32_t i = 0; i < size; i++)
        out[i] = reversed[size - 1 - i];
    return size;
}

uint32_t tri_id_of(struct tr_ctx *ctx, tr_pid pid, char text[TRI_ID_SIZE_MAX + 1])
{
    uint32_t size = (uint32_t)tri_names_of(ctx->sys->names, pid, text, TRI_ID_SIZE_MAX + 1);
    if (size == 0) {
        text[0] = '$';
        size = 1 + tri_number_write(pid.bits, text + 1);
    }
    text[size] = '\0';
    return size;
}

tr_pid tri_id_find(struct tr_ctx *ctx, struct tri_name id)
{
    char text[TRI_ID_SIZE_MAX + 1];
    if (id.size == 0 || id.size > TRI_ID_SIZE_MAX)
        return TR_NOBODY;
    memcpy(text, id.at, id.size);
    text[id.size] = '\0';
    tr_pid pid = tri_names_find(ctx->sys->names, text);
    if (!tr_pid_is_nobody(pid) || text[0] != '$')
        return pid;
    /* Other nodes' actors are not for others to reach through us. */
    if (!read_number(text + 1, id.size - 1, PID_DIGITS, &pid.bits) || tri_pid_remote(pid) ||
        !tri_pid_cell(&ctx->sys->slots, pid))
        return TR_NOBODY;
    return pid;
}

bool tri_future_number(struct tri_name id, uint64_t *ret_number)
{
    return id.size > FUTURE_SIZE && memcmp(id.at, FUTURE, FUTURE_SIZE) == 0 &&
           read_number(id.at + FUTURE_SIZE, id.size - FUTURE_SIZE, FUTURE_DIGITS_MAX, ret_number);
}

uint32_t tri_future_id(uint64_t number, char text[TRI_ID_SIZE_MAX + 1])
{
    memcpy(text, FUTURE, FUTURE_SIZE);
    uint32_t size = FUTURE_SIZE + tri_number_write(number, text + FUTURE_SIZE);
    text[size] = '\0';
    return size;
}
