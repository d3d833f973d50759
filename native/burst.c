// The producer outruns the consumer: so many messages at once, none of them waited for, while the consumer sleeps; then
// it drains what was taken. It tells how much a mechanism holds, what it says when it is full, and whether it loses.
#include <poll.h>
#include <unistd.h>

#include "channel.h"
#include "gate.h"
#include "pace.h"
#include "payload.h"

enum { WARM_UP_BURST = 1000 };

// Loopback delivers within the sender's call, or soon after it on a busy vCPU; what is later still belongs to the next
// burst, and after the last one we are more patient.
enum { LATE_MS = 2, LATEST_NS = 50000000, NEVER_MS = 10000 };

struct burst {
	struct side *side;
	const struct nonblocking *calls;
	size_t size;
	char *message, *got;
	uint64_t number; // of the next message: that of one that was refused is used again
	size_t done; // bytes of the present message that went
	uint64_t missing; // consumer: numbers that were passed over
};

static struct burst burst_begin(struct side *side)
{
	const struct options *o = side->options;
	struct burst b = {.side = side, .calls = side->pair->mechanism->nonblocking, .size = o->size};

	b.message = payload_filled(o->size, o->seed);
	b.got = payload_buffer(o->size);
	if (b.calls->begin)
		b.calls->begin(&side->channel);
	return b;
}

static bool send_on(struct burst *b, struct tally *tally)
{
	int why = b->calls->send(&b->side->channel, b->message, b->size, &b->done);

	if (!why) {
		b->done = 0;
		b->number++;
		return true;
	}
	if (!tally->number)
		tally->number = why;
	return false;
}

// A byte stream may have taken a part of the message before: nothing else can go until the rest has gone. True: it has.
static void offer(struct burst *b, struct tally *tally, uint64_t *whole)
{
	tally->offered++;
	if (b->done && send_on(b, tally))
		++*whole;
	if (b->done) {
		tally->refused++;
		return;
	}
	payload_number(b->message, b->size, b->number);
	if (send_on(b, tally)) {
		++*whole;
		tally->accepted++;
		return;
	}
	tally->accepted += b->done > 0;
	tally->refused += !b->done;
}

static void offer_all(struct burst *b, struct tally *tally, int count)
{
	int64_t work_ns = b->side->options->work_ns[DRIVER];
	uint64_t whole = 0;

	for (int i = 0; i < count; i++) {
		if (work_ns)
			compute(work_ns);
		offer(b, tally, &whole);
	}
	tally->bursts++;
	tally->partial += b->done > 0;
	if (whole > tally->fits)
		tally->fits = whole;
}

// Only byte streams take a message in part, and their descriptors can be waited for.
static void send_rest(struct burst *b, struct tally *tally)
{
	while (b->done) {
		struct pollfd fd = {.fd = b->side->channel.out, .events = POLLOUT};

		b->side->channel.counts->syscalls++;
		if (poll(&fd, 1, -1) < 0 && errno != EINTR)
			channel_broken("poll", -1);
		send_on(b, tally);
	}
}

static void one_burst(struct burst *b, struct tally *tally, int count)
{
	struct shared *shared = b->side->shared;

	offer_all(b, tally, count);
	shared->accepted = b->number + (b->done > 0);
	gate_raise(&shared->over);
	send_rest(b, tally);
	gate_await(&shared->emptied, atomic_load(&shared->over));
}

static void measure(struct burst *b, struct tally *tally)
{
	struct shared *shared = b->side->shared;
	struct results *results = &shared->results;
	uint64_t before = shared->received;
	int64_t until_ns;

	results->start_ns = now_ns();
	until_ns = results->start_ns + (int64_t)(b->side->options->seconds * 1e9);
	do
		one_burst(b, tally, b->side->options->burst);
	while (now_ns() < until_ns);
	results->stop_ns = atomic_load(&shared->drained_ns);
	side_read_counters(b->side, results->end);
	if (shared->received < shared->accepted) { // lost, or very late
		sleep_until(now_ns() + LATEST_NS);
		one_burst(b, &(struct tally){0}, 0);
	}
	tally->received = results->messages = shared->received - before;
	results->burst = *tally;
}

void burst_producer(struct side *side)
{
	struct burst b = burst_begin(side);
	struct tally unmeasured = {0}, tally = {0};

	one_burst(&b, &unmeasured, side->options->burst < WARM_UP_BURST ? side->options->burst : WARM_UP_BURST);
	side_meet_supervisor(side);
	side_read_counters(side, side->shared->results.begin);
	measure(&b, &tally);
	side_meet_supervisor(side);
	atomic_store(&side->shared->stop, 1);
	gate_raise(&side->shared->over); // lets the consumer go
}

// What a short message has of its number is compared; what is passed over was lost, if it may be.
static void check(struct burst *b)
{
	uint64_t came = 0, mask = b->size < sizeof came ? (1ull << 8 * b->size) - 1 : UINT64_MAX, passed;

	memcpy(&came, b->got, b->size < sizeof came ? b->size : sizeof came);
	passed = (le64toh(came) - b->number) & mask;
	if (b->calls->may_lose && passed < b->side->shared->accepted - b->number) {
		b->missing += passed;
		b->number += passed;
	}
	payload_number(b->message, b->size, b->number);
	if (memcmp(b->message, b->got, b->size))
		fail(EXIT_INTERNAL, "check", 0, NULL, "message %llu came changed", (unsigned long long)b->number);
	b->number++;
}

// Is there more to come? What is in memory or in a queue is there at once; a byte stream may be on its way.
static bool more_comes(struct burst *b)
{
	struct pollfd fd = {.fd = b->side->channel.in, .events = POLLIN};
	int ready;

	if (!b->calls->polled)
		return false;
	b->side->channel.counts->syscalls++;
	ready = poll(&fd, 1, b->calls->may_lose ? LATE_MS : NEVER_MS);
	return ready > 0 || (ready < 0 && errno == EINTR);
}

static void drain(struct burst *b)
{
	struct shared *shared = b->side->shared;
	int64_t work_ns = b->side->options->work_ns[ANSWERER];

	while (b->number < shared->accepted) {
		if (b->calls->receive(&b->side->channel, b->got, b->size, &b->done)) {
			if (!more_comes(b))
				break;
			continue;
		}
		b->done = 0;
		check(b);
		atomic_store(&shared->drained_ns, now_ns());
		if (work_ns)
			compute(work_ns);
	}
	shared->received = b->number - b->missing;
	if (b->number < shared->accepted && !b->calls->may_lose)
		fail(EXIT_INTERNAL, "check", 0, NULL, "%llu messages never came", (unsigned long long)(shared->accepted - b->number));
}

void burst_consumer(struct side *side)
{
	struct burst b = burst_begin(side);

	for (uint32_t over = 1;; over++) {
		gate_await(&side->shared->over, over);
		if (atomic_load(&side->shared->stop))
			return;
		drain(&b);
		gate_raise(&side->shared->emptied);
	}
}
