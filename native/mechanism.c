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

const struct mechanism *mechanism_find(const char *name)
{
	for (int i = 0; i < COUNT; i++)
		if (shown(all[i]) && !strcmp(all[i]->name, name))
			return all[i];
	usage("--mechanism: '%s' is not known", name);
}

static void print_one(const struct mechanism *m)
{
	json_open(NULL, '{');
	json_string("name", m->name);
	json_string("summary", m->summary);
	json_string("manual", m->manual);
	json_bool("stream", true);
	json_optional("max_size", m->max_size ? m->max_size() : -1);
	json_open("options", '[');
	if (m->has_capacity)
		json_string(NULL, "capacity");
	if (m->has_ring) {
		json_string(NULL, "pages");
		json_string(NULL, "slots");
	}
	if (m->has_spin)
		json_string(NULL, "spin");
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
