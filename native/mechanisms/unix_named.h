// A Unix stream connection through a listening socket that has a name.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "../channel.h"

// For the pattern `connect`: one that listens, before the fork, and a connection to it.
int unix_named_listen(struct pair *pair, const struct sockaddr_un *at, socklen_t length);
int unix_named_connect(const struct pair *pair, const struct sockaddr_un *at, socklen_t length, struct side_counts *counts);
void unix_named_open(struct pair *pair, const struct sockaddr_un *at, socklen_t length);
