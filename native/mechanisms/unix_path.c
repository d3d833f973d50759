// A Unix stream connection through a socket with a path, as most servers have it. It lies in a private folder until
// the connection stands.
#include <string.h>

#include "../folder.h"
#include "../nonblocking.h"
#include "unix_named.h"

static const char *const names[] = {"socket", NULL};

static void remove_socket(const struct pair *pair)
{
	folder_remove(pair, names);
}

static void open_path(struct pair *pair)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char path[FOLDER_PATH_BYTES];

	folder_path(path, pair, names[0]);
	if (!*path || strlen(path) >= sizeof at.sun_path)
		fail(EXIT_REFUSED, "bind", ENAMETOOLONG, NULL, "TMPDIR is too long: the path of a socket has %zu bytes", sizeof at.sun_path);
	memcpy(at.sun_path, path, strlen(path));
	folder_make(pair);
	unix_named_open(pair, &at, sizeof at);
	remove_socket(pair);
}

const struct mechanism unix_path_mechanism = {
	.name = "unix-path",
	.summary = "Unix stream sockets connected through a path",
	.manual = "unix(7)",
	.has_capacity = true,
	.in_file_system = true,
	.open = open_path,
	.close_end = channel_close_end,
	.remove = remove_socket,
	.send = channel_send,
	.receive = channel_receive,
	.ways = &byte_stream_ways,
	.pollable = true,
	.nonblocking = &descriptor_nonblocking,
};
