/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a descriptor leads to, as far as processes talk through it. */
#pragma once

#include "kernel.h"

enum talk { NO_TALK, A_PIPE, A_UNIX_SOCKET, AN_INET_SOCKET, ANOTHER_SOCKET };
enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10 };

struct file_seen {
	u64 inode;
	u32 talk;
	void *private_data;
};

static inline struct file *file_of(struct task_struct *task, u32 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file **at = table->fd, *file = 0;

	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof file, at + fd);
	return file;
}

#define READ_KERNEL(into, from, field) \
	bpf_probe_read_kernel(&(into), sizeof(into), __builtin_preserve_access_index(&(from)->field))

static inline u32 socket_talk(struct socket *socket)
{
	struct sock *sock = 0;
	u16 family = 0;

	READ_KERNEL(sock, socket, sk);
	READ_KERNEL(family, sock, __sk_common.skc_family);
	if (family == AF_UNIX)
		return A_UNIX_SOCKET;
	return family == AF_INET || family == AF_INET6 ? AN_INET_SOCKET : ANOTHER_SOCKET;
}

static inline u32 talk_of(struct file *file)
{
	struct inode *inode = 0;
	u16 mode = 0;

	READ_KERNEL(inode, file, f_inode);
	READ_KERNEL(mode, inode, i_mode);
	mode &= S_IFMT;
	return mode == S_IFIFO ? A_PIPE : mode == S_IFSOCK ? ANOTHER_SOCKET : NO_TALK;
}

static inline struct file_seen look_at(struct task_struct *task, u32 fd)
{
	struct file *file = file_of(task, fd);
	struct file_seen seen = {};
	struct inode *inode = 0;

	if (!file)
		return seen;
	seen.talk = talk_of(file);
	if (!seen.talk)
		return seen;
	READ_KERNEL(inode, file, f_inode);
	READ_KERNEL(seen.inode, inode, i_ino);
	READ_KERNEL(seen.private_data, file, private_data);
	if (seen.talk == ANOTHER_SOCKET)
		seen.talk = socket_talk(seen.private_data);
	return seen;
}
