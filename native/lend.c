#include "lend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "options.h"

enum { LINE = 64 };

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

// Several short messages share a page, none lies across two.
size_t lent_stride(size_t size)
{
	size_t stride = LINE;

	if (size > page() / 2)
		return (size + page() - 1) / page() * page();
	while (stride < size)
		stride *= 2;
	return stride;
}

int lent_memfd(size_t bytes)
{
	int fd = memfd_create("ipctune", MFD_CLOEXEC);

	if (fd < 0)
		refused("memfd_create", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	if (ftruncate(fd, (off_t)bytes) || fallocate(fd, 0, 0, (off_t)bytes)) // a page that is not there has nothing to hand over
		refused("fallocate", NULL);
	return fd;
}

// For tests alone: fewer than are needed, to show that a page that is written too early is caught.
static size_t fewer(size_t count)
{
	const char *text = getenv("IPCTUNE_TEST_LENT");

	return text && getenv("IPCTUNE_TEST_MECHANISMS") ? (size_t)option_whole("IPCTUNE_TEST_LENT", text, 1, 1 << 20) : count;
}

static struct lent *open_one(size_t size, size_t count, bool memfd)
{
	size_t stride = lent_stride(size), bytes = count * stride;
	struct lent *lent = malloc(sizeof *lent);
	int fd = memfd ? lent_memfd(bytes) : -1, flags = memfd ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	char *first = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (!lent || first == MAP_FAILED)
		fail(EXIT_REFUSED, "mmap", errno, NULL, "no memory for %zu messages of %zu bytes", count, size);
	*lent = (struct lent){first, stride, count, 0, fd};
	return lent;
}

void lent_open(struct pair *pair, size_t count, bool memfd)
{
	for (int i = 0; i < (pair->stream ? 1 : 2); i++)
		pair->lent[i] = open_one(pair->size, fewer(count), memfd);
}

// A page takes a slot of a pipe, however little of it is used; and what is sent last lies in the pipe whole or up to its end.
size_t lent_for_pipe(const struct pair *pair)
{
	size_t slots = (size_t)pair->capacity / page(), pages = (pair->size + page() - 1) / page();

	return pair->stream ? (slots + pages - 1) / pages + 1 : 1;
}

void lent_fill(const struct lent *lent, const char *payload, size_t size)
{
	if (!lent)
		return;
	for (size_t i = 0; i < lent->count; i++)
		memcpy(lent->first + i * lent->stride, payload, size);
}
