"""What the numbers mean: each limit has its line to change and its restart, and the fullest comes first."""

import pytest
from tests.trees.make import root_of

from ipctune.host.finding import Finding
from ipctune.report.fit import fit
from ipctune.report.services import render
from ipctune.services.findings import find, merged
from ipctune.services.logind import at_risk, removes_ipc
from ipctune.services.model import Holder, Object, Report, Service, Use
from ipctune.services.orphans import mark
from ipctune.services.processes import read_processes
from ipctune.services.spaces import why_not

FPM = Holder(7, "php-fpm8.3", Service("php8.3-fpm.service", "unit"))
PG = Holder(8, "postgres", Service("pg", "container"))
LOOSE = Holder(9, "celery", Service("celery", "program"))


def listening(holder: Holder, place: str = "", most: int = 128) -> Use:
    return Use("listen queue", "/run/x.sock", 0, most, "connections", holder, peak=most + 1, looks=40, full_looks=3,
               place=place)  # fmt: skip


def one(use: Use, somaxconn: int = 4096) -> Finding:
    (found,) = find([use], [], [], {use.place: somaxconn})
    return found


def test_the_queue_of_php_fpm() -> None:
    found = one(listening(FPM))
    assert found.severity == "fix"
    assert found.what == "listen queue /run/x.sock: 129 of 128 waiting, seen full in 3 of 40 looks"
    assert "listen.backlog = 1024, then systemctl restart php8.3-fpm" in found.todo
    assert "raising somaxconn would do nothing: it is 4096" in found.todo


def test_somaxconn_is_named_where_it_is_what_caps() -> None:
    found = one(listening(Holder(3, "redis-server", Service("cache", "container")), "container cache"), 128)
    assert "compose: sysctls: net.core.somaxconn" in found.todo
    assert "tcp-backlog 1024" in found.todo
    assert "restart the container cache" in found.todo


@pytest.mark.parametrize(
    ("program", "word"),
    [("nginx", "backlog=1024; , then systemctl reload"), ("postgres", "max_connections"), ("mysqld", "back_log = 1024"),
     ("uwsgi", "listen = 1024"), ("gunicorn", "--backlog 1024"), ("mine", "the program's own setting for listen()")],
)  # fmt: skip
def test_programs_and_their_lines(program: str, word: str) -> None:
    found = one(listening(Holder(3, program, Service("a.service", "unit"))))
    assert word.replace("; ,", ";,") in found.todo


def test_a_queue_of_one_means_to_be_short() -> None:
    assert find([listening(FPM, most=1)], [], [], {}) == ()


def test_dev_shm_of_a_container_grows_where_the_container_is_made() -> None:
    found = one(Use("/dev/shm", "", 58 << 20, 64 << 20, "bytes", PG, place="container pg"))
    assert "compose: shm_size: 256m" in found.todo
    assert "the host's /dev/shm does not help" in found.todo
    assert found.limit == ""


@pytest.mark.parametrize(
    ("holder", "line"),
    [(FPM, "systemctl edit php8.3-fpm: [Service] LimitNOFILE=2048, then systemctl restart php8.3-fpm"),
     (PG, "compose: ulimits: nofile: 2048, then a new container"), (LOOSE, "/etc/security/limits.d")],
)  # fmt: skip
def test_open_files(holder: Holder, line: str) -> None:
    assert line in one(Use("RLIMIT_NOFILE", "pid 7", 1000, 1024, "files", holder, peak=1000)).todo


