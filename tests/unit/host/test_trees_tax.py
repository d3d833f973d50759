"""The tax on every system call, from trees: who stands in its way, and the measured ns, or that nobody knows."""

import json
from typing import Any

import pytest
from tests.trees.make import TREES, Files, process, root_of

from ipctune.host import read_host
from ipctune.host.finding import Finding
from ipctune.host.findings import findings, inspect
from ipctune.host.findings_tax import at_system_calls
from ipctune.host.model import BpfProgram, Host
from ipctune.host.record import recorded_files
from ipctune.host.root import MappingSource, Root
from ipctune.report.inspect import render

BASE = TREES["debian12_kvm"]
LINK = "link_type:\traw_tracepoint\nlink_id:\t4\nprog_tag:\tf1d2d2f924e986ac\nprog_id:\t31\ntp_name:\tsys_enter\n"
PROGRAM = "prog_type:\t17\nprog_jited:\t1\nprog_id:\t31\nmemlock:\t4096\n"
OTHER = "prog_type:\t5\nprog_id:\t44\n"


def told(files: Files, **observed: object) -> Files:
    """The tree with more facts of what system calls told."""
    facts: dict[str, Any] = json.loads(files["/facts.json"])
    facts["observed"] |= observed
    return files | {"/facts.json": json.dumps(facts)}


def agent() -> tuple[Files, dict[str, str]]:
    """A security agent that holds a program at sys_enter and its link, and one of another tracepoint."""
    files, links = process(
        640, "falco", 0, ["/dev/null", "anon_inode:bpf-prog", "anon_inode:bpf_link", "anon_inode:bpf-prog"]
    )
    files |= {f"/proc/640/fdinfo/{fd}": text for fd, text in ((1, PROGRAM), (2, LINK), (3, OTHER))}
    return BASE() | files, links


def tax(host: Host) -> Finding | None:
    found = [one for one in findings(host) if one.id == "syscall-tax"]
    assert len(found) <= 1
    return found[0] if found else None


def test_nothing_in_the_way_is_no_finding() -> None:
    assert tax(read_host(root_of(BASE()))) is None


def test_open_descriptors_tell_program_tracepoint_and_holder_without_root() -> None:
    files, links = agent()
    host = read_host(root_of(files, links))
    assert [(p.id, p.type, p.at) for p in host.tax.programs] == [
        (31, "raw_tracepoint", "sys_enter"),
        (44, "tracepoint", ""),
    ]
    assert not host.tax.programs_complete
    finding = tax(host)
    assert finding is not None
    assert "a null one takes 120 ns" in finding.what
    assert "1 eBPF program (falco (pid 640))" in finding.what
    assert "ask whoever runs" in finding.todo


def test_what_bpf_told_is_joined_with_the_holder() -> None:
    files, links = agent()
    rows = [
        {"id": 31, "type": "raw_tracepoint", "name": "watch", "at": "sys_enter", "ns": 131.4},
        {"id": 32, "type": "tracing", "name": "sys_exit_hook", "at": None, "ns": 20},
        {"id": 33, "type": "kprobe", "name": "tcp_connect", "at": None, "ns": None},
        "garbage",
        {"id": "x", "ns": True},
    ]
    host = read_host(root_of(told(files, bpf=rows), links))
    assert host.tax.programs_complete
    assert {p.id for p in host.tax.programs} == {31, 32, 33, 44, None}
    finding = tax(host)
    assert finding is not None
    assert "2 eBPF programs (falco (pid 640), sys_exit_hook, 131 ns by the kernel's own count)" in finding.what


@pytest.mark.parametrize(
    ("name", "at", "there"),
    [
        ("x", "sys_enter", True),
        ("x", "sys_exit", True),
        ("x", "sched_switch", False),
        ("sys_enter_but_not", "sched_switch", False),
        ("tp__syscalls__sy", "", True),
        ("sys_enter_openat", "", True),
        ("handle_sched", "", False),
    ],
)
def test_a_program_is_at_system_calls_by_its_tracepoint_or_name(name: str, at: str, there: bool) -> None:
    assert at_system_calls(BpfProgram(1, "tracing", name, at, "", None)) is there


@pytest.mark.parametrize(
    ("audit", "words"),
    [
        ({"enabled": 1, "rules": 12, "daemon": 501}, "audit with 12 rules"),
        ({"enabled": 2, "rules": 1, "daemon": 0}, "audit with 1 rule"),
        ({"enabled": 1}, "in its way: audit"),
        ({"enabled": 0, "rules": 12, "daemon": 501}, None),
        ({"rules": 12}, None),
        ("garbage", None),
        (None, None),
    ],
)
def test_audit(audit: object, words: str | None) -> None:
    finding = tax(read_host(root_of(told(BASE(), audit=audit))))
    assert (finding is not None) == (words is not None)
    if finding is not None and words is not None:
        assert words in finding.what
        assert "ask their owner" in finding.todo


def test_seccomp_filters_are_counted_by_program() -> None:
    files = BASE()
    for pid, (name, mode) in enumerate(
        [("php-fpm", 2), ("php-fpm", 2), ("redis", 0), ("resolved", 2), ("old", 1)], 700
    ):
        made, _ = process(pid, name, 33, [])
        made[f"/proc/{pid}/status"] += f"Seccomp:\t{mode}\nSeccomp_filters:\t{pid - 698}\n"
        files |= made
    host = read_host(root_of(files))
    assert host.tax.filtered == {"php-fpm": 3, "resolved": 5}
    finding = tax(host)
    assert finding is not None
    assert "seccomp filters in 2 programs (php-fpm, resolved)" in finding.what


def test_mitigations_are_reported_and_never_to_be_changed() -> None:
    finding = tax(read_host(root_of(TREES["bare_metal"]())))
    assert finding is not None
    assert "mitigations of 2 CPU flaws (mds, meltdown)" in finding.what
    assert "leave them" in finding.todo
    assert finding.severity == "know"
    assert tax(read_host(root_of(TREES["xen_pv"]()))) is None, "l1tf is not paid for at system calls"


def test_without_the_core_the_ns_are_unknown() -> None:
    files = TREES["bare_metal"]()
    del files["/facts.json"]
    finding = tax(read_host(root_of(files)))
    assert finding is not None
    assert "unknown: needs the core" in finding.what


@pytest.mark.parametrize("tree", TREES)
def test_no_way_to_switch_a_mitigation_off_is_named(tree: str) -> None:
    screen = render(inspect(root_of(TREES[tree]())), everything=True)
    assert "mitigations=off" not in screen
    assert "nopti" not in screen


def test_it_survives_a_recording() -> None:
    files, links = agent()
    root = root_of(
        told(files, bpf=[{"id": 31, "type": "tracing", "name": "a", "at": None, "ns": 1.5}], audit={"enabled": 1}),
        links,
    )
    before = read_host(root)
    kept, kept_links = recorded_files(root)
    assert read_host(Root(MappingSource(kept, kept_links), live=False)).tax == before.tax
    assert before.tax.programs != ()
    assert before.tax.audit is not None
