/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a descriptor leads to, as far as processes talk through it. Both ends of a connection have the same number: of a
 * Unix socket the lower inode of the two, of a connection of this machine to itself the two ports, with the network
 * namespace, the protocol and the family above them. */
#pragma once

#include "kernel.h"

enum talk {
	NO_TALK,
	A_PIPE,
	A_UNIX_SOCKET,
	A_LOOPBACK_SOCKET,
	ANOTHER_SOCKET,
	AN_EVENTFD,
	A_SYSTEM_V_QUEUE = 8,
	A_POSIX_QUEUE,
	A_FUTEX,
	A_SEMAPHORE,
};
enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, IPPROTO_UDP = 17 };

struct file_seen {
	u64 object;
	u32 talk;
	void *private_data;
};

#define READ_KERNEL(into, from, field) \
	bpf_probe_read_kernel(&(into), sizeof(into), __builtin_preserve_access_index(&(from)->field))

static inline struct file *file_of(struct task_struct *task, u32 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file **at = table->fd, *file = 0;

	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof file, at + fd);
	return file;
}

/* The kind by its inode's mode alone. */
static inline u32 talk_of(struct file *file)
{
	struct inode *inode = 0;
	u16 mode = 0;

	READ_KERNEL(inode, file, f_inode);
	READ_KERNEL(mode, inode, i_mode);
	mode &= S_IFMT;
	return mode == S_IFIFO ? A_PIPE : mode == S_IFSOCK ? ANOTHER_SOCKET : NO_TALK;
}

static inline u64 inode_of(struct file *file)
{
	struct inode *inode = 0;
	u64 number = 0;

	READ_KERNEL(inode, file, f_inode);
	READ_KERNEL(number, inode, i_ino);
	return number;
}

/* The other end of a connected pair; without one its own. */
static inline u64 unix_object(struct sock *sock, u64 own)
{
	struct sock *peer = 0;
	struct socket *socket = 0;
	u64 other = 0;

	READ_KERNEL(peer, (struct unix_sock *)sock, peer);
	if (!peer)
		return own;
	READ_KERNEL(socket, peer, sk_socket);
	if (!socket)
		return own;
	READ_KERNEL(other, (struct socket_alloc *)socket, vfs_inode.i_ino);
	return other && other < own ? other : own;
}

static inline int same_address(struct sock *sock, u16 family)
{
	if (family == AF_INET) {
		u32 here = 0, there = 1;

		READ_KERNEL(here, sock, __sk_common.skc_rcv_saddr);
		READ_KERNEL(there, sock, __sk_common.skc_daddr);
		return there && (here == there || ((here & 0xff) == 127 && (there & 0xff) == 127));
	} else {
		u64 here[2] = {}, there[2] = {1};

		READ_KERNEL(here, sock, __sk_common.skc_v6_rcv_saddr);
		READ_KERNEL(there, sock, __sk_common.skc_v6_daddr);
		return (there[0] || there[1]) && here[0] == there[0] && here[1] == there[1];
	}
}

static inline u64 connection(struct sock *sock, u16 family, u16 local, u16 remote)
{
	u64 ports = local < remote ? (u64)local << 16 | remote : (u64)remote << 16 | local;
	struct net *net = 0;
	u32 space = 0;
	u16 protocol = 0;

	READ_KERNEL(net, sock, __sk_common.skc_net.net);
	READ_KERNEL(space, net, ns.inum);
	READ_KERNEL(protocol, sock, sk_protocol);
	return ports | (u64)(space & 0x1fffffff) << 32 | (u64)(protocol == IPPROTO_UDP) << 61 | (u64)(family == AF_INET6) << 62;
}

static inline void look_at_socket(struct file_seen *seen)
{
	struct socket *socket = seen->private_data;
	struct sock *sock = 0;
	u16 family = 0, local = 0, remote = 0;

	READ_KERNEL(sock, socket, sk);
	READ_KERNEL(family, sock, __sk_common.skc_family);
	if (family == AF_UNIX) {
		seen->talk = A_UNIX_SOCKET;
		seen->object = unix_object(sock, seen->object);
		return;
	}
	if (family != AF_INET && family != AF_INET6)
		return;
	READ_KERNEL(local, sock, __sk_common.skc_num);
	READ_KERNEL(remote, sock, __sk_common.skc_dport);
	if (!remote || !same_address(sock, family)) /* not connected, or to another machine */
		return;
	seen->talk = A_LOOPBACK_SOCKET;
	seen->object = connection(sock, family, local, __builtin_bswap16(remote));
}

static inline int is_eventfd(struct file *file)
{
	struct dentry *entry = 0;
	const unsigned char *name = 0;
	char begin[9] = {};

	READ_KERNEL(entry, file, f_path.dentry);
	READ_KERNEL(name, entry, d_name.name);
	bpf_probe_read_kernel(begin, sizeof begin, name);
	return begin[0] == '[' && begin[1] == 'e' && begin[2] == 'v' && begin[5] == 't' && begin[6] == 'f' && begin[8] == ']';
}

static inline struct file_seen look_at(struct task_struct *task, u32 fd)
{
	struct file *file = file_of(task, fd);
	struct file_seen seen = {};

	if (!file)
		return seen;
	seen.talk = talk_of(file);
	if (!seen.talk && is_eventfd(file))
		seen.talk = AN_EVENTFD;
	if (!seen.talk)
		return seen;
	seen.object = inode_of(file);
	READ_KERNEL(seen.private_data, file, private_data);
	if (seen.talk == AN_EVENTFD)
		seen.object = (u64)seen.private_data; /* all have one inode */
	if (seen.talk == ANOTHER_SOCKET)
		look_at_socket(&seen);
	return seen;
}