@pytest.mark.parametrize(
    ("limit", "unit", "word"),
    [("fs.pipe-user-pages-soft", "pages", "8 KiB"), ("ephemeral ports", "ports", "Cannot assign requested address"),
     ("net.netfilter.nf_conntrack_max", "connections", "table full"), ("kernel.msgmnb", "bytes", "EAGAIN"),
     ("RLIMIT_MSGQUEUE", "bytes", "Too many open files"), ("RLIMIT_MEMLOCK", "bytes", "Cannot allocate memory"),
     ("kernel.sem.semmni", "arrays", "ENOSPC"), ("mq_maxmsg", "messages", "mq_send"),
     ("net.ipv4.tcp_max_tw_buckets", "sockets", "TIME_WAIT")],
)  # fmt: skip
def test_every_limit_says_what_users_will_see(limit: str, unit: str, word: str) -> None:
    found = one(Use(limit, "x", 95, 100, unit, LOOSE))
    assert word in found.why
    assert found.todo
    assert "suggested" not in found.todo


def test_what_is_not_near_is_not_said() -> None:
    assert find([Use("RLIMIT_NOFILE", "pid 7", 10, 1024, "files", FPM)], [], [], {}) == ()
    assert find([Use("kernel.shmmax", "", 4096, 4096, "bytes")], [], [], {}) == ()
    assert find([Use("RLIMIT_NOFILE", "pid 7", 10, None, "files", FPM, unlimited=True)], [], [], {}) == ()


def test_the_fullest_comes_first() -> None:
    found = find([Use("kernel.shmmni", "", 85, 100, "segments"), listening(FPM)], [], [], {"": 4096})
    assert [finding.topic for finding in found] == [FPM.label, "kernel.shmmni"]


def test_a_service_takes_the_place_of_the_machines_own_word_for_the_same_limit() -> None:
    machine = (Finding("full-/dev/shm", "fix", "/dev/shm", "x", "y", "z", 80, "/dev/shm"),
               Finding("tuned", "know", "tuned", "x", "y", "z", 33))  # fmt: skip
    services = find([Use("/dev/shm", "", 62, 64, "bytes", LOOSE)], [], [], {})
    assert [finding.id for finding in merged(machine, services, 5)] == [services[0].id, "tuned"]
    assert merged(machine, (), 5) == machine


def array(uid: int, place: str = "") -> Object:
    return Object("sem-array", f"sem:{uid}", "key 0x0", uid, f"u{uid}", amount=1, place=place, remove=f"ipcrm -s {uid}")


def file(holders: tuple[Holder, ...] | None) -> Object:
    return Object("posix-shm", "shm:a", "/dev/shm/a", 0, "root", bytes=4096, holders=holders, remove="rm -- /dev/shm/a")


def test_orphans() -> None:
    segment = Object("shm-segment", "shm-segment:1", "key 0x1", 33, "www", amount=0, bytes=1)
    marked = mark([array(33), array(0), file(()), file((LOOSE,)), file(None), segment], frozenset({0}), complete=True)
    assert [found.orphan for found in marked] == [True, False, True, False, False, True]
    assert not any(found.orphan for found in mark([array(33), file(())], frozenset(), complete=False))


def test_orphans_are_findings_only_in_our_own_namespaces() -> None:
    marked = mark([array(33), array(34, "container pg"), file(())], frozenset({0}), complete=True)
    told = {finding.id: finding.todo for finding in find([], marked, [], {})}
    assert set(told) == {"orphans:sem:u33", "orphans:shm"}
    assert "ipcrm -s 33" in told["orphans:sem:u33"]


def machine(conf: str, uid: int, cgroup: str, logind: str = "systemd-logind") -> dict[str, str]:
    def process(pid: int, name: str, user: int, group: str) -> dict[str, str]:
        status = f"Name:\t{name}\nPid:\t{pid}\nUid:\t{user}\t{user}\t{user}\t{user}\nVmSize:\t1 kB\n"
        return {f"/proc/{pid}/status": status, f"/proc/{pid}/cgroup": group, f"/proc/{pid}/limits": ""}

    files = {"/etc/systemd/logind.conf": conf}
    files |= process(5, logind, 0, "0::/system.slice/systemd-logind.service")
    return files | process(6, "postgres", uid, cgroup)


