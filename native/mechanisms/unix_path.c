// A Unix stream connection through a socket with a path, as most servers have it. It lies in a private folder until
// the connection stands, or as long as there is somebody to connect.
#include <string.h>

#include "../folder.h"
#include "../nonblocking.h"
#include "unix_named.h"

static const char *const names[] = {"socket", NULL};

static void remove_socket(const struct pair *pair)
{
	folder_remove(pair, names);
}

static struct sockaddr_un name(const struct pair *pair)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char path[FOLDER_PATH_BYTES];

	folder_path(path, pair, names[0]);
	if (!*path || strlen(path) >= sizeof at.sun_path)
		fail(EXIT_REFUSED, "bind", ENAMETOOLONG, NULL, "TMPDIR is too long: the path of a socket has %zu bytes", sizeof at.sun_path);
	memcpy(at.sun_path, path, strlen(path));
	return at;
}

static void open_path(struct pair *pair)
{
	struct sockaddr_un at = name(pair);

	folder_make(pair);
	unix_named_open(pair, &at, sizeof at);
	remove_socket(pair);
}

// The path has to stay for as long as somebody connects; the guard takes it away.
static int listen_path(struct pair *pair)
{
	struct sockaddr_un at = name(pair);

	folder_make(pair);
	return unix_named_listen(pair, &at, sizeof at);
}

static int connect_path(const struct pair *pair, struct side_counts *counts)
{
	struct sockaddr_un at = name(pair);

	return unix_named_connect(pair, &at, sizeof at, counts);
}

static const struct connections connections = {
	.listen = listen_path,
	.connect = connect_path,
	.accept = channel_accept,
};

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
	.connections = &connections,
};
