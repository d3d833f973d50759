"""Every platform that we know of, read from a tree: what is there is told, what is not is unknown, nothing raises."""

import json
from pathlib import Path

import pytest
from tests.trees.make import TREES, idle, process, root_of, write

from ipctune.host import read_host
from ipctune.host.findings import findings, inspect
from ipctune.host.findings_idle import idle_words
from ipctune.host.model import Host
from ipctune.host.recorded import open_recorded
from ipctune.host.root import DirectorySource, Root
from ipctune.report.inspect import render

RECORDED = Path(__file__).parents[2] / "trees" / "kvm-haltpoll.tar.gz"


def read(name: str) -> Host:
    return read_host(root_of(TREES[name]()))


@pytest.mark.parametrize("tree", TREES)
def test_a_folder_reads_like_memory(tree: str, tmp_path: Path) -> None:
    top = write(TREES[tree](), tmp_path)
    assert read_host(Root(DirectorySource(top), live=False)) == read(tree)


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("tree", TREES)
def test_screen_fits_80_columns(tree: str, everything: bool) -> None:
    screen = render(inspect(root_of(TREES[tree]())), everything=everything)
    assert max(len(line) for line in screen.splitlines()) <= 80
    assert "None" not in screen


def test_lowered_limits_name_file_and_line() -> None:
    found = {finding.id: finding for finding in findings(read("bare_metal"))}
    assert "/etc/sysctl.d/90-oracle.conf:1" in found["lowered-kernel.shmmax"].what
    assert "/etc/sysctl.d/90-oracle.conf:2" in found["lowered-kernel.sem"].what
    assert found["lowered-kernel.shmmax"].severity == "fix"


def test_topology_of_two_sockets_with_siblings() -> None:
    host = read("bare_metal")
    assert host.cpus.sockets == 2
    assert host.cpus.smt is True
    assert len(host.cpus.cores) == 4


def test_steal_is_unknown_where_nobody_reports_it() -> None:
    files = TREES["debian12_kvm"]()
    files["/facts.json"] = files["/facts.json"].replace('"steal_time": true', '"steal_time": false')
    files["/proc/stat"] = "cpu  100 0 50 800 1 0 5 0 0 0\n"
    result = inspect(root_of(files))
    assert result.host.steal.reported is False
    assert "steal      unknown: this hypervisor reports none; own jitter 0.4 %" in render(result)


def test_without_the_core_the_features_are_unknown() -> None:
    files = TREES["debian12_kvm"]()
    del files["/facts.json"]
    screen = render(inspect(root_of(files)))
    assert "unknown: needs the core" in screen
    assert "KVM guest" in screen


def test_an_image_run_as_a_machine_is_no_container() -> None:
    files = TREES["debian12_kvm"]() | {"/.dockerenv": ""}
    first = {"/proc/self/ns/pid": "pid:[4026531836]"}
    assert read_host(root_of(files, first)).container.name is None
    assert read_host(root_of(files, {"/proc/self/ns/pid": "pid:[4026532001]"})).container.name == "docker"


def test_the_recorded_machine() -> None:
    host = read_host(open_recorded(RECORDED))
    assert host.recorded
    assert host.idle.haltpoll is not None
    assert host.idle.haltpoll.guest_halt_poll_ns == 0
    assert host.hypervisor.kvm is not None
    assert "boot line; upstream: 200000" in idle_words(host)[0]
    assert "idle-halts" in {finding.id for finding in findings(host) if finding.severity == "fix"}


@pytest.mark.parametrize("tree", TREES)
def test_no_factor_is_claimed(tree: str) -> None:
    """No screen states a gain that was not measured on the machine."""
    screen = render(inspect(root_of(TREES[tree]())), everything=True)
    assert "times faster" not in screen
    assert "×" not in screen


def test_the_four_values_of_sem_are_one_finding() -> None:
    found = [finding for finding in findings(read("bare_metal")) if "kernel.sem" in finding.id]
    assert len(found) == 1
    assert "kernel.sem='32000 1024000000 500 32000'" in found[0].todo


