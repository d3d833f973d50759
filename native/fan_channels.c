// What a fan sends, through what, and when.
#include <unistd.h>

#include "channel.h"
#include "fan.h"

// A descriptor is left out of the list when its message has come or gone; the others are taken before it is asked again.
struct channel *fan_channel(struct fan *f)
{
	struct side *side = f->side;

	if (f->epoll < 0)
		return &side->channel;
	while (f->ready_at == f->ready_count) {
		int n = epoll_wait(f->epoll, f->ready, PEERS_MAX, -1);

		side->channel.counts->syscalls++;
		if (n < 0 && errno != EINTR)
			channel_broken("epoll_wait", -1);
		f->ready_count = n > 0 ? n : 0;
		f->ready_at = 0;
	}
	return &side->channels[f->ready[f->ready_at++].data.u32];
}

static int watch_all(struct side *side)
{
	bool sends = side->index == DRIVER;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		refused("epoll_create1", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	for (int i = 0; i < side->options->peers; i++) {
		struct channel *channel = &side->channels[i];
		struct epoll_event event = {.events = sends ? EPOLLOUT : EPOLLIN, .data.u32 = (uint32_t)i};

		if (epoll_ctl(fd, EPOLL_CTL_ADD, sends ? channel->out : channel->in, &event))
			refused("epoll_ctl", errno == ENOSPC ? "fs.epoll.max_user_watches" : NULL);
	}
	return fd;
}

// Before the fork: so the pages of what is sent are there once, but for those that a producer writes its numbers to.
static char *body;

void fan_prepare(const struct options *o)
{
	body = payload_filled(o->size + PEERS_MAX * BODY_STEP, o->seed);
}

struct fan fan_begin(struct side *side)
{
	const struct options *o = side->options;
	struct fan f = {.side = side, .mechanism = side->pair->mechanism, .size = o->size, .epoll = -1};

	f.head = o->size < sizeof f.end ? o->size : sizeof f.end;
	f.end = (1ull << (8 * f.head - PEER_BITS)) - 1;
	f.body = body;
	if (o->pattern == FAN_OUT ? side->peer >= 0 : side->peer < 0)
		f.got = payload_buffer(o->size);
	if (side->peer < 0 && mechanism_sharing(f.mechanism, o) == CHANNEL_EACH)
		f.epoll = watch_all(side);
	return f;
}

int64_t fan_phase_ns(const struct options *o, enum phase which)
{
	static const int64_t short_ns[PHASES] = {[WARM_UP] = WARM_UP_NS, [SETTLE] = SETTLE_NS};

	return which == MEASURE ? (int64_t)(o->seconds * 1e9) : short_ns[which];
}

uint64_t fan_most(const struct options *o, enum phase which)
{
	static const uint64_t most[PHASES] = {[WARM_UP] = WARM_UP_MESSAGES, [SETTLE] = SETTLE_MESSAGES};
	uint64_t of_all = which == MEASURE ? UINT64_MAX : pace_few(o, most[which], fan_phase_ns(o, which));

	return o->pattern == FAN_IN ? of_all / (uint64_t)o->peers + 1 : of_all;
}

// The producers of a fan-in share the rate, and each has arrivals of its own.
struct pace fan_pace(const struct fan *f, unsigned sender, enum phase which)
{
	struct options own = *f->side->options;
	int64_t start = atomic_load(&f->side->shared->start_ns);

	if (own.pattern == FAN_IN)
		own.rate /= own.peers;
	return pace_begin(&own, (uint64_t)which + sender * PHASES, start, start + fan_phase_ns(&own, which));
}

_Noreturn void fan_changed(unsigned peer, uint64_t number)
{
	fail(EXIT_INTERNAL, "check", 0, NULL, "message %llu of peer %u came changed, twice, or out of order",
		(unsigned long long)number, peer);
}
