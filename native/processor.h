// What the processor and the hypervisor say of themselves. On other architectures than x86: nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hypervisor_leaf {
	uint32_t base; // 0x40000000, or a multiple of 0x100 above where a second interface is offered
	uint32_t max_leaf;
	char vendor[13];
};

enum { HYPERVISOR_LEAVES = 4 };

struct processor {
	bool readable;
	bool hypervisor;
	bool invariant_tsc;
	int leaf_count;
	struct hypervisor_leaf leaves[HYPERVISOR_LEAVES];
	bool is_kvm;
	uint32_t kvm_features, kvm_hints;
};

struct processor processor_read(void);

// Does anyone count the time that this machine was made to wait? Bare metal: yes, and it is 0.
bool processor_tells_steal(void);
