"""Where systemd runs: the watchdog is a unit, the deadline a timer of PID 1's; a reboot forgets what was tried."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.nspawn import Booted

QLEN = "net.unix.max_dgram_qlen"
_NOW = f"sysctl -n {QLEN}"
_PROGRAM = "python3 -m ipctune"


@pytest.fixture
def host(one: Booted) -> Iterator[Booted]:
    """The machine with nothing set; what a test leaves is reverted."""
    one.run(f"sysctl -q -w {QLEN}=100")
    yield one
    one.run(f"{_PROGRAM} revert")
    assert one.text("systemctl list-units --all --plain --no-legend 'ipctune*'") == ""


def keep(host: Booted, seconds: int, *, value: int = 1024, more: str = "", env: str = "") -> None:
    host.run(f"{env} python3 /opt/tests/keeper.py {seconds} {QLEN}={QLEN}={value} {more}")


def status(host: Booted) -> dict[str, object]:
    found: dict[str, object] = json.loads(host.text(f"{_PROGRAM} status --json"))
    return found


def show(host: Booted, unit: str, name: str) -> str:
    return host.text(f"systemctl show --property={name} --value {unit}")


def elapses(host: Booted) -> int:
    """When PID 1 will fire the deadline's timer, in seconds since the epoch."""
    return int(host.text(f'date -d "{show(host, "ipctune-deadline.timer", "NextElapseUSecRealtime")}" +%s'))


def test_the_watchdog_is_a_unit_of_its_own_and_small(host: Booted) -> None:
    keep(host, 600, more="cpu-dma-latency=latency_us=0")
    assert show(host, "ipctune-watchdog.service", "ActiveState") == "active"
    assert show(host, "ipctune-watchdog.service", "Slice") == "system.slice"
    assert show(host, "ipctune-watchdog.service", "OOMScoreAdjust") == "-900"
    pid = show(host, "ipctune-watchdog.service", "MainPID")
    assert "/dev/cpu_dma_latency" in host.text(f"readlink /proc/{pid}/fd/*")
    assert int(host.text(f"awk '/VmRSS/ {{print $2}}' /proc/{pid}/status")) * 1024 <= 20e6
    assert host.text(_NOW) == "1024"


def test_it_outlives_the_login_that_started_it(host: Booted) -> None:
    host.run(
        "mkdir -p /etc/systemd/logind.conf.d;"
        " printf '[Login]\\nKillUserProcesses=yes\\n' >/etc/systemd/logind.conf.d/k.conf"
    )
    host.run("systemctl restart systemd-logind")
    command = f"python3 /opt/tests/keeper.py 600 {QLEN}={QLEN}=1024 && touch /run/held; exec sleep 500"
    host.run(
        "systemd-run --quiet --collect --unit=login -p PAMName=login -p Environment=PYTHONPATH=/opt/ipctune"
        f" -p StandardInput=null sh -c '{command}'"
    )
    host.wait("test -e /run/held")
    session = host.text("loginctl list-sessions --no-legend | awk '{print $1; exit}'")
    host.run(f"loginctl terminate-session {session}; systemctl stop login")
    host.wait("! pgrep -f 'sleep 50[0]'")
    assert show(host, "ipctune-watchdog.service", "ActiveState") == "active"
    assert host.text(_NOW) == "1024"


def test_a_killed_tuner_is_taken_back_at_once(host: Booted) -> None:
    host.run(f"setsid python3 /opt/tests/keeper.py 0 {QLEN}={QLEN}=1024 >/run/trying 2>&1 & echo $! >/run/pid")
    host.wait("grep -q trying /run/trying")
    assert host.text(_NOW) == "1024"
    host.run("kill -9 $(cat /run/pid)")
    host.wait(f"test $({_NOW}) = 100")
    host.wait("! systemctl is-active --quiet ipctune-watchdog")
    assert "tuner died" in host.text(f"{_PROGRAM} log")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_the_timer_reverts_when_everything_of_ours_was_killed(host: Booted, zone: str) -> None:
    keep(host, 4, more="haltpoll=guest_halt_poll_ns=200000", env=f"TZ={zone}")
    host.run("systemctl kill --signal=KILL ipctune-watchdog.service")
    host.wait("! systemctl is-active --quiet ipctune-watchdog")
    host.run("rm -rf /var/lib/ipctune/lib-*")
    assert host.text(_NOW) == "1024"
    host.wait(f"test $({_NOW}) = 100")
    assert host.text("cat /sys/module/haltpoll/parameters/guest_halt_poll_ns") == "100000"
    assert show(host, "ipctune-watchdog.service", "ActiveState") != "active"


def test_keep_moves_the_timer(host: Booted) -> None:
    keep(host, 600)
    first = elapses(host)
    host.run(f"TZ=Asia/Tokyo {_PROGRAM} keep --for 2h")
    moved = elapses(host)
    assert 2 * 3600 - 600 - 60 < moved - first < 2 * 3600
    assert abs(float(str(status(host)["until"])) - moved) <= 3
    assert host.text("systemctl list-timers --no-legend 'ipctune*' | wc -l") == "1"


