#include "processor.h"

#include <string.h>

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>

enum { HYPERVISOR_FIRST = 0x40000000, HYPERVISOR_LAST = 0x40010000, HYPERVISOR_STEP = 0x100, KVM_STEAL_TIME = 5 };

static struct hypervisor_leaf leaf_at(uint32_t base)
{
	struct hypervisor_leaf leaf = {.base = base};
	uint32_t b, c, d;

	__cpuid(base, leaf.max_leaf, b, c, d);
	memcpy(leaf.vendor, &b, 4);
	memcpy(leaf.vendor + 4, &c, 4);
	memcpy(leaf.vendor + 8, &d, 4);
	return leaf;
}

// Past the last leaf a processor repeats another one, so a leaf counts only if it names itself as one of this range.
static bool is_leaf(const struct hypervisor_leaf *leaf)
{
	if (!strcmp(leaf->vendor, "KVMKVMKVM")) // old ones say 0 for their last leaf
		return leaf->max_leaf == 0 || leaf->max_leaf >= leaf->base;
	return leaf->max_leaf >= leaf->base && leaf->max_leaf < leaf->base + HYPERVISOR_STEP && leaf->vendor[0];
}

static void hypervisor(struct processor *c)
{
	for (uint32_t base = HYPERVISOR_FIRST; base < HYPERVISOR_LAST; base += HYPERVISOR_STEP) {
		struct hypervisor_leaf leaf = leaf_at(base);
		uint32_t b, d;

		if (!is_leaf(&leaf) || c->leaf_count == HYPERVISOR_LEAVES)
			continue;
		c->leaves[c->leaf_count++] = leaf;
		if (strcmp(leaf.vendor, "KVMKVMKVM"))
			continue;
		c->is_kvm = true;
		__cpuid(base + 1, c->kvm_features, b, d, c->kvm_hints);
	}
}

struct processor processor_read(void)
{
	struct processor result = {.readable = true};
	uint32_t a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d))
		result.hypervisor = c >> 31;
	if (__get_cpuid(0x80000007, &a, &b, &c, &d))
		result.invariant_tsc = d >> 8 & 1;
	if (result.hypervisor)
		hypervisor(&result);
	return result;
}

bool processor_tells_steal(void)
{
	struct processor c = processor_read();

	if (!c.hypervisor)
		return true;
	for (int i = 0; i < c.leaf_count; i++)
		if (!strcmp(c.leaves[i].vendor, "XenVMMXenVMM"))
			return true;
	return c.is_kvm && (c.kvm_features >> KVM_STEAL_TIME & 1);
}
#else
struct processor processor_read(void)
{
	return (struct processor){0};
}

bool processor_tells_steal(void)
{
	return false;
}
#endif
