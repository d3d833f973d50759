// Many processes on one side, one on the other: the hub, which also leads them from phase to phase.
#pragma once

#include <sys/epoll.h>

#include "gate.h"
#include "pace.h"
#include "payload.h"

// A message begins with the number of its peer (who sent it, or whom a channel of its own is for) in 6 bits and its own
// number in what is left of 64 bits, or of the message where that is shorter: 2 bits of one byte. The highest number
// says that the sender has no more in this phase.
enum { PEER_BITS = 6, PEER_MASK = (1 << PEER_BITS) - 1, BODY_STEP = 64, LOOK_AT_CLOCK_EVERY = 32, BIG = 65536 };

struct fan {
	struct side *side;
	const struct mechanism *mechanism;
	size_t size, head; // bytes of a message, and of them with peer and number
	uint64_t end; // the highest number
	char *body; // what peers send differs: the message of each starts a step later
	char *got; // NULL: it receives nothing
	uint64_t sent, sum; // producer of a fan-out: messages of the phase, and their numbers added up
	int epoll; // of a hub that has a channel for each peer; -1: there is one for all
	int ready_count, ready_at;
	struct epoll_event ready[PEERS_MAX];
};

struct fan_word {
	unsigned peer;
	uint64_t number;
};

static inline uint64_t fan_next(const struct fan *f, uint64_t number)
{
	return number + 1 == f->end ? 0 : number + 1;
}

static inline void fan_send(struct fan *f, struct channel *channel, char *message, unsigned peer, uint64_t number)
{
	payload_number(message, f->size, peer | number << PEER_BITS);
	f->mechanism->send(channel, message, f->size);
}

static inline struct fan_word fan_receive(struct fan *f, struct channel *channel)
{
	uint64_t word = 0;

	f->mechanism->receive(channel, f->got, f->size);
	memcpy(&word, f->got, f->head);
	word = le64toh(word);
	return (struct fan_word){word & PEER_MASK, word >> PEER_BITS};
}

// Of the body: peer and number are looked at by whoever knows what they should be.
static inline int fan_differs(const struct fan *f, unsigned sender)
{
	return memcmp(f->got + f->head, f->body + sender * BODY_STEP + f->head, f->size - f->head);
}

static inline bool fan_goes_on(const struct fan *f, const struct pace *pace, uint64_t sent, uint64_t most, int64_t until_ns)
{
	if (sent >= most || !pace_more(pace))
		return false;
	if (sent % LOOK_AT_CLOCK_EVERY && f->size < BIG && pace->kind != AFTER_WORK)
		return true;
	return now_ns() < until_ns;
}

struct fan fan_begin(struct side *side);
struct channel *fan_channel(struct fan *fan); // a hub's next one that is ready
int64_t fan_phase_ns(const struct options *options, enum phase which);
uint64_t fan_most(const struct options *options, enum phase which); // messages that one producer sends
struct pace fan_pace(const struct fan *fan, unsigned sender, enum phase which); // since the start of the phase
_Noreturn void fan_changed(unsigned peer, uint64_t number);

void fan_in_produce(struct fan *fan, enum phase which);
void fan_in_consume(struct fan *fan, enum phase which);
void fan_out_produce(struct fan *fan, enum phase which);
void fan_out_consume(struct fan *fan, enum phase which);
void fan_out_check(const struct fan *fan); // of the producer, when all have come to the end of a phase
