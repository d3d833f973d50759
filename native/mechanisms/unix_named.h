// A Unix stream connection through a listening socket that has a name.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "../channel.h"

void unix_named_open(struct pair *pair, const struct sockaddr_un *at, socklen_t length);