def test_revert_takes_watchdog_and_timer_away(host: Booted) -> None:
    keep(host, 600)
    host.run(f"{_PROGRAM} revert")
    assert host.text(_NOW) == "100"
    assert host.text("systemctl list-units --all --plain --no-legend 'ipctune*'") == ""


def test_a_foreign_value_is_left_alone_by_the_timer(host: Booted) -> None:
    keep(host, 3)
    host.run("systemctl kill --signal=KILL ipctune-watchdog.service")
    host.run(f"sysctl -q -w {QLEN}=77")
    host.wait("! systemctl is-active --quiet ipctune-deadline.timer")
    host.wait("journalctl -u ipctune-deadline.service --no-pager | grep -q 'left alone.*77'")
    assert host.text(_NOW) == "77"


def test_a_namespace_of_its_own_gets_a_watchdog_that_sees_it(host: Booted) -> None:
    """A unit of PID 1's can't restore what lies in our network namespace: then it is a process of ours."""
    inside = (
        f"mount -t sysfs sysfs /mnt; sysctl -q -w {QLEN}=200; python3 /opt/tests/keeper.py 600 {QLEN}={QLEN}=1024;"
        f"cat /var/lib/ipctune/watchdog.json; echo; stat -Lc %i /proc/self/ns/net; {_PROGRAM} revert >&2; {_NOW}"
    )
    facts, own, value = host.text(f"unshare --net --mount sh -c '{inside}'").splitlines()[1:]
    assert json.loads(facts)["namespaces"]["net"] == int(own)
    assert value == "200"


@pytest.mark.parametrize("crash", [False, True], ids=["shutdown", "reset"])
def test_a_reboot_before_commit_returns_to_the_original(host: Booted, crash: bool) -> None:
    keep(host, 600, more="cpu-dma-latency=latency_us=0")
    at_boot = 512  # systemd's own: the kernel's 10 raised by PID 1
    host.reboot(crash=crash)
    assert host.text(_NOW) == str(at_boot)
    assert host.text("systemctl list-units --all --plain --no-legend 'ipctune*'") == ""
    found = status(host)
    assert found["state"] in ("nothing", "left behind")
    settings = found["settings"]
    assert isinstance(settings, list)
    assert all(s["state"] in ("of an earlier boot", "not held any more") for s in settings)
    assert f"{QLEN}" in host.text(f"{_PROGRAM} log")
    host.run(f"{_PROGRAM} revert")
    assert host.text(_NOW) == str(at_boot)
    assert status(host)["state"] == "nothing"


def test_nothing_is_tried_where_others_can_write_pythons_library(host: Booted) -> None:
    host.run("chmod o+w /usr/lib/python3.11")
    try:
        refused = host.run(f"python3 /opt/tests/keeper.py 600 {QLEN}={QLEN}=1024", check=False)
    finally:
        host.run("chmod o-w /usr/lib/python3.11")
    assert "root's watchdog must not run it" in refused.stderr
    assert host.text(_NOW) == "100"


def test_programs_in_the_callers_path_are_not_run(host: Booted) -> None:
    evil = "for t in systemctl systemd-run sh cat; do printf '#!/bin/sh\\necho $0 >>/root/ran' >/root/evil/$t; done"
    host.run(f"mkdir -p /root/evil; {evil}; chmod 755 /root/evil/*")
    path = "PATH=/root/evil:$PATH"
    host.run(f"{path} /usr/bin/python3 /opt/tests/keeper.py 600 {QLEN}={QLEN}=1024 cpu-dma-latency=latency_us=0")
    host.run(f"{path} /usr/bin/python3 -m ipctune commit --yes; {path} /usr/bin/python3 -m ipctune revert")
    assert host.run("test -e /root/ran", check=False).returncode != 0


def test_no_umask_opens_a_file_of_ours(host: Booted) -> None:
    host.run(f"umask 0; python3 /opt/tests/keeper.py 600 {QLEN}={QLEN}=1024 cpu-dma-latency=latency_us=0")
    host.run(f"umask 0; {_PROGRAM} commit --yes")
    folders = "/var/lib/ipctune /etc/sysctl.d /etc/tmpfiles.d /etc/systemd/system"
    loose = host.text(f"find {folders} -perm /022 ! -type l; find /var/lib/ipctune -maxdepth 0 -perm /077")
    assert "ipctune" not in loose.replace("/var/lib/ipctune/lib-", ""), "what lies in lib- is shut off by its parent"


def test_a_lease_alone_is_history_after_a_boot(host: Booted) -> None:
    host.run("python3 /opt/tests/keeper.py 600 cpu-dma-latency=latency_us=0")
    assert status(host)["state"] == "active"
    host.reboot(crash=True)
    assert status(host)["state"] != "active"


def test_the_machine_of_these_tests_is_closed(one: Booted) -> None:
    """What a test sets in there must not be the host's."""
    assert one.run("echo 8192 >/proc/sys/kernel/msgmax", check=False).returncode != 0
    assert one.run("echo 1 >/sys/kernel/profiling", check=False).returncode != 0
    assert Path("/proc/sys/net/unix/max_dgram_qlen").read_text() != one.text(_NOW)