def test_advice_that_would_lower_is_named_and_what_would_not_is_left_out() -> None:
    said = {advice.key for advice in inspect(root_of(TREES["debian12_kvm"]())).not_to_do}
    assert {"kernel.shmmax", "kernel.msgmni", "kernel.sem", "vm.swappiness", "kernel.sched_*"} <= said
    assert not {"kernel.shmmax", "kernel.sem"} & {
        advice.key for advice in inspect(root_of(TREES["bare_metal"]())).not_to_do
    }


def test_limits_are_fine_unless_a_finding_names_them() -> None:
    fine = inspect(root_of(TREES["debian12_kvm"]()))
    assert fine.fine == sum(one.value is not None or one.unlimited for one in fine.host.limits.values())
    lowered = inspect(root_of(TREES["bare_metal"]()))
    assert lowered.fine == len(lowered.host.limits) - len(["shmmax", "semmsl", "semmns", "semopm", "semmni"])


def test_findings_come_ranked() -> None:
    for tree in TREES:
        order = [(one.severity != "fix", -one.rank) for one in findings(read(tree))]
        assert order == sorted(order)


def test_a_request_for_short_wake_ups_is_named() -> None:
    files, links = process(812, "tuned", 0, ["/dev/null", "/dev/cpu_dma_latency"])
    found = findings(read_host(root_of(TREES["debian12_kvm"]() | files, links)))
    assert any("tuned (pid 812) holds /dev/cpu_dma_latency" in one.what for one in found)


def test_pipes_of_a_user_count_once_and_against_the_soft_limit() -> None:
    shared = [f"pipe:[{number}]" for number in range(1000)]
    first, first_links = process(900, "php", 33, shared)
    second, second_links = process(901, "php", 33, shared)
    host = read_host(root_of(TREES["debian12_kvm"]() | first | second, first_links | second_links))
    limit = host.limits["fs.pipe-user-pages-soft"]
    assert (limit.use, limit.who, limit.estimated) == (16000, "uid 33, 1000 pipes", True)
    assert "full-fs.pipe-user-pages-soft" in {finding.id for finding in findings(host)}


@pytest.mark.parametrize(
    ("governor", "poll", "words"),
    [
        ("haltpoll", "0", "halts at once"),
        ("haltpoll", "200000", "polls up to 200 µs after work"),
        ("haltpoll", "", "could not be read"),
        ("menu", "0", "has to wake it"),
    ],
)
def test_words_for_the_idle_loop(governor: str, poll: str, words: str) -> None:
    files = TREES["debian12_kvm"]() | idle(
        "haltpoll", governor, "menu haltpoll", [("POLL", 0, 1), ("haltpoll idle", 1, 1)]
    )
    files["/sys/module/haltpoll/parameters/guest_halt_poll_ns"] = poll
    assert words in idle_words(read_host(root_of(files)))[1]


@pytest.mark.parametrize(("asked", "halts"), [(0, False), (2_000_000_000, True)])
def test_a_request_for_0_means_that_nothing_halts(asked: int, halts: bool) -> None:
    files = TREES["debian12_kvm"]() | idle(
        "haltpoll", "haltpoll", "haltpoll", [("POLL", 0, 1), ("haltpoll idle", 1, 1)]
    )
    files["/sys/module/haltpoll/parameters/guest_halt_poll_ns"] = "0"
    told = json.loads(files["/facts.json"])
    told["observed"]["cpu_dma_latency"] = asked
    host = read_host(root_of(files | {"/facts.json": json.dumps(told)}))
    assert ("idle-halts" in {finding.id for finding in findings(host)}) == halts
    assert ("polls always" in idle_words(host)[0]) != halts


def test_idle_poll_on_the_boot_line_is_a_price_and_nothing_to_fix() -> None:
    files = TREES["debian12_kvm"]() | {"/proc/cmdline": "idle=poll\n"}
    host = read_host(root_of(files))
    assert "polls always" in idle_words(host)[0]
    assert "idle-always-polls" in {finding.id for finding in findings(host)}
