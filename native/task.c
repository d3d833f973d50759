#include "task.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "side.h"

struct children {
	const struct task *task;
	sigset_t awaited, before;
	pid_t pids[TASK_SIDES]; // 0: none, or reaped
};

static void end_all(struct children *c)
{
	for (int i = 0; i < TASK_SIDES; i++) {
		if (!c->pids[i])
			continue;
		kill(c->pids[i], SIGKILL);
		while (waitpid(c->pids[i], NULL, 0) < 0 && errno == EINTR)
			;
		c->pids[i] = 0;
	}
	sigprocmask(SIG_SETMASK, &c->before, NULL);
}

static _Noreturn void side(const struct children *c, int i, pid_t supervisor)
{
	error_leave_note(c->task->note);
	side_die_with(supervisor);
	sigprocmask(SIG_SETMASK, &c->before, NULL);
	side_pin(c->task->cpus[i]);
	c->task->sides[i](c->task->shared);
	_exit(EXIT_DONE);
}

static void start(struct children *c, int i)
{
	pid_t supervisor = getpid();

	if (!c->task->sides[i])
		return;
	c->pids[i] = fork();
	if (!c->pids[i])
		side(c, i, supervisor);
	if (c->pids[i] > 0)
		return;
	int number = errno;

	c->pids[i] = 0;
	end_all(c);
	errno = number;
	refused("fork", "RLIMIT_NPROC");
}

static _Noreturn void on_failure(struct children *c, int status)
{
	end_all(c);
	if (WIFSIGNALED(status))
		fail(EXIT_INTERNAL, c->task->name, 0, NULL, "a process of it was ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if (atomic_load(&c->task->note->complete))
		error_print_note(c->task->note);
	fail(EXIT_INTERNAL, c->task->name, 0, NULL, "a process of it ended with status %d", WEXITSTATUS(status));
}

// True while one is running.
static bool reap(struct children *c)
{
	bool running = false;
	int status;

	for (int i = 0; i < TASK_SIDES; i++) {
		if (!c->pids[i])
			continue;
		if (waitpid(c->pids[i], &status, WNOHANG) <= 0) {
			running = true;
			continue;
		}
		c->pids[i] = 0;
		if (status)
			on_failure(c, status);
	}
	return running;
}

bool task_run(const struct task *task)
{
	int64_t deadline_ns = now_ns() + task->patience_ns, left_ns;
	struct children c = {.task = task};

	sigemptyset(&c.awaited);
	sigaddset(&c.awaited, SIGCHLD);
	signal(SIGCHLD, SIG_DFL); // whoever started us may have had it ignored, and then nothing could be reaped
	sigprocmask(SIG_BLOCK, &c.awaited, &c.before);
	for (int i = TASK_SIDES - 1; i >= 0; i--)
		start(&c, i);
	while (reap(&c) && (left_ns = deadline_ns - now_ns()) > 0) {
		struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};

		sigtimedwait(&c.awaited, NULL, &left);
	}
	bool done = !reap(&c);

	end_all(&c);
	return done;
}
