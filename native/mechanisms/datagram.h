// Sockets that keep the boundaries of messages: one call a message.
#pragma once

#include "../waiting.h"

extern const struct ways datagram_ways;

void datagram_send(struct channel *channel, char *message, size_t size);
void datagram_receive(struct channel *channel, char *message, size_t size);
void datagram_open_pair(struct pair *pair, int type); // Unix sockets of that type, made by socketpair
int64_t datagram_max_size(void); // of a Unix socket with the kernel's default buffer
