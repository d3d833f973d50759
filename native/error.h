// One way to fail: say what call failed, why, and which limit of the machine is behind it, then exit.
#pragma once

#include <stdarg.h>
#include <stdatomic.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_INTERNAL = 70,
};

// Lies in shared memory, so that a side that fails can leave word with the supervisor.
struct error_note {
	_Atomic int taken; // the first to fail is the cause; what follows is its echo
	_Atomic int complete;
	int status;
	int number; // errno, 0 for none
	char call[32];
	char limit[48];
	char message[256];
};

// From here on fail() leaves the note and ends this process, rather than printing.
void error_leave_note(struct error_note *note);

// Run by fail() before it prints: takes away what would stay behind.
void error_on_exit(void (*cleanup)(void));

// Prints a note that a side has left, in the same form as fail().
_Noreturn void error_print_note(const struct error_note *note);

// `limit` is the name of the setting that refused (kernel.msgmax), or NULL.
_Noreturn void fail(int status, const char *call, int number, const char *limit, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

_Noreturn void usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

// "": no system call failed.
const char *error_name(int number);

// The machine refused for a reason that its errno says well enough.
_Noreturn void refused(const char *call, const char *limit);
