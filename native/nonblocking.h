// Calls on descriptors that never wait, for bursts: pipes and sockets alike.
#pragma once

#include "mechanism.h"

extern const struct nonblocking descriptor_nonblocking;
extern const struct nonblocking datagram_nonblocking; // the kernel may drop what it has taken

void nonblocking_begin(struct channel *channel); // O_NONBLOCK on its descriptors
int nonblocking_send(struct channel *channel, char *message, size_t size, size_t *done);
int nonblocking_receive(struct channel *channel, char *message, size_t size, size_t *done);
bool nonblocking_full(int number); // does this errno say that there is no room, or nothing there, for now?
