/* node_command.h - `orders node`. */
#ifndef ORDERS_NODE_COMMAND_H
#define ORDERS_NODE_COMMAND_H

#include "cli.h"

/* Returns the exit code. */
int node_command(const struct cli *cli);

#endif
