#include "memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "../error.h"
#include "huge.h"
#include "sysv.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14; older headers lack the name
#endif

enum { PIECES = 2 };

struct failure {
	const char *call, *limit;
	int number;
};

static void *none(struct failure *why, const char *call, const char *limit)
{
	*why = (struct failure){call, limit, errno};
	return NULL;
}

static void *map_memfd(size_t bytes, bool huge, struct failure *why)
{
	int fd = memfd_create("ipctune", MFD_CLOEXEC | (huge ? MFD_HUGETLB : 0));
	void *start;

	if (fd < 0)
		return none(why, "memfd_create", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	if (ftruncate(fd, (off_t)bytes))
		start = none(why, "ftruncate", NULL);
	else if ((start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		start = none(why, "mmap", NULL);
	close(fd); // the mapping keeps it, and both sides inherit that
	return start;
}

// ENOSPC stands for two limits (shmget(2)).
static const char *full_limit(void)
{
	struct shminfo most = {0};
	struct shm_info used = {0};

	shmctl(0, IPC_INFO, (struct shmid_ds *)&most);
	shmctl(0, SHM_INFO, (struct shmid_ds *)&used);
	return (unsigned long)used.used_ids >= most.shmmni ? "kernel.shmmni" : "kernel.shmall";
}

static const char *segment_limit(int number)
{
	if (number == EINVAL)
		return "kernel.shmmax";
	return number == ENOSPC ? full_limit() : NULL;
}

// Marked for removal at once: it lives on as long as somebody is attached, also by a fork, and has no key any more.
static void *attach_segment(const struct pair *pair, int number, size_t bytes, bool huge, struct failure *why)
{
	int id = shmget(sysv_key(pair, number), bytes, IPC_CREAT | IPC_EXCL | 0600 | (huge ? SHM_HUGETLB : 0));
	void *start;

	if (id < 0) {
		none(why, "shmget", NULL);
		why->limit = segment_limit(why->number);
		return NULL;
	}
	start = shmat(id, NULL, 0);
	if (start == (void *)-1)
		start = none(why, "shmat", NULL);
	shmctl(id, IPC_RMID, NULL);
	return start;
}

struct request {
	const struct pair *pair;
	enum memory_kind kind;
	int number;
};

static void *map(const struct request *r, size_t bytes, bool huge, struct failure *why)
{
	if (r->kind == MEMORY_MEMFD)
		return map_memfd(bytes, huge, why);
	return attach_segment(r->pair, r->number, bytes, huge, why);
}

static void *map_or_end(const struct request *r, size_t bytes)
{
	struct failure why;
	void *start = map(r, bytes, false, &why);

	if (!start) {
		errno = why.number;
		refused(why.call, why.limit);
	}
	return start;
}

// From the pool of huge pages. Populated here: what a control group of hugetlb refuses would be a SIGBUS later.
static void *map_hugetlb(const struct request *r, size_t bytes, struct failure *why)
{
	void *start = map(r, bytes, true, why);

	if (!start || !madvise(start, bytes, MADV_POPULATE_WRITE) || errno == EINVAL)
		return start;
	none(why, "madvise", NULL);
	munmap(start, bytes);
	return NULL;
}

// Only the kernel's own account shows whether it did as advised: its rules for shared memory have changed often.
static void *map_transparent(const struct request *r, size_t bytes)
{
	void *start = map_or_end(r, bytes);

	if (!madvise(start, bytes, MADV_HUGEPAGE) && !madvise(start, bytes, MADV_POPULATE_WRITE) && huge_mapped(start) >= bytes)
		return start;
	munmap(start, bytes);
	return NULL;
}

static size_t rounded_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

static _Noreturn void no_huge_pages(const struct failure *why, size_t bytes)
{
	// shmget(2): a segment of huge pages takes CAP_IPC_LOCK or membership in a group
	const char *limit = why->number == EPERM ? "vm.hugetlb_shm_group" : "vm.nr_hugepages";

	fail(EXIT_REFUSED, why->call, why->number, limit,
		"%zu KiB of huge pages are not to be had (%s), and transparent ones are not given to shared memory (shmem_enabled)",
		bytes >> 10, strerror(why->number));
}

static struct memory open_huge(const struct request *r, size_t bytes)
{
	size_t page = huge_page_bytes(), transparent = huge_transparent_bytes();
	struct memory memory = {.bytes = page ? rounded_up(bytes, page) : bytes, .wanted = PAGES_HUGE, .pages = "huge-hugetlb"};
	struct failure why = {"memfd_create", NULL, EOPNOTSUPP};

	if (page)
		memory.start = map_hugetlb(r, memory.bytes, &why);
	if (memory.start)
		return memory;
	memory.pages = "huge-transparent";
	if (transparent) {
		memory.bytes = rounded_up(bytes, transparent);
		memory.start = map_transparent(r, memory.bytes);
	}
	if (!memory.start)
		no_huge_pages(&why, memory.bytes);
	return memory;
}

struct memory memory_open(const struct pair *pair, enum memory_kind kind, int number, size_t bytes)
{
	static const char *const words[] = {"normal", "prefault", "mlock"};
	struct request r = {pair, kind, number};
	enum pages wanted = pair->options->pages;

	if (wanted == PAGES_HUGE)
		return open_huge(&r, bytes);
	return (struct memory){.start = map_or_end(&r, bytes), .bytes = bytes, .wanted = wanted, .pages = words[wanted]};
}

// Written without being changed: the other side may be at work already.
static void touch(const struct memory *memory)
{
	for (size_t i = 0; i < memory->bytes; i += (size_t)getpagesize())
		atomic_fetch_or((_Atomic char *)memory->start + i, 0);
}

void memory_ready(const struct memory *memory)
{
	if (memory->wanted == PAGES_PREFAULT && madvise(memory->start, memory->bytes, MADV_POPULATE_WRITE))
		touch(memory); // before Linux 5.14
	// mlock2 without flags is mlock, which the sanitizers turn into nothing
	if (memory->wanted == PAGES_MLOCK && mlock2(memory->start, memory->bytes, 0))
		refused("mlock", "RLIMIT_MEMLOCK");
}

void memory_remove(const struct pair *pair)
{
	for (int i = 0; i < PIECES; i++) {
		int id = shmget(sysv_key(pair, i), 0, 0600);

		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
	}
}
