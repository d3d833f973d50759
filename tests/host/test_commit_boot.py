"""`commit` over real boots of systemd: applied, agreed to by systemd itself, and gone again with `revert`."""

import json
from collections.abc import Iterator

import pytest
from tests.host.nspawn import Booted

QLEN = "net.unix.max_dgram_qlen"
_NOW = f"sysctl -n {QLEN}"
_PROGRAM = "python3 -m ipctune"
_NEAR = """python3 -c '
from ipctune.cli.main import main
from ipctune.journal import commit
commit._ROOM = 8.0
main()'"""
"""The program, with less room before the deadline than it would make."""
_POLL = "guest_halt_poll_ns"
_UNIT = "ipctune-cpu-dma-latency.service"
_ALL = f"{QLEN}={QLEN}=1024 haltpoll={_POLL}=200000 cpu-dma-latency=latency_us=0"
_NOT_THERE = " -o ".join(f"-path {path}" for path in ("/proc", "/sys", "/opt", "/var/lib/ipctune", "/run/log"))
_OURS = f"find / -xdev \\( {_NOT_THERE} \\) -prune -o -name '*ipctune*' -print"
_ASIDE = f"""
import os, sys
from ipctune.journal.aside import putting_aside
from ipctune.journal.store import open_journal

def look():
    held = os.system("systemctl -q is-active {_UNIT}") == 0
    print(open("/proc/sys/net/unix/max_dgram_qlen").read().strip(), held)

sys.stdout.reconfigure(line_buffering=True)
with putting_aside(open_journal(), 1) as aside:
    look()
    aside.off()
    look()
look()
"""


@pytest.fixture
def host(one: Booted) -> Iterator[Booted]:
    one.run(f"sysctl -q -w {QLEN}=512")
    yield one
    one.run(f"{_PROGRAM} revert")
    assert ours(one) == ""
    assert one.text(_NOW) == "512"
    assert (one.module / _POLL).read_text().strip() == "100000"


def ours(host: Booted) -> str:
    """Files of ours outside the state folder."""
    return host.text(f"{_OURS}; systemctl list-units --all --plain --no-legend 'ipctune*'")


def keep(host: Booted, seconds: int = 600, wanted: str = _ALL) -> None:
    host.run(f"python3 /opt/tests/keeper.py {seconds} {wanted}")


def holder(host: Booted) -> str:
    return host.text(f"readlink /proc/$(systemctl show -p MainPID --value {_UNIT})/fd/3")


@pytest.mark.parametrize("crash", [False, True], ids=["shutdown", "reset"])
def test_a_commit_lasts_over_a_boot_and_revert_ends_it(host: Booted, crash: bool) -> None:
    keep(host)
    shown = host.text(f"{_PROGRAM} commit --yes")
    for path in ("/etc/sysctl.d/90-ipctune.conf", "/etc/tmpfiles.d/90-ipctune.conf", f"/etc/systemd/system/{_UNIT}"):
        assert path in shown
        assert host.text(f"stat -c '%U %a' {path}") == "root 644"
    assert host.text(f"systemctl is-enabled {_UNIT}; systemctl is-active {_UNIT}").split() == ["enabled", "active"]
    assert host.run("systemctl is-active ipctune-watchdog ipctune-deadline.timer", check=False).returncode != 0
    assert holder(host) == "/dev/cpu_dma_latency"
    host.lease.write_bytes(b"")
    (host.module / _POLL).write_text("100000\n")
    host.reboot(crash=crash)
    assert host.text(_NOW) == "1024"
    assert host.text(f"/lib/systemd/systemd-sysctl --cat-config | grep -c {QLEN}") == "1"
    assert (host.module / _POLL).read_text().strip() == "200000"
    assert host.lease.read_bytes() == b"\0\0\0\0"
    assert holder(host) == "/dev/cpu_dma_latency"
    assert host.text("systemctl --failed --no-legend") == ""
    found = json.loads(host.text(f"{_PROGRAM} status --json"))
    assert found["state"] == "committed"
    assert {s["state"] for s in found["settings"]} == {"in force"}
    host.run(f"{_PROGRAM} revert")
    assert ours(host) == ""
    host.reboot()
    assert host.text(_NOW) == "512"
    assert (host.module / _POLL).read_text().strip() == "100000"


