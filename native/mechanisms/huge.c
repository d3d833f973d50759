#include "huge.h"

#include <inttypes.h>
#include <stdio.h>

#include "../channel.h"

size_t huge_page_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof line, file) && sscanf(line, "Hugepagesize: %lu kB", &kib) != 1)
		;
	fclose(file);
	return kib << 10;
}

size_t huge_transparent_bytes(void)
{
	return (size_t)read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", 0);
}

// A mapping begins with its addresses, "7f…-7f… rw-s …"; what follows is "Name: number kB" (proc_pid_smaps(5)).
size_t huge_mapped(const void *start)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	size_t kib = 0;
	bool ours = false;
	char line[512];

	if (!file)
		return 0;
	while (fgets(line, sizeof line, file)) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			ours = from == (uintptr_t)start;
		if (ours && sscanf(line, "ShmemPmdMapped: %zu kB", &kib) == 1)
			break;
	}
	fclose(file);
	return kib << 10;
}
