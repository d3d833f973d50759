#include "folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

void folder_path(char path[FOLDER_PATH_BYTES], const struct pair *pair, const char *name)
{
	const char *base = getenv("TMPDIR");
	int length = snprintf(path, FOLDER_PATH_BYTES, "%s/ipctune-%016" PRIx64 "%s%s", base && *base ? base : "/tmp",
		pair->token, name ? "/" : "", name ? name : "");

	if (length >= FOLDER_PATH_BYTES)
		path[0] = 0; // no name of a file: every call refuses it
}

void folder_make(const struct pair *pair)
{
	char path[FOLDER_PATH_BYTES];

	folder_path(path, pair, NULL);
	if (!*path)
		fail(EXIT_REFUSED, "mkdir", ENAMETOOLONG, NULL, "TMPDIR is too long");
	if (mkdir(path, 0700))
		fail(EXIT_REFUSED, "mkdir", errno, NULL, "no folder could be made in TMPDIR, or /tmp");
}

void folder_remove(const struct pair *pair, const char *const *names)
{
	char path[FOLDER_PATH_BYTES];

	for (; *names; names++) {
		folder_path(path, pair, *names);
		unlink(path);
	}
	folder_path(path, pair, NULL);
	rmdir(path);
}
