// The limits that one process shows: a system call, the clock, the first touch of a page, a copy.
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "cost.h"
#include "limits_parts.h"

enum {
	REPEATS = 15,
	FAULT_BYTES = 1 << 20,
	COPY_BYTES = 4 << 20, // a repeat copies about so much,
	COPY_ROUNDS = 4096, // in so many rounds at most
	BUDGET_NS = 600000000,
};

static double least(double (*once)(void))
{
	double best = once();

	for (int n = 1; n < REPEATS && !isnan(best); n++)
		best = fmin(best, once());
	return best;
}

void limits_calls(void *shared)
{
	struct limits *l = shared;

	l->clock_ns = least(cost_clock_ns);
	l->syscall_ns = least(cost_syscall_ns);
}

// Small pages, whatever the machine's setting: one fault that brings a huge page is another thing.
static char *map(size_t size, int fd)
{
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (start == MAP_FAILED)
		return NULL;
	madvise(start, size, MADV_NOHUGEPAGE); // refused where the kernel knows none
	return start;
}

static double first_touch(int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *start = map(FAULT_BYTES, fd);
	int64_t begin_ns, end_ns;

	if (!start)
		return NAN;
	begin_ns = now_ns();
	for (size_t at = 0; at < FAULT_BYTES; at += page)
		start[at] = 1;
	end_ns = now_ns();
	munmap((void *)start, FAULT_BYTES);
	return (double)(end_ns - begin_ns) / (double)(FAULT_BYTES / page);
}

static double anonymous_fault(void)
{
	return first_touch(-1);
}

static double memfd_fault(void)
{
	int fd = memfd_create("ipctune-limits", MFD_CLOEXEC);
	double ns = NAN;

	if (fd < 0)
		return NAN;
	if (!ftruncate(fd, FAULT_BYTES))
		ns = first_touch(fd);
	close(fd);
	return ns;
}

void limits_faults(void *shared)
{
	struct limits *l = shared;

	l->page_fault_ns = least(anonymous_fault);
	l->memfd_fault_ns = least(memfd_fault);
}

static double copy_once(char *to, const char *from, size_t size)
{
	size_t rounds = COPY_BYTES / size;
	int64_t start;

	rounds = rounds < 1 ? 1 : rounds > COPY_ROUNDS ? COPY_ROUNDS : rounds;
	start = now_ns();
	for (size_t i = 0; i < rounds; i++) {
		memcpy(to, from, size);
		__asm__ volatile("" : : "r"(to), "r"(from) : "memory"); // or only the last copy would be made
	}
	return (double)(now_ns() - start) / (double)rounds;
}

static double copy_between(char *to, char *from, size_t size)
{
	double best;

	memset(to, 0, size);
	memset(from, 1, size); // untouched it would be the one page of zeros, over and over
	best = copy_once(to, from, size);
	for (int n = 1; n < REPEATS; n++)
		best = fmin(best, copy_once(to, from, size));
	return best;
}

static double copy_ns(size_t size)
{
	char *to = map(size, -1), *from = map(size, -1);
	double ns = to && from ? copy_between(to, from, size) : NAN;

	if (to)
		munmap(to, size);
	if (from)
		munmap(from, size);
	return ns;
}

void limits_copies(void *shared)
{
	struct limits *l = shared;
	int64_t end_ns = now_ns() + BUDGET_NS;

	for (int i = 0; i < l->size_count && now_ns() < end_ns; i++)
		l->copy_ns[i] = copy_ns(l->sizes[i]);
}
