/* A remoting node on real networks. */
#include "base/alloc.h"
#include "base/error.h"
#include "core/log.h"
#include "remote/address.h"
#include "remote/bridge.h"
#include "remote/far.h"
#include "remote/io.h"
#include "remote/tls.h"

#include <stdio.h>
#include <stdlib.h>

static void io_stop(struct tr_remote *remote)
{
    tri_io_destroy(remote->io_group);
    tri_tls_destroy(remote->tls);
    remote->io_group = NULL;
    remote->tls = NULL;
}

/* "host:port" of the port that it got; without a host, this machine as it calls itself to itself. */
static tr_err set_address(struct tr_remote *remote, const char *listen, const char *advertise,
                          uint16_t port, struct tr_error *error)
{
    char host[TRI_HOST_SIZE];
    char given[TRI_PORT_SIZE];
    char address[TRI_ADDRESS_SIZE];
    if (advertise) {
        if (!tri_address_split(advertise, host, given) || !host[0] || strcmp(given, "0") == 0)
            return tri_error_set(error, TR_EINVAL, 0,
                                 "advertise is '%s', want host:port, as others dial it", advertise);
        return tri_remote_set_address(remote, advertise);
    }
    if (!tri_address_split(listen, host, given))
        return tri_error_set(error, TR_EINVAL, 0, "listen is '%s', want host:port", listen);
    bool any = !host[0] || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (any)
        return tri_error_set(error, TR_EINVAL, 0,
                             "listen is '%s', which others cannot dial: say with advertise what "
                             "they are to dial",
                             listen);
    if (strcmp(host, "localhost") == 0) /* As protoactor-go has it. */
        snprintf(host, sizeof host, "127.0.0.1");
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    return tri_remote_set_address(remote, address);
}

static tr_err make_tls(struct tr_remote *remote, const struct tr_remote_tls *tls,
                       struct tr_error *error)
{
    if (!tls)
        return TR_OK;
    if (!tls->certificate_file || !tls->key_file || !tls->ca_file)
        return tri_error_set(error, TR_EINVAL, 0, "tls has no %s",
                             !tls->certificate_file ? "certificate_file"
                             : !tls->key_file       ? "key_file"
                                                    : "ca_file");
    struct tri_tls_config config = {.certificate_file = tls->certificate_file,
                                    .key_file = tls->key_file,
                                    .ca_file = tls->ca_file,
                                    .mutual = true};
    return tri_tls_create(&config, &remote->tls, error);
}

tr_err tr_remote_reload_tls(tr_remote *remote, struct tr_error *error)
{
    if (!remote->tls)
        return tri_error_set(error, TR_ENOTSUP, 0, "this node has no TLS, or has left");
    return tri_tls_reload(remote->tls, error);
}

static tr_err start_io(struct tr_remote *remote, const struct tr_remote_config *config,
                       struct tr_error *error)
{
    struct tri_io_config io = {.threads = remote->io_count,
                               .limits = {.message_max = remote->config.message_bytes,
                                          .stalled_ms = remote->config.lost_ms},
                               .tls = remote->tls,
                               .plaintext_anywhere = config->plaintext,
                               .acceptor = {tri_remote_accept, remote},
                               .thread_begins = tri_remote_io_begins,
                               .thread_ends = tri_remote_io_ends,
                               .self = remote};
    struct tri_io_group *group;
    tr_err err = tri_io_create(&io, &group, error);
    if (err)
        return err;
    remote->io_group = group;
    remote->io_stop = io_stop;
    /* Acquire pairs with the release in tri_remote_io_begins(). */
    while (tri_load(&remote->io_running, TRI_ACQUIRE) < remote->io_count)
        tri_thread_yield();
    for (unsigned i = 0; i < remote->io_count; i++) {
        if (!remote->io[i].ctx)
            return tri_error_set(error, TR_EFULL, 0, "no context left for I/O thread %u", i);
    }
    return TR_OK;
}

static tr_err listen_on(struct tr_remote *remote, const struct tr_remote_config *config,
                        struct tr_error *error)
{
    const char *listen = config->listen ? config->listen : "127.0.0.1:0";
    uint16_t port = 0;
    if (config->dial_only) {
        char address[TR_ADDRESS_SIZE_MAX + 1];
        snprintf(address, sizeof address, "$client/%s", remote->system_id);
        return tri_remote_set_address(remote, address);
    }
    /* Known before the first call comes, unless the system chooses the port. */
    char host[TRI_HOST_SIZE];
    char text[TRI_PORT_SIZE];
    bool chosen = tri_address_split(listen, host, text) && strcmp(text, "0") != 0;
    tr_err err = chosen || config->advertise ? set_address(remote, listen, config->advertise,
                                                           (uint16_t)strtoul(text, NULL, 10), error)
                                             : TR_OK;
    if (!err)
        err = tri_io_listen(remote->io_group, listen, &port, error);
    if (!err && !remote->address)
        err = set_address(remote, listen, NULL, port, error);
    if (!err)
        err = tri_bridge_check(remote, error);
    if (!err)
        tri_io_set_serving(remote->io_group, true);
    return err;
}

tr_err tr_remote_start(tr_system *sys, const struct tr_remote_config *config,
                       tr_remote **ret_remote, struct tr_error *error)
{
    static const struct tr_remote_config none;
    struct tr_remote *remote;
    if (!config)
        config = &none;
    tr_err err = tri_remote_create(sys, config, &remote, error);
    if (err)
        return err;
    err = make_tls(remote, config->tls, error);
    if (!err)
        err = start_io(remote, config, error);
    if (!err)
        err = listen_on(remote, config, error);
    if (err) { /* It stays with the system, as a node that has left. */
        (void)tr_remote_stop(remote, 0);
        return err;
    }
    *ret_remote = remote;
    return TR_OK;
}
