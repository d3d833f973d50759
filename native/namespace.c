#include "namespace.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"

enum { VALUE_BYTES = 128 };

// The limits of an IPC namespace. The *_next_id are not among them: each is an order for the next object, no limit.
static const char *const names[] = {
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
	"kernel.shmmni", "kernel.shm_rmid_forced", "fs.mqueue.msg_default", "fs.mqueue.msg_max",
	"fs.mqueue.msgsize_default", "fs.mqueue.msgsize_max", "fs.mqueue.queues_max",
};

enum { NAMES = sizeof names / sizeof *names };

static char present[NAMES][VALUE_BYTES];

static void path_of(const char *name, char path[64])
{
	snprintf(path, 64, "/proc/sys/%s", name);
	for (char *c = path; *c; c++)
		if (*c == '.')
			*c = '/';
}

// One blank between numbers, none around them: what is written and what is read then compare.
static void tidy(char *text)
{
	char *to = text;

	for (char *from = text; *from; from++) {
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > text && to[-1] == ' ')
		to--;
	*to = 0;
}

static void read_value(const char *name, char value[VALUE_BYTES])
{
	char path[64];
	ssize_t n;
	int fd;

	path_of(name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, value, VALUE_BYTES - 1);
	value[n > 0 ? n : 0] = 0; // empty: this kernel has no such limit
	if (fd >= 0)
		close(fd);
	tidy(value);
}

static bool write_value(const char *name, const char *value)
{
	char path[64];
	ssize_t n;
	int fd, number;

	path_of(name, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, value, strlen(value));
	number = errno;
	close(fd);
	errno = number;
	return n == (ssize_t)strlen(value);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

// Without privilege a user namespace of our own lets us have an IPC namespace; root in it is we ourselves.
static bool own_user_namespace;

static bool leave(void)
{
	char map[48];
	unsigned uid = geteuid(), gid = getegid();

	if (!unshare(CLONE_NEWIPC))
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWIPC))
		return false;
	own_user_namespace = true;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", uid);
	if (!write_file("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof map, "0 %u 1", gid);
	return write_file("/proc/self/gid_map", map);
}

static bool copy_limits(void)
{
	char value[VALUE_BYTES];

	for (int i = 0; i < NAMES; i++) {
		read_value(names[i], value);
		if (!strcmp(value, present[i]))
			continue;
		if (!write_value(names[i], present[i]))
			return false;
		read_value(names[i], value);
		if (strcmp(value, present[i]))
			return false;
	}
	return true;
}

static bool leave_and_copy(void)
{
	return leave() && copy_limits();
}

// There is no way back from a namespace that turned out not to be like ours: so a child goes first.
static bool would_work(void)
{
	pid_t child = fork();
	int status = 1;

	if (child < 0)
		return false;
	if (!child)
		_exit(leave_and_copy() ? 0 : 1);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

struct setting {
	const char *name;
	char value[VALUE_BYTES];
};

static struct setting setting_of(const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	size_t length = equals ? (size_t)(equals - assignment) : 0;
	struct setting setting = {0};

	if (!equals || !equals[1] || strlen(equals + 1) >= VALUE_BYTES)
		usage("--sysctl: '%s' is not NAME=VALUE", assignment);
	strcpy(setting.value, equals + 1);
	if (strspn(setting.value, "0123456789 \t-") != strlen(setting.value))
		usage("--sysctl: '%s' is not made of numbers", setting.value);
	tidy(setting.value);
	for (int i = 0; i < NAMES; i++)
		if (strlen(names[i]) == length && !memcmp(names[i], assignment, length))
			setting.name = names[i];
	if (!setting.name)
		usage("--sysctl: '%.*s' is not a limit of an IPC namespace", (int)length, assignment);
	return setting;
}

static void set(const struct setting *setting)
{
	char value[VALUE_BYTES];

	if (!write_value(setting->name, setting->value))
		refused("write", setting->name);
	read_value(setting->name, value);
	if (strcmp(value, setting->value))
		fail(EXIT_REFUSED, "write", 0, setting->name, "%s was set to '%s' and reads '%s'", setting->name, setting->value, value);
}

// Our capabilities in a user namespace of our own would lift limits (msg_qbytes) that hold us outside of it.
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	if (syscall(SYS_capset, &header, none))
		refused("capset", NULL);
}

bool namespace_enter(const struct options *options)
{
	struct setting settings[SYSCTLS_MAX];

	for (int i = 0; i < options->sysctl_count; i++)
		settings[i] = setting_of(options->sysctls[i]);
	for (int i = 0; i < NAMES; i++)
		read_value(names[i], present[i]);
	if (options->ipc_namespace == IPC_PRESENT)
		return false;
	if (!would_work()) {
		if (options->ipc_namespace == IPC_PRIVATE_ONLY || options->sysctl_count)
			fail(EXIT_REFUSED, "unshare", EPERM, NULL, "no private IPC namespace like the present one can be had");
		return false;
	}
	if (!leave_and_copy())
		refused("unshare", NULL);
	for (int i = 0; i < options->sysctl_count; i++)
		set(&settings[i]);
	if (own_user_namespace)
		drop_capabilities();
	return true;
}
