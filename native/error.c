#include "error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

static struct error_note *shared_note;
static void (*run_cleanup)(void);

void error_leave_note(struct error_note *note)
{
	shared_note = note;
}

void error_on_exit(void (*cleanup)(void))
{
	run_cleanup = cleanup;
}

const char *error_name(int number)
{
	const char *name = number ? strerrorname_np(number) : "";

	return name ? name : "unknown";
}

_Noreturn void error_print_note(const struct error_note *note)
{
	if (run_cleanup)
		run_cleanup();
	json_open(NULL, '{');
	json_open("error", '{');
	json_string("call", note->call);
	json_integer("errno", note->number);
	json_string("name", error_name(note->number));
	json_string("message", note->message);
	json_string("limit", note->limit[0] ? note->limit : NULL);
	json_close('}');
	json_close('}');
	json_end();
	exit(note->status);
}

static void fill(struct error_note *note, int status, const char *call, int number, const char *limit)
{
	note->status = status;
	note->number = number;
	snprintf(note->call, sizeof note->call, "%s", call);
	snprintf(note->limit, sizeof note->limit, "%s", limit ? limit : "");
}

static _Noreturn void finish(struct error_note *local)
{
	if (!shared_note)
		error_print_note(local);
	if (!atomic_exchange(&shared_note->taken, 1)) {
		fill(shared_note, local->status, local->call, local->number, local->limit);
		memcpy(shared_note->message, local->message, sizeof local->message);
		atomic_store(&shared_note->complete, 1);
	}
	_exit(local->status);
}

_Noreturn void fail(int status, const char *call, int number, const char *limit, const char *format, ...)
{
	struct error_note local = {0};
	va_list arguments;

	fill(&local, status, call, number, limit);
	va_start(arguments, format);
	vsnprintf(local.message, sizeof local.message, format, arguments);
	va_end(arguments);
	finish(&local);
}

_Noreturn void usage(const char *format, ...)
{
	struct error_note local = {0};
	va_list arguments;

	fill(&local, EXIT_USAGE, "options", EINVAL, NULL);
	va_start(arguments, format);
	vsnprintf(local.message, sizeof local.message, format, arguments);
	va_end(arguments);
	finish(&local);
}

_Noreturn void refused(const char *call, const char *limit)
{
	int number = errno;

	fail(EXIT_REFUSED, call, number, limit, "%s: %s", call, strerror(number));
}
