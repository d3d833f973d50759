#include "cost.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

enum { COST_ROUNDS = 20000 };

double cost_clock_ns(void)
{
	int64_t start = now_ns();

	for (int i = 0; i < COST_ROUNDS; i++)
		now_ns();
	return (double)(now_ns() - start) / COST_ROUNDS;
}

// getppid does nothing: what it takes is the way into the kernel and back. By syscall(2), so that nothing caches it.
double cost_syscall_ns(void)
{
	int64_t start = now_ns();

	for (int i = 0; i < COST_ROUNDS; i++)
		syscall(SYS_getppid);
	return (double)(now_ns() - start) / COST_ROUNDS;
}
