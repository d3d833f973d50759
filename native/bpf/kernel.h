/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The few fields of the kernel's types that the programs read. Where they lie is filled in when a program is loaded. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef signed int __s32;
typedef signed long long __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

#include <bpf/bpf_helpers.h>

#define FROM_THE_KERNEL __attribute__((preserve_access_index))

enum { S_IFMT = 0170000, S_IFIFO = 0010000, S_IFSOCK = 0140000 };

/* include/uapi/linux/bpf.h: enum bpf_map_type and the flags that are used. */
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_STACK_TRACE = 7, BPF_MAP_TYPE_TASK_STORAGE = 29 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_F_NO_PREALLOC = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1, BPF_F_USER_STACK = 1 << 8 };

struct inode {
	u16 i_mode;
	unsigned long i_ino;
} FROM_THE_KERNEL;

struct qstr {
	const unsigned char *name;
} FROM_THE_KERNEL;

struct dentry {
	struct qstr d_name;
} FROM_THE_KERNEL;

struct path {
	struct dentry *dentry;
} FROM_THE_KERNEL;

struct file {
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
} FROM_THE_KERNEL;

struct in6_addr {
	u64 halves[2];
};

struct ns_common {
	u32 inum;
} FROM_THE_KERNEL;

struct net {
	struct ns_common ns;
} FROM_THE_KERNEL;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	possible_net_t skc_net;
	u16 skc_family, skc_num, skc_dport;
	u32 skc_daddr, skc_rcv_saddr;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} FROM_THE_KERNEL;

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	struct socket *sk_socket;
} FROM_THE_KERNEL;

struct unix_sock {
	struct sock *peer;
} FROM_THE_KERNEL;

struct socket {
	struct sock *sk;
} FROM_THE_KERNEL;

struct socket_alloc {
	struct inode vfs_inode;
} FROM_THE_KERNEL;

struct pipe_inode_info {
	u32 head, tail, max_usage;
} FROM_THE_KERNEL;

struct fdtable {
	u32 max_fds;
	struct file **fd;
} FROM_THE_KERNEL;

struct files_struct {
	struct fdtable *fdt;
} FROM_THE_KERNEL;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads */
} FROM_THE_KERNEL;

struct task_struct {
	u32 __state;
	int pid, tgid;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
} FROM_THE_KERNEL;

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx;
} FROM_THE_KERNEL;
#define FIRST_ARGUMENT(regs) ((regs)->di)
#define SECOND_ARGUMENT(regs) ((regs)->si)
#define THIRD_ARGUMENT(regs) ((regs)->dx)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
} FROM_THE_KERNEL;
#define FIRST_ARGUMENT(regs) ((regs)->regs[0])
#define SECOND_ARGUMENT(regs) ((regs)->regs[1])
#define THIRD_ARGUMENT(regs) ((regs)->regs[2])
#else
#error "no registers are known for this architecture"
#endif
