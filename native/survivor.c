#include "survivor.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char *role(const struct options *options, int side)
{
	static const char *const names[2][2] = {{"client", "server"}, {"producer", "consumer"}};

	return names[options->pattern == STREAM][side];
}

// Its own word, where it left one; one that waits for ever leaves none.
static _Noreturn void tell(const char *killed, const char *other, const struct ends *ends, int survivor, const struct error_note *note)
{
	if (!ends->ended[survivor])
		fail(EXIT_INTERNAL, "wait", 0, NULL, "%s; the %s: noticed nothing, and waited on", killed, other);
	if (!atomic_load(&note->complete))
		fail(EXIT_INTERNAL, "wait", 0, NULL, "%s; the %s: had ended", killed, other);
	fail(EXIT_INTERNAL, note->call, note->number, NULL, "%s; the %s: %s", killed, other, note->message);
}

static _Noreturn void tell_of_kill(const struct options *options, const struct ends *ends, int killed, const struct error_note *note)
{
	int number = WTERMSIG(ends->status[killed]);
	char text[96];

	snprintf(text, sizeof text, "the %s was ended by signal %d (%s)", role(options, killed), number, strsignal(number));
	tell(text, role(options, 1 - killed), ends, 1 - killed, note);
}

_Noreturn void survivor_tell(const struct options *options, const struct ends *ends, const struct error_note *note)
{
	for (int i = 0; i < 2; i++)
		if (ends->ended[i] && WIFSIGNALED(ends->status[i]))
			tell_of_kill(options, ends, i, note);
	if (atomic_load(&note->complete))
		error_print_note(note);
	for (int i = 0; i < 2; i++)
		if (ends->ended[i] && ends->status[i])
			fail(EXIT_INTERNAL, "wait", 0, NULL, "the %s ended with status %d", role(options, i), WEXITSTATUS(ends->status[i]));
	fail(EXIT_INTERNAL, "wait", 0, NULL, "a side ended");
}
