/*
 * place.h - the three nodes of the order system on a simulated network, each with a machine and a
 * disk of its own: the real roles, desks and databases, over the real associations and envelopes.
 */
#ifndef SIM_PIPELINE_PLACE_H
#define SIM_PIPELINE_PLACE_H

#include "../orders/disk.h"
#include "../orders/oracle.h"

#include "nodes/parts.h"
#include "sim/nodes/net.h"

#define KEYS_MAX 128
#define PLACE_ROLES 3u

/* A node: a process while it is up. Its number on the network is its role - 1, its machine's is its
 * role. */
struct station {
    enum node_role role;
    struct node_options options;
    struct tr_remote_config remote;
    struct parts parts;
    struct ord_error error;
    char path[32];
    bool up;
    bool excused;   /* something was made to fail that may end it */
    bool ill;       /* … and may be before it still */
    bool forgetful; /* a sync may fail: the page cache then holds what the disk never will, and only
                        another start of the machine shows what is there */
    bool power_lost; /* it is down, and so was its machine */
    /* The gateway's: */
    char *text;
    size_t size, at;
    bool all_taken;
};

struct place {
    uint64_t seed;
    struct tri_net *net;
    struct tri_prng past; /* the history's chance */
    struct host host;
    struct history history;
    struct world world;
    struct oracle oracle;
    struct station station[ROLE_COUNT];
    uint32_t credit; /* orders that the gateway may take in now */
    char acknowledged[KEYS_MAX][16];
    unsigned acknowledged_count;
    unsigned boots, deaths;
    uint64_t changes; /* of all disks, by runs that have ended */
    char why[512];    /* the first thing that is wrong; "": nothing is */
};
extern struct place place;

/* Once. */
void place_install(void);
void place_begin(uint64_t seed, bool trace);
void place_end(void);

__attribute__((format(printf, 1, 2))) void place_wrong(const char *fmt, ...);
uint32_t place_chance(uint32_t bound);

/* What a disk does wrong. */
struct ailment {
    enum disk_fault what;
    unsigned at, count;
};
/* Starts a node that is down, on a disk with that ailment (NULL: none). */
void place_boot(enum node_role role, const struct ailment *ailment);
/* Handlers of a node that is up fail, and its messages are late. */
void place_confuse(enum node_role role, unsigned fail_permille, unsigned late_permille);
/* No allocation fails any more, no handler, and no message is late. */
void place_calm(void);
/* Lets an allocation fail, whosesoever that is. */
void place_starve(bool sqlite, unsigned after);
/* Ends it at once; with its machine or not. */
void place_kill(enum node_role role, bool power);
/* Ends it as SIGTERM does. */
void place_leave(enum node_role role);
/* So much time goes by. What ends by itself meanwhile is down afterwards. */
void place_run(uint64_t ns);

/* Has every order come to its end, and does everybody know that everybody knows? */
bool place_at_rest(char *ret_why, size_t size);
/* After the end of all nodes: the three databases against the oracle, and audited. */
void place_check(void);

#endif
