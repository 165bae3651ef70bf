/* remote/address.h - "host:port" texts and socket addresses. Any thread; no look-ups. */
#ifndef TROUPE_REMOTE_ADDRESS_H
#define TROUPE_REMOTE_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TRI_HOST_SIZE 256u    /* a DNS name has at most 253 bytes */
#define TRI_PORT_SIZE 6u      /* "65535" */
#define TRI_ADDRESS_SIZE 280u /* a text of host and port */

struct tri_address {
    struct sockaddr_storage at;
    socklen_t size;
};

/* Splits "host:port" or "[v6]:port". False: not of that form, or a part is too long. An empty host
 * is allowed: every address of this machine. */
bool tri_address_split(const char *text, char host[TRI_HOST_SIZE], char port[TRI_PORT_SIZE]);

/* From digits alone; false for names. An empty host gives the IPv6 address that takes IPv4, too. */
bool tri_address_numeric(const char *host, const char *port, struct tri_address *ret_address);

/* "127.0.0.1:80" or "[::1]:80"; an IPv4 address mapped into IPv6 is written as what it is. */
void tri_address_text(const struct tri_address *address, char text[TRI_ADDRESS_SIZE]);

bool tri_address_loopback(const struct tri_address *address);
uint16_t tri_address_port(const struct tri_address *address);

/* What counts as one address for limits: the IPv4 address, or the upper 64 bits of an IPv6 one,
 * which is what one customer gets. */
uint64_t tri_address_key(const struct tri_address *address);

#endif
