#include "mechanism.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"

static const struct mechanism *const all[] = {
	&pipe_mechanism,
	&unix_stream_mechanism,
	&unix_abstract_mechanism,
	&tcp_mechanism,
	&sysv_msg_mechanism,
	&posix_mq_mechanism,
	&memfd_futex_mechanism,
	&memfd_eventfd_mechanism,
	&test_corrupt_mechanism,
	&test_lossy_mechanism,
};

enum { COUNT = sizeof all / sizeof *all };

static bool shown(const struct mechanism *m)
{
	return !m->test_only || getenv("IPCTUNE_TEST_MECHANISMS");
}

const struct mechanism *mechanism_find(const char *name)
{
	for (int i = 0; i < COUNT; i++)
		if (shown(all[i]) && !strcmp(all[i]->name, name))
			return all[i];
	usage("--mechanism: '%s' is not known", name);
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
	json_bool("stream", true);
	print_patterns(m);
	json_optional("max_size", m->max_size ? m->max_size() : -1);
	json_open("options", '[');
	if (m->has_capacity)
		json_string(NULL, "capacity");
	json_close(']');
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
