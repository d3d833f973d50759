"""What wins at boot, as systemd itself decides it, and what `commit` therefore refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.nspawn import Booted

from ipctune.journal.lasting import SYSCTL

QLEN = "net.unix.max_dgram_qlen"
_PATH = "net/unix/max_dgram_qlen"
_MINE = f"{QLEN} = 1024\n"
_FILES: tuple[tuple[str, str, str], ...] = (
    ("later file", "etc/sysctl.d/95-x.conf", f"# a comment\n\n{QLEN} = 300\n"),
    ("later file of the distribution", "usr/lib/sysctl.d/99-x.conf", f"{QLEN}=300\n"),
    ("later file in /run", "run/sysctl.d/91-x.conf", f"{QLEN}=300\n"),
    ("earlier file", "etc/sysctl.d/10-x.conf", f"{QLEN}=300\n"),
    ("sysctl.conf by its link", "etc/sysctl.conf", f"{QLEN}=300\n"),
    ("slashes", "etc/sysctl.d/95-x.conf", f"{_PATH}=300\n"),
    ("a leading slash", "etc/sysctl.d/95-x.conf", f"/{_PATH}=300\n"),
    ("errors ignored", "etc/sysctl.d/95-x.conf", f"-{QLEN}=300\n"),
    ("excluded", "etc/sysctl.d/95-x.conf", f"-{QLEN}\n"),
    ("another key", "etc/sysctl.d/95-x.conf", "net.core.somaxconn=300\n"),
    ("a mixture that names nothing", "etc/sysctl.d/95-x.conf", "net/unix.max_dgram_qlen=300\n"),
    ("the whole path", "etc/sysctl.d/95-x.conf", f"/proc/sys/{_PATH}=300\n"),
    ("a pattern", "etc/sysctl.d/95-x.conf", "net.unix.max_*=300\n"),
    ("our value", "etc/sysctl.d/95-x.conf", f"{QLEN}=1024\n"),
    ("ours last", "etc/sysctl.d/95-x.conf", f"{QLEN}=300\n{QLEN}=1024\n"),
    ("theirs last", "etc/sysctl.d/95-x.conf", f"{QLEN}=1024\n{QLEN}=300\n"),
    ("a comment", "etc/sysctl.d/95-x.conf", f"#{QLEN}=300\n ; {QLEN}=300\n"),
    ("not a .conf", "etc/sysctl.d/95-x", f"{QLEN}=300\n"),
    ("carriage returns", "etc/sysctl.d/95-x.conf", f"{QLEN}=300\r\n"),
)


_ASK = f"""
import json
from ipctune.journal.bootorder import conflicts
from ipctune.journal.lasting import Plan
found = conflicts(Plan({{{SYSCTL!r}: {_MINE!r}}}, ()))
print(json.dumps([[c.file, c.line] for c in found]))
"""


def predicted(host: Booted) -> list[tuple[str, int]]:
    """File and line of each conflict that our own code sees in there."""
    (host.root / "root/ask.py").write_text(_ASK)
    return [(file, line) for file, line in json.loads(host.text("python3 /root/ask.py"))]


@pytest.fixture
def mine(one: Booted) -> Iterator[Booted]:
    (one.root / SYSCTL.lstrip("/")).write_text(_MINE)
    yield one
    one.run(f"rm -f {SYSCTL}")


@pytest.mark.parametrize(("where", "text"), [f[1:] for f in _FILES], ids=[f[0] for f in _FILES])
def test_bootorder_says_what_systemd_does(mine: Booted, where: str, text: str) -> None:
    (mine.root / "root/theirs").write_text(text)
    mine.run(f"mkdir -p $(dirname /{where}); [ ! -e /{where} ] || cp /{where} /root/before; cp /root/theirs /{where}")
    try:
        mine.run(f"sysctl -q -w {QLEN}=999; /lib/systemd/systemd-sysctl", check=False)
        loses = mine.text(f"sysctl -n {QLEN}") != "1024"
        found = predicted(mine)
        assert bool(found) == loses
        assert {file for file, _ in found} <= {f"/{where}"}
        assert all("max_dgram_qlen" in text.split("\n")[line - 1] for _, line in found)
    finally:
        mine.run(f"rm /{where}; [ ! -e /root/before ] || mv /root/before /{where}")


def test_a_masked_file_does_not_count(mine: Booted) -> None:
    mine.run(f"echo {QLEN}=300 >/usr/lib/sysctl.d/95-x.conf; ln -s /dev/null /etc/sysctl.d/95-x.conf")
    try:
        mine.run("/lib/systemd/systemd-sysctl")
        assert mine.text(f"sysctl -n {QLEN}") == "1024"
        assert predicted(mine) == []
    finally:
        mine.run("rm /usr/lib/sysctl.d/95-x.conf /etc/sysctl.d/95-x.conf")


_REFUSED = (
    ("/etc/sysctl.d/95-x.conf", f"#\n{QLEN} = 300", 2),
    ("/usr/lib/sysctl.d/95-x.conf", f"{QLEN} = 300", 1),
    ("/etc/sysctl.conf", f"\n\n{QLEN} = 300", 3),
    ("/etc/tmpfiles.d/10-x.conf", "w /sys/module/haltpoll/parameters/guest_halt_poll_ns - - - - 0", 1),
    ("/etc/tmpfiles.d/95-x.conf", "w /sys/module/haltpoll/parameters/guest_halt_poll_n* - - - - 0", 1),
    ("/etc/tuned/mine/tuned.conf", f"[main]\nsummary=x\n[sysctl]\n{QLEN}=300", 4),
    ("/usr/lib/tuned/mine/tuned.conf", "[sysfs]\n/sys/module/haltpoll/parameters/guest_halt_poll_ns=0", 2),
)


@pytest.mark.parametrize(("path", "text", "line"), _REFUSED, ids=[r[0] for r in _REFUSED])
def test_commit_refuses_and_names_file_and_line(one: Booted, path: str, text: str, line: int) -> None:
    program = "python3 -m ipctune"
    theirs = one.root / path.lstrip("/")
    before = theirs.read_text() if theirs.exists() else None
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_text(text + "\n")
    one.run("mkdir -p /etc/tuned; echo mine >/etc/tuned/active_profile")
    try:
        wanted = f"{QLEN}={QLEN}=1024 haltpoll=guest_halt_poll_ns=200000"
        one.run(f"sysctl -q -w {QLEN}=512; python3 /opt/tests/keeper.py 600 {wanted}")
        refused = one.run(f"{program} commit --yes", check=False)
        assert refused.returncode == 3
        assert f"{path}" in refused.stderr
        assert f"line {line} " in refused.stderr
        assert one.text("find /etc -name '*ipctune*'") == ""
        assert "active" in one.text(f"{program} status --json")
    finally:
        one.run(f"{program} revert")
        one.run("rm -rf /etc/tuned /usr/lib/tuned")
        if before is None:
            Path(theirs).unlink(missing_ok=True)
        else:
            theirs.write_text(before)
