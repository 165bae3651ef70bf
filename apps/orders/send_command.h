/* send_command.h - `orders send`. */
#ifndef ORDERS_SEND_COMMAND_H
#define ORDERS_SEND_COMMAND_H

#include "cli.h"

/* Returns the exit code. */
int send_command(const struct cli *cli);

#endif
