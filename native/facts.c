// What of this machine is in no file: CPUID, what a clock and a system call cost, how long we were kept from running;
// and the limits and capabilities of this very process.
#include "facts.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cost.h"
#include "jitter.h"
#include "json.h"
#include "processor.h"

struct bit {
	const char *name;
	int number;
};

// Linux, Documentation/virt/kvm/x86/cpuid.rst
static const struct bit kvm_bits[] = {
	{"clocksource2", 3}, {"async_pf", 4}, {"steal_time", 5}, {"pv_eoi", 6}, {"pv_unhalt", 7}, {"pv_tlb_flush", 9},
	{"pv_ipi", 11}, {"poll_control", 12}, {"pv_sched_yield", 13}, {"clocksource_stable", 24},
};

static const struct {
	const char *name;
	__rlimit_resource_t resource;
} rlimits[] = {
	{"AS", RLIMIT_AS}, {"CORE", RLIMIT_CORE}, {"CPU", RLIMIT_CPU}, {"DATA", RLIMIT_DATA}, {"FSIZE", RLIMIT_FSIZE},
	{"LOCKS", RLIMIT_LOCKS}, {"MEMLOCK", RLIMIT_MEMLOCK}, {"MSGQUEUE", RLIMIT_MSGQUEUE}, {"NICE", RLIMIT_NICE},
	{"NOFILE", RLIMIT_NOFILE}, {"NPROC", RLIMIT_NPROC}, {"RSS", RLIMIT_RSS}, {"RTPRIO", RLIMIT_RTPRIO},
	{"RTTIME", RLIMIT_RTTIME}, {"SIGPENDING", RLIMIT_SIGPENDING}, {"STACK", RLIMIT_STACK},
};

static void print_kvm(const struct processor *p)
{
	if (!p->is_kvm) {
		json_null("kvm");
		return;
	}
	json_open("kvm", '{');
	for (size_t i = 0; i < sizeof kvm_bits / sizeof *kvm_bits; i++)
		json_bool(kvm_bits[i].name, p->kvm_features >> kvm_bits[i].number & 1);
	json_bool("realtime", p->kvm_hints & 1);
	json_unsigned("features", p->kvm_features);
	json_unsigned("hints", p->kvm_hints);
	json_close('}');
}

static void print_leaves(const struct processor *p)
{
	json_open("leaves", '[');
	for (int i = 0; i < p->leaf_count; i++) {
		json_open(NULL, '{');
		json_unsigned("base", p->leaves[i].base);
		json_unsigned("max_leaf", p->leaves[i].max_leaf);
		json_string("vendor", p->leaves[i].vendor);
		json_close('}');
	}
	json_close(']');
}

static void print_cpuid(void)
{
	struct processor p = processor_read();

	json_open("cpuid", '{');
	if (!p.readable) {
		for (const char *const *name = (const char *const[]){"hypervisor", "vendor", "max_leaf", "leaves", "kvm", "invariant_tsc", NULL}; *name; name++)
			json_null(*name);
		json_close('}');
		return;
	}
	json_bool("hypervisor", p.hypervisor);
	json_string("vendor", p.leaf_count ? p.leaves[0].vendor : NULL);
	json_optional("max_leaf", p.leaf_count ? (int64_t)p.leaves[0].max_leaf : -1);
	print_leaves(&p);
	print_kvm(&p);
	json_bool("invariant_tsc", p.invariant_tsc);
	json_close('}');
}

static void print_limit(rlim_t value)
{
	if (value == RLIM_INFINITY)
		json_null(NULL);
	else
		json_unsigned(NULL, value);
}

// [soft, hard]; null: no limit
static void print_rlimits(void)
{
	struct rlimit limit;

	json_open("rlimits", '{');
	for (size_t i = 0; i < sizeof rlimits / sizeof *rlimits; i++) {
		char name[32];

		if (getrlimit(rlimits[i].resource, &limit))
			continue;
		snprintf(name, sizeof name, "RLIMIT_%s", rlimits[i].name);
		json_open(name, '[');
		print_limit(limit.rlim_cur);
		print_limit(limit.rlim_max);
		json_close(']');
	}
	json_close('}');
}

static void print_capability(const char *key, const char *status, const char *name)
{
	const char *at = strstr(status, name);
	char hex[17];

	if (at && sscanf(at + strlen(name), " %16[0-9a-f]", hex) == 1)
		json_string(key, hex);
	else
		json_null(key);
}

static void print_capabilities(void)
{
	char status[4096] = "";
	FILE *file = fopen("/proc/self/status", "re");

	if (file) {
		status[fread(status, 1, sizeof status - 1, file)] = 0;
		fclose(file);
	}
	json_open("capabilities", '{');
	print_capability("effective", status, "\nCapEff:");
	print_capability("permitted", status, "\nCapPrm:");
	print_capability("bounding", status, "\nCapBnd:");
	json_close('}');
}

static double least(double (*cost)(void))
{
	double best = cost();

	for (int i = 0; i < 4; i++) { // whatever else runs can only add
		double once = cost();

		best = once < best ? once : best;
	}
	return best;
}

void facts_print(void)
{
	json_open(NULL, '{');
	print_cpuid();
	print_rlimits();
	print_capabilities();
	json_open("clock", '{');
	json_real("monotonic_ns", least(cost_clock_ns));
	json_real("getppid_ns", least(cost_syscall_ns));
	json_close('}');
	jitter_print();
	json_close('}');
	json_end();
}