@pytest.mark.parametrize(
    ("conf", "uid", "cgroup", "logind", "risk"),
    [
        ("#RemoveIPC=yes\n", 1000, "0::/system.slice/pg.service", "systemd-logind", True),
        ("RemoveIPC=no\n", 1000, "0::/system.slice/pg.service", "systemd-logind", False),
        ("", 999, "0::/system.slice/pg.service", "systemd-logind", False),
        ("", 1000, "0::/user.slice/user-1000.slice/session-1.scope", "systemd-logind", False),
        ("", 1000, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/pg.service", "systemd-logind", False),
        ("", 1000, "0::/system.slice/pg.service", "elogind", False),
        ("", 65534, "0::/system.slice/pg.service", "systemd-logind", False),
    ],
)
def test_a_service_under_a_logins_uid(conf: str, uid: int, cgroup: str, logind: str, risk: bool) -> None:
    root = root_of(machine(conf, uid, cgroup, logind))
    found = at_risk(root, read_processes(root))
    assert [process.program for process in found] == (["postgres"] if risk else [])


def test_what_a_service_under_a_logins_uid_loses() -> None:
    root = root_of(machine("", 1000, "0::/system.slice/pg.service"))
    risk = at_risk(root, read_processes(root))
    assert find([], [], risk, {})[0].severity == "know"
    (found,) = find([], [array(1000)], risk, {})
    assert found.severity == "fix"
    assert "RemoveIPC=no" in found.todo


def test_drop_ins_of_logind_have_the_last_word() -> None:
    files = {"/etc/systemd/logind.conf": "[Login]\nRemoveIPC=yes\n"}
    assert removes_ipc(root_of({}))
    assert removes_ipc(root_of(files))
    assert not removes_ipc(root_of(files | {"/usr/lib/systemd/logind.conf.d/10-x.conf": "RemoveIPC=no\n"}))
    both = files | {"/usr/lib/systemd/logind.conf.d/10-x.conf": "RemoveIPC=no\n",
                    "/etc/systemd/logind.conf.d/10-x.conf": "RemoveIPC = yes\n"}  # fmt: skip
    assert removes_ipc(root_of(both))


def test_the_screen_of_a_busy_machine_fits() -> None:
    uses = (listening(FPM), Use("/dev/shm", "", 58 << 20, 64 << 20, "bytes", PG, place="container pg"))
    objects = mark([array(33), file(()), file((PG, PG, LOOSE))], frozenset({0}), complete=True)
    report = Report((FPM.service,), uses, objects, (), find(uses, objects, [], {"": 4096}), (), 40, 1.0)
    shown = render(report, everything=True)
    assert max(map(len, shown.splitlines())) <= 80
    assert "LEFT OVER" in shown
    assert "2 postgres (container pg), celery" in " ".join(shown.split())
    short = render(report).splitlines()
    assert max(map(len, short)) <= 80
    assert any(line.endswith("2 postgres (container pg),…") or line.endswith("(container pg)…") for line in short)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 5, "short"),
        ("namespace of python (pid 5123)", 27, "namespace of python (pid…"),
        ("scheduling by session (autogroup) kernel.x", 37, "scheduling by session (autogroup)…"),
        ("one two", 4, "one…"),
        ("/run/a-long-path-of-one-word", 10, "/run/a-lo…"),
    ],
)
def test_a_text_is_shortened_at_a_word(text: str, width: int, shown: str) -> None:
    assert fit(text, width) == shown
    assert len(fit(text, width)) <= width


def test_a_process_that_ended_meanwhile_is_said_so_in_words() -> None:
    gone = FileNotFoundError(2, "No such file or directory", "/proc/8498/ns/ipc")
    assert why_not(gone) == why_not(ProcessLookupError(3, "No such process")) == "ended meanwhile"
    assert why_not(PermissionError(1, "Operation not permitted", "/proc/1/ns/ipc")) == "Operation not permitted"
    assert why_not(NotImplementedError("no setns here")) == "no setns here"
