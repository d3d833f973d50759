#include "mechanism.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"

static const struct mechanism *const all[] = {
	&pipe_mechanism,
	&fifo_mechanism,
	&unix_stream_mechanism,
	&unix_abstract_mechanism,
	&unix_path_mechanism,
	&unix_dgram_mechanism,
	&unix_seqpacket_mechanism,
	&tcp_mechanism,
	&udp_mechanism,
	&sysv_msg_mechanism,
	&posix_mq_mechanism,
	&memfd_futex_mechanism,
	&memfd_eventfd_mechanism,
	&vmsplice_mechanism,
	&splice_mechanism,
	&tee_mechanism,
	&sendfile_mechanism,
	&copy_file_range_mechanism,
	&tcp_zerocopy_mechanism,
	&io_uring_mechanism,
	&memfd_spin_mechanism,
	&memfd_spin_futex_mechanism,
	&memfd_mutex_cond_mechanism,
	&memfd_signal_mechanism,
	&sysv_shm_futex_mechanism,
	&sysv_shm_sem_mechanism,
	&sysv_shm_posix_sem_mechanism,
	&process_vm_readv_mechanism,
	&test_corrupt_mechanism,
};

enum { COUNT = sizeof all / sizeof *all };

static bool shown(const struct mechanism *m)
{
	return !m->test_only || getenv("IPCTUNE_TEST_MECHANISMS");
}

static const struct ways only_blocking = {.waits = 1 << WAIT_BLOCK};

static const struct ways *ways_of(const struct mechanism *m)
{
	return m->ways ? m->ways : &only_blocking;
}

const struct mechanism *mechanism_named(const char *name)
{
	for (int i = 0; i < COUNT; i++)
		if (shown(all[i]) && !strcmp(all[i]->name, name))
			return all[i];
	usage("--mechanism: '%s' is not known", name);
}

static void refuse_what_it_lacks(const struct mechanism *m, const struct options *o)
{
	const struct ways *ways = ways_of(m);

	if (!(ways->waits >> o->wait & 1))
		usage("--wait: %s can't do '%s'", m->name, wait_names[o->wait]);
	if (o->write_size && !ways->send_pieces)
		usage("--write-size: %s hands a message over whole", m->name);
	if (o->batch > 1 && !ways->send_batch)
		usage("--batch: %s has no call for several messages", m->name);
	if (o->noerror && !ways->receive_noerror)
		usage("--noerror: %s has no such flag", m->name);
	if (m->lost && o->pattern == STREAM && !(o->rate > 0))
		usage("--pattern stream: as fast as it goes %s loses messages; it takes --rate", m->name);
}

const struct mechanism *mechanism_find(const struct options *o)
{
	static struct mechanism chosen;
	const struct mechanism *m = mechanism_named(o->mechanism);
	const struct ways *ways = ways_of(m);

	refuse_what_it_lacks(m, o);
	chosen = *m;
	if (o->write_size)
		chosen.send = ways->send_pieces;
	if (o->noerror)
		chosen.receive = ways->receive_noerror;
	if (o->wait != WAIT_BLOCK) {
		chosen.send = ways->try_send;
		chosen.receive = ways->try_receive;
	}
	if (o->wait == WAIT_RETRY)
		chosen.counts_blocked = true;
	return &chosen;
}

_Noreturn void mechanism_lost(const struct options *o, uint64_t count)
{
	fail(EXIT_REFUSED, "recv", ENOBUFS, o->capacity ? "net.core.rmem_max" : "net.core.rmem_default",
		"%llu %s lost: the receive buffer was full", (unsigned long long)count, count == 1 ? "message was" : "messages were");
}

static void print_options(const struct mechanism *m)
{
	const struct ways *ways = ways_of(m);

	json_open("options", '[');
	if (m->has_capacity)
		json_string(NULL, "capacity");
	if (ways->waits != only_blocking.waits)
		json_string(NULL, "wait");
	if (ways->send_pieces)
		json_string(NULL, "write-size");
	if (ways->send_batch)
		json_string(NULL, "batch");
	if (ways->receive_noerror)
		json_string(NULL, "noerror");
	if (m->has_ring) {
		json_string(NULL, "pages");
		json_string(NULL, "slots");
	}
	if (m->has_spin)
		json_string(NULL, "spin");
	json_close(']');
	json_open("waits", '[');
	for (int i = 0; i < WAITS; i++)
		if (ways->waits >> i & 1)
			json_string(NULL, wait_names[i]);
	json_close(']');
}

bool mechanism_has(const struct mechanism *m, enum pattern pattern)
{
	switch (pattern) {
	case BURST:
		return m->nonblocking;
	case FAN_IN:
	case FAN_OUT:
		return m->pollable || m->shared_most;
	case CONNECT:
		return m->connections;
	default:
		return true;
	}
}

enum sharing mechanism_sharing(const struct mechanism *m, const struct options *o)
{
	if (!is_fan(o->pattern))
		return NO_SHARING;
	return o->size <= m->shared_most ? ONE_CHANNEL : CHANNEL_EACH;
}

static void print_patterns(const struct mechanism *m)
{
	json_open("patterns", '[');
	for (int i = 0; i < PATTERNS; i++)
		if (mechanism_has(m, (enum pattern)i))
			json_string(NULL, pattern_names[i]);
	json_close(']');
}

static void print_one(const struct mechanism *m)
{
	json_open(NULL, '{');
	json_string("name", m->name);
	json_string("summary", m->summary);
	json_string("manual", m->manual);
	json_bool("stream", !m->lost);
	print_patterns(m);
	json_optional("max_size", m->max_size ? m->max_size() : -1);
	print_options(m);
	json_close('}');
}

void mechanisms_print(void)
{
	json_open(NULL, '{');
	json_open("mechanisms", '[');
	for (int i = 0; i < COUNT; i++)
		if (shown(all[i]))
			print_one(all[i]);
	json_close(']');
	json_close('}');
	json_end();
}
