#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"

static const struct pair *guarded;
static int alive = -1; // closed when the supervisor ends, also by SIGKILL
static pid_t guard;

static void remove_names(void)
{
	for (const struct pair *pair = guarded; pair; pair = pair->next)
		pair->mechanism->remove(pair);
}

static _Noreturn void wait_and_remove(int end)
{
	char byte;

	setsid(); // what is sent to the supervisor's group is not meant for this one
	close_range(0, (unsigned)end - 1, 0);
	close_range((unsigned)end + 1, ~0u, 0);
	while (read(end, &byte, 1) > 0)
		;
	remove_names();
	_exit(0);
}

static void start(void)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		refused("pipe2", errno == EMFILE ? "RLIMIT_NOFILE" : NULL);
	guard = fork();
	if (guard < 0)
		refused("fork", "RLIMIT_NPROC");
	if (!guard) {
		close(fd[1]);
		wait_and_remove(fd[0]);
	}
	close(fd[0]);
	alive = fd[1];
}

void guard_start(const struct pair *pair)
{
	if (!pair->mechanism->remove)
		return;
	guarded = pair;
	start();
	error_on_exit(guard_finish);
}

void guard_renew(void)
{
	if (!guarded || waitpid(guard, NULL, WNOHANG) != guard)
		return;
	guard_forget();
	start();
}

void guard_forget(void)
{
	if (alive >= 0)
		close(alive);
	alive = -1;
}

void guard_finish(void)
{
	if (!guarded)
		return;
	remove_names(); // the guard may have been killed
	guarded = NULL;
	guard_forget();
	while (waitpid(guard, NULL, 0) < 0 && errno == EINTR)
		;
}