def test_systemd_finds_nothing_wrong_with_the_unit(host: Booted) -> None:
    keep(host)
    host.run(f"{_PROGRAM} commit --yes")
    checked = host.run(f"systemd-analyze verify --man=no /etc/systemd/system/{_UNIT}")
    assert checked.stdout + checked.stderr == ""
    assert host.text(f"tr -d '\\n' </proc/$(systemctl show -p MainPID --value {_UNIT})/comm") == "sleep"


def test_a_killed_holder_comes_back(host: Booted) -> None:
    keep(host)
    host.run(f"{_PROGRAM} commit --yes")
    old = host.text(f"systemctl show -p MainPID --value {_UNIT}")
    host.run(f"kill -9 {old}")
    host.wait(f"new=$(systemctl show -p MainPID --value {_UNIT}); test $new != 0 -a $new != {old}")
    host.wait(f'test "$(cat /proc/$(systemctl show -p MainPID --value {_UNIT})/comm)" = sleep')


def test_after_a_boot_it_can_be_put_aside_for_a_measurement(host: Booted) -> None:
    keep(host)
    host.run(f"{_PROGRAM} commit --yes")
    host.reboot()
    (host.root / "root/aside.py").write_text(_ASIDE)
    assert host.text("python3 /root/aside.py").splitlines() == ["1024 True", "512 False", "1024 True"]


def test_the_undo_script_alone_takes_a_commit_back(host: Booted) -> None:
    keep(host)
    host.run(f"{_PROGRAM} commit --yes")
    host.reboot()
    host.run("sh /var/lib/ipctune/undo.sh", env={"PYTHONPATH": "/nowhere"})
    assert ours(host) == ""
    assert host.text(_NOW) == "512"


def test_uninstall_leaves_no_file(host: Booted) -> None:
    keep(host)
    host.run(f"{_PROGRAM} commit --yes")
    listed = host.text(f"{_PROGRAM} uninstall --yes")
    assert "removed /etc/sysctl.d/90-ipctune.conf" in listed
    assert f"removed /etc/systemd/system/{_UNIT}" in listed
    assert "removed /var/lib/ipctune" in listed
    assert ours(host) == ""
    assert host.run("test -e /var/lib/ipctune", check=False).returncode != 0


def test_a_lease_that_the_unit_can_not_take_is_refused(host: Booted) -> None:
    keep(host)
    host.run("mount --bind /dev/full /dev/cpu_dma_latency")
    try:
        refused = host.run(f"{_PROGRAM} commit --yes", check=False)
    finally:
        host.run("umount /dev/cpu_dma_latency")
    assert refused.returncode == 3
    assert _UNIT in refused.stderr
    assert host.text("ls /etc/sysctl.d /etc/tmpfiles.d /etc/systemd/system | grep -c ipctune || true") == "0"
    assert json.loads(host.text(f"{_PROGRAM} status --json"))["state"] == "active"


_KILLS = range(1, 40)


def test_a_commit_killed_anywhere_is_reverted(host: Booted) -> None:
    """At one rename after another (each file, each journal entry is one), then `revert`: as if it never was."""
    for number in _KILLS:
        keep(host)
        killed = commit_killed(host, number)
        if number % 3 == 0:
            host.run(f"{_PROGRAM} commit --yes", check=False)  # again: completed, or nothing left to do
        host.run(f"{_PROGRAM} revert")
        assert ours(host) == "", f"after a kill at rename {number}"
        assert host.text(_NOW) == "512"
        assert (host.module / _POLL).read_text().strip() == "100000"
        if not killed:
            assert number > 6, "files and entries are renamed into place"
            return
    pytest.fail("the commit has more renames than expected")


def test_a_commit_killed_half_way_is_taken_back_at_the_deadline(host: Booted) -> None:
    """It prolongs a deadline that is near by a little, and the watchdog keeps to that."""
    keep(host, 7)
    assert commit_killed(host, 8, _NEAR)
    host.wait(f"test $({_NOW}) = 512")
    host.wait("! systemctl is-active --quiet ipctune-watchdog && ! systemctl is-active --quiet ipctune-deadline.timer")
    assert ours(host) == ""


def commit_killed(host: Booted, number: int, program: str = _PROGRAM) -> bool:
    """Commit, and SIGKILL at that rename of the command's own; whether it came that far."""
    trace = f"strace -o /dev/null -e trace=rename -e inject=rename:signal=SIGKILL:when={number}"
    done = host.run(f"{trace} {program} commit --yes", check=False)
    assert done.returncode in (0, 137), done.stderr
    return done.returncode == 137
