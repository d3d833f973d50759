"""Lines that programs log when a limit on IPC was hit: what each means, which limits can cause it, the smallest fix.

One entry a line. Sources: the ERRORS of semget(2), shmget(2), msgop(2), mq_open(3), connect(2), pipe(7), unix(7), and
the kernel's ipc/, net/unix/, fs/pipe.c. The wording of programs is theirs; `example` is one such line.
"""

import re
from dataclasses import dataclass

__all__ = ["ENTRIES", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of line. `causes` are pairs of a limit's name and when it is the cause; `findings` are ids of findings
    (their start) that bear on it. `wrong` is what guides advise and why it does not help."""

    id: str
    pattern: re.Pattern[str]
    example: str
    means: str
    causes: tuple[tuple[str, str], ...]
    fix: str
    wrong: str
    findings: tuple[str, ...] = ()


def _line(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_NO_SPACE = r"(no space left|errno 28|enospc|\(28\))"
_AGAIN = r"(resource temporarily unavailable|errno 11\b|eagain|\(11\b)"
_INVALID = r"(invalid argument|errno 22|einval)"
_MANY = r"(too many open files|errno 24|emfile)"
_NO_PERMISSION = r"(operation not permitted|errno 1\b|eperm)"
_SEM_FULL = (("kernel.sem.semmni", "too many arrays"), ("kernel.sem.semmns", "too many semaphores in all"))
_SHM_FULL = (("/dev/shm", "its size is used up"), ("/dev/shm inodes", "too many files in it"))

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "semget-enospc",
        _line(rf"(semget|could not create semaphores|couldn't create.*mutex).*{_NO_SPACE}|{_NO_SPACE}.*(semget|mutex)"),
        'could not create semaphores: No space left on device; Failed system call was semget(5432017, 17, 03600)',
        "a limit on System V semaphores of the IPC namespace; no disk is full",
        _SEM_FULL,
        "remove arrays that are left over (ipctune services --clean-orphans), else sysctl kernel.sem with a larger "
        "semmni (4th) or semmns (2nd); no restart of others",
        "free disk space: this has none to do with it; kernel.sem = 250 32000 100 128: that lowers today's defaults",
        ("orphans:sem",),
    ),
    Entry(
        "semlock-enospc",
        _line(rf"(semlock|sem_open|multiprocessing).*{_NO_SPACE}"),
        "_multiprocessing.SemLock( … OSError: [Errno 28] No space left on device",
        "a POSIX semaphore is a file in /dev/shm, which is full there (in a container: its own, 64 MB by default)",
        _SHM_FULL,
        "a larger /dev/shm: compose shm_size: 256m, then a new container; on the host mount -o remount,size=… /dev/shm",
        "kernel.sem: that is System V, which SemLock does not use; more disk: /dev/shm is memory",
        ("orphans:shm",),
    ),
    Entry(
        "shm-resize",
        _line(rf"(resize shared memory segment|shm_open|posix_fallocate|ftruncate.*shm|/dev/shm).*{_NO_SPACE}"),
        'could not resize shared memory segment "/PostgreSQL.3" to 8388608 bytes: No space left on device',
        "/dev/shm of the program's own mount namespace is full; nothing of the disk",
        _SHM_FULL,
        "a larger /dev/shm: compose shm_size: 256m, then a new container; on the host mount -o remount,size=… /dev/shm",
        "kernel.shmmax or shmall: these are System V; the host's /dev/shm: a container has its own",
        ("orphans:shm",),
    ),
    Entry(
        "bus-error",
        _line(r"bus error|sigbus|signal 7\b"),
        "DataLoader worker (pid 71) is killed by signal: Bus error. (or: server process was terminated by signal 7)",
        "a page of a file that was made larger than /dev/shm has room for was touched: the kernel finds no page for it",
        (*_SHM_FULL, ("huge pages", "a mapping with huge pages and none left (/proc/meminfo, HugePages_Free)")),
        "a larger /dev/shm (compose shm_size:, docker run --shm-size), then a new container",
        "more RAM or kernel.shmmax: neither is the limit; fewer workers only hide it",
        ("orphans:shm",),
    ),
    Entry(
        "unix-connect-eagain",
        _line(
            rf"connect.*(unix:|\.sock\b|\bunix\b|socket).*{_AGAIN}|unix:\S+.*{_AGAIN}"
            rf"|(connect|blockingioerror).*{_AGAIN}"
        ),
        "connect() to unix:/run/php/php8.3-fpm.sock failed (11: Resource temporarily unavailable) while connecting",
        "of a connect: the listener's queue was full (a Unix socket refuses at once, where TCP would try again); of a "
        "write or send that may not wait: the pipe or socket is full, which its reader has to change",
        (("listen queue", "of that socket; fixed when the program called listen()"),),
        "a longer backlog in the listener's own configuration (php-fpm: listen.backlog = 1024), then restart it; or "
        "more workers, where the queue is full for long",
        "net.core.somaxconn alone: a listener keeps the backlog that it was opened with; file limits: not this error",
    ),
    Entry(
        "address-not-available",
        _line(r"cannot assign requested address|errno 99\b|eaddrnotavail|\(99:"),
        "connect() to 127.0.0.1:8080 failed (99: Cannot assign requested address)",
        "on connect(): no local port is left towards that address and port; on bind(): the address is not this "
        "machine's",
        (
            ("ephemeral ports", "all in use towards one destination, TIME_WAIT included"),
            ("net.netfilter.nf_conntrack_max", "rarely: NAT finds no free port"),
        ),
        "keep connections open (nginx: upstream keepalive), or a Unix socket; then net.ipv4.ip_local_port_range",
        "tcp_tw_recycle: gone since 4.12, and it broke clients behind NAT; tcp_fin_timeout: not the time of TIME_WAIT",
    ),
    Entry(
        "mq-open-emfile",
        _line(rf"(mq_open|message queue|posix_ipc|mqueue).*{_MANY}"),
        "mq_open: Too many open files",
        "bytes of all POSIX queues of the user, overhead included, reached RLIMIT_MSGQUEUE: the tenth default queue "
        "fails",
        (("RLIMIT_MSGQUEUE", "819,200 bytes by default"), ("RLIMIT_NOFILE", "if open() fails as well")),
        "LimitMSGQUEUE= in the unit (systemctl edit), or ulimits: msgqueue in compose, and a restart; or smaller "
        "queues",
        "ulimit -n, fs.file-max: the error is about bytes, in spite of its name",
    ),
    Entry(
        "mq-open-enospc",
        _line(rf"(mq_open|message queue|posix_ipc|mqueue).*{_NO_SPACE}"),
        "mq_open: No space left on device",
        "the IPC namespace has as many POSIX queues as it may",
        (("fs.mqueue.queues_max", "too many queues"),),
        "remove queues that are left over (rm /dev/mqueue/NAME), or sysctl fs.mqueue.queues_max",
        "free disk space: this has none to do with it",
    ),
    Entry(
        "mq-open-einval",
        _line(rf"(mq_open|posix_ipc|mqueue).*{_INVALID}"),
        "mq_open: Invalid argument",
        "more messages, or larger ones, were asked for than a user without privileges may have in a queue",
        (("fs.mqueue.msg_max", "mq_maxmsg above it"), ("fs.mqueue.msgsize_max", "mq_msgsize above it")),
        "sysctl fs.mqueue.msg_max or msgsize_max, at least what the program asks for; new queues only",
        "kernel.msgmax, kernel.msgmnb: these are System V",
    ),
    Entry(
        "shmget-einval",
        _line(rf"(shmget|create shared memory).*{_INVALID}|{_INVALID}.*shmget"),
        "could not create shared memory segment: Invalid argument; Failed system call was shmget(5432001, 40000000, "
        "03600)",
        "a new segment larger than kernel.shmmax (or of 0 bytes), or an older, smaller one has the same key",
        (("kernel.shmmax", "the size asked for is above it"),),
        "take the line that lowers kernel.shmmax out of /etc/sysctl.d; or remove the older segment (ipcs -m, ipcrm "
        "-m ID)",
        "shmmax = 70 % of RAM: upstream's default is unlimited, so that is what causes this",
    ),
    Entry(
        "shmget-enospc",
        _line(rf"(shmget|create shared memory).*{_NO_SPACE}|{_NO_SPACE}.*shmget"),
        "could not create shared memory segment: No space left on device; Failed system call was shmget(1, 4096, "
        "03600)",
        "too many System V segments, or too many pages in all of them; no disk is full",
        (("kernel.shmmni", "too many segments"), ("kernel.shmall", "too many pages in all (pages, not bytes)")),
        "remove segments that nobody is attached to (ipcs -m, ipcrm -m ID), else sysctl kernel.shmmni or kernel.shmall",
        "kernel.shmmax: that is the size of one; shmall in bytes: it counts pages",
    ),
    Entry(
        "msgget-enospc",
        _line(rf"msgget.*{_NO_SPACE}"),
        "msgget: No space left on device",
        "the IPC namespace has as many System V queues as it may",
        (("kernel.msgmni", "too many queues"),),
        "remove queues that are left over (ipcs -q, ipcrm -q ID), or sysctl kernel.msgmni",
        "kernel.msgmnb: bytes in a queue are another limit; msgmni = 128: lowers today's 32000",
    ),
    Entry(
        "msgsnd-eagain",
        _line(rf"(msgsnd|msg_send|sysv.*queue).*{_AGAIN}"),
        "msgsnd: Resource temporarily unavailable",
        "the queue is full and IPC_NOWAIT was given: the reader is behind",
        (("kernel.msgmnb", "bytes in one queue; each queue keeps the value of when it was made"),),
        "a reader that keeps up; else msgctl(IPC_SET) with a larger msg_qbytes on the living queue, and kernel.msgmnb "
        "for those made afterwards",
        "kernel.msgmax: the size of one message; kernel.msgmni: the number of queues; msgmnb alone: not for living "
        "queues",
    ),
    Entry(
        "msgsnd-einval",
        _line(rf"msgsnd.*{_INVALID}"),
        "msgsnd: Invalid argument",
        "the message is larger than kernel.msgmax, its type is not positive, or the queue is gone",
        (("kernel.msgmax", "the message is larger"),),
        "sysctl kernel.msgmax (at once), and kernel.msgmnb at least as large for new queues",
        "kernel.msgmnb alone: a message above msgmax is refused however long the queue",
        ("remove-ipc",),
    ),
    Entry(
        "redis-backlog",
        _line(r"backlog setting of (?P<asked>\d+) cannot be enforced.*lower value of (?P<now>\d+)"),
        "WARNING: The TCP backlog setting of 511 cannot be enforced because /proc/sys/net/core/somaxconn is set to the "
        "lower value of 128.",
        "listen() was called with a larger backlog than its network namespace allows: the queue is as long as "
        "somaxconn",
        (("net.core.somaxconn", "of that network namespace, when listen() is called"), ("listen queue", "if full")),
        "sysctl net.core.somaxconn where redis runs (in a container: compose sysctls:), then restart redis; only worth "
        "it if its queue is ever seen full",
        "sysctl on the host for a container: a network namespace has its own value; without a restart nothing changes",
    ),
    Entry(
        "setpipe-eperm",
        _line(rf"(f_setpipe_sz|set ?pipe|pipe (size|capacity|buffer)).*{_NO_PERMISSION}"),
        "fcntl(F_SETPIPE_SZ): Operation not permitted",
        "a user without privileges asked for a larger pipe than it may have",
        (
            ("fs.pipe-max-size", "the size asked for is above it"),
            ("fs.pipe-user-pages-soft", "the user's pipes together are above it; new ones then get 8 KiB"),
        ),
        "ask for no more than fs.pipe-max-size; fewer pipes of that user, or sysctl fs.pipe-user-pages-soft",
        "ulimit -p: it shows a constant and sets nothing; PIPE_BUF: atomicity, not capacity",
    ),
    Entry(
        "ipc-removed",
        _line(
            rf"(semctl|semop|shmctl|shmat|msgrcv).*({_INVALID}|identifier removed|eidrm)"
            r"|identifier removed|could not open shared memory segment.*no such file"
        ),
        "semctl(3, 4, SETVAL, 0) failed: Invalid argument",
        "the object is gone while the program still uses it: logind removes a user's IPC objects at the last logout",
        (("RemoveIPC", "logind.conf; on by default; system users (uid below 1000) are spared"),),
        "run the service as a system user; or RemoveIPC=no in /etc/systemd/logind.conf, systemctl restart "
        "systemd-logind; then restart the service",
        "kernel.sem and shmmax: no limit was hit; a nightly restart only hides it",
        ("remove-ipc",),
    ),
    Entry(
        "semget-einval",
        _line(rf"semget.*{_INVALID}"),
        "semget: Invalid argument",
        "more semaphores in one array than semmsl, or an older, smaller array has the same key",
        (("kernel.sem.semmsl", "too many in one array"),),
        "sysctl kernel.sem with a larger first value; or remove the older array (ipcs -s, ipcrm -s ID)",
        "kernel.sem = 250 …: 32000 is upstream's default",
    ),
    Entry(
        "semop-e2big",
        _line(r"semop.*(argument list too long|e2big)"),
        "semop: Argument list too long",
        "more operations in one semop() than semopm",
        (("kernel.sem.semopm", "too many in one call"),),
        "sysctl kernel.sem with a larger third value, at once",
        "ARG_MAX, ulimit -s: these are about exec",
    ),
    Entry(
        "conntrack-full",
        _line(r"nf_conntrack.*table full|nf_conntrack_max"),
        "nf_conntrack: nf_conntrack: table full, dropping packet",
        "the kernel tracks as many connections as it may and drops new ones, those over loopback too",
        (("net.netfilter.nf_conntrack_max", "too many tracked connections"),),
        "do not track lo (a NOTRACK rule), or sysctl net.netfilter.nf_conntrack_max; at once",
        "net.core.somaxconn, file limits: packets are dropped before any listener sees them",
    ),
    Entry(
        "mlock-enomem",
        _line(r"(mlock|lock.*memory|shm_lock|io_uring).*(cannot allocate memory|enomem|errno 12\b|not permitted)"),
        "mlockall: Cannot allocate memory",
        "more memory was to be locked than the process may lock; memory itself is not short",
        (("RLIMIT_MEMLOCK", "of that process"),),
        "LimitMEMLOCK= in the unit (systemctl edit), or ulimits: memlock in compose, and a restart",
        "vm.overcommit_memory, more RAM: the limit is on locking",
    ),
    Entry(
        "too-many-files",
        _line(rf"(accept|open|socket|pipe|failed|error).*{_MANY}|{_MANY}"),
        "accept4() failed (24: Too many open files)",
        "the process has as many descriptors open as it may",
        (("RLIMIT_NOFILE", "of that process"), ("fs.file-max", "only where it says: in system")),
        "LimitNOFILE= in the unit (systemctl edit), or ulimits: nofile in compose, and a restart; nginx: "
        "worker_rlimit_nofile",
        "fs.file-max: it is the whole machine's; limits.conf: systemd's services do not read it",
    ),
    Entry(
        "devlog-full",
        _line(rf"(/dev/log|syslog|sendto|sendmsg|journal).*({_AGAIN}|no buffer space)"),
        "sendto(/dev/log): Resource temporarily unavailable",
        "the receiver's queue of datagrams is full: it is behind",
        (("datagram queue", "messages; fixed when the receiver made its socket"),),
        "find who logs so much; else sysctl net.unix.max_dgram_qlen and a restart of the receiver",
        "net.core.wmem_max: bytes of the sender; the queue counts messages",
    ),
)  # fmt: skip
