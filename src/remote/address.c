/* address.c - "host:port" texts and socket addresses. */
#include "remote/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tri_address_split(const char *text, char host[TRI_HOST_SIZE], char port[TRI_PORT_SIZE])
{
    const char *colon = strrchr(text, ':'), *from = text, *to = colon;
    if (!colon)
        return false;
    if (text[0] == '[') {
        if (colon == text || colon[-1] != ']')
            return false;
        from++;
        to--;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return false; /* An IPv6 address without brackets: where would its port begin? */
    }
    size_t host_size = (size_t)(to - from), digits = strlen(colon + 1);
    if (host_size >= TRI_HOST_SIZE || digits == 0 || digits >= TRI_PORT_SIZE ||
        strspn(colon + 1, "0123456789") != digits || strtoul(colon + 1, NULL, 10) > 65535)
        return false;
    memcpy(host, from, host_size);
    host[host_size] = '\0';
    memcpy(port, colon + 1, digits + 1);
    return true;
}

bool tri_address_numeric(const char *host, const char *port, struct tri_address *ret_address)
{
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = number};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = number};
    struct tri_address address = {.size = 0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&address.at, &v4, sizeof v4);
        address.size = sizeof v4;
    } else if (inet_pton(AF_INET6, host[0] ? host : "::", &v6.sin6_addr) == 1) {
        memcpy(&address.at, &v6, sizeof v6);
        address.size = sizeof v6;
    } else {
        return false;
    }
    *ret_address = address;
    return true;
}

/* IPv4 in IPv6 as the former. */
static struct tri_address plain(const struct tri_address *address)
{
    struct sockaddr_in6 v6;
    if (address->at.ss_family != AF_INET6)
        return *address;
    memcpy(&v6, &address->at, sizeof v6);
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return *address;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6.sin6_port};
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
    struct tri_address result = {.size = sizeof v4};
    memcpy(&result.at, &v4, sizeof v4);
    return result;
}

void tri_address_text(const struct tri_address *address, char text[TRI_ADDRESS_SIZE])
{
    struct tri_address from = plain(address);
    char host[INET6_ADDRSTRLEN] = "?";
    if (from.at.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &from.at, sizeof v4);
        (void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        (void)snprintf(text, TRI_ADDRESS_SIZE, "%s:%u", host, ntohs(v4.sin_port));
    } else if (from.at.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &from.at, sizeof v6);
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        (void)snprintf(text, TRI_ADDRESS_SIZE, "[%s]:%u", host, ntohs(v6.sin6_port));
    } else {
        (void)snprintf(text, TRI_ADDRESS_SIZE, "?");
    }
}

bool tri_address_loopback(const struct tri_address *address)
{
    struct tri_address from = plain(address);
    if (from.at.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &from.at, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, &from.at, sizeof v6);
    return from.at.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

uint16_t tri_address_port(const struct tri_address *address)
{
    struct sockaddr_in6 v6; /* The port is at the same place in both. */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "one place for both ports");
    memcpy(&v6, &address->at, sizeof v6);
    return ntohs(v6.sin6_port);
}

uint64_t tri_address_key(const struct tri_address *address)
{
    struct tri_address from = plain(address);
    uint64_t key = 0;
    if (from.at.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &from.at, sizeof v4);
        return v4.sin_addr.s_addr;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, &from.at, sizeof v6);
    memcpy(&key, v6.sin6_addr.s6_addr, sizeof key);
    return key ^ (uint64_t)1 << 63; /* Not taken for an IPv4 address. */
}
