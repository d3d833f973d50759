"""What a side meets when its peer is killed: the error names both, and each mechanism has its own answer."""

import os
import re
import signal
import time

import pytest
from tests.native.core import BYTE_STREAMS, DATAGRAMS, PATTERNS, QUEUES, RINGS, Core, children, pattern_words, wait_for

ROLES = {"ping-pong": ("server", "client"), "stream": ("consumer", "producer")}
"""In the order of their start."""
NOTICED_NOTHING = ("wait", "")
END_OF_FILE = {("read", ""), ("read", "ECONNRESET"), ("write", "EPIPE"), ("write", "ECONNRESET")}
REFUSED = {("send", "ECONNREFUSED"), ("recv", "ECONNREFUSED"), ("recv", "ECONNRESET"), NOTICED_NOTHING}
MEETS = {
    **dict.fromkeys(BYTE_STREAMS, END_OF_FILE),
    "unix-seqpacket": {("recv", ""), ("recv", "ECONNRESET"), ("send", "EPIPE"), ("send", "ECONNRESET")},
    "unix-dgram": REFUSED,
    "udp": REFUSED,
    "memfd-signal": {NOTICED_NOTHING, ("kill", "ESRCH")},
}
"""Call and errno of the survivor; whoever waits when the datagrams' sender has gone, or at a queue, waits for ever."""


def kill_one(core: Core, mechanism: str, pattern: str, victim: int, *words: str) -> tuple[int, dict[str, str]]:
    """A side is killed while messages go. The exit status and the error."""
    process = core.start(mechanism, *pattern_words(mechanism, pattern), *words)
    assert wait_for(lambda: len(children(core, process.pid)) == 2)
    time.sleep(0.05)
    os.kill(children(core, process.pid)[victim], signal.SIGKILL)
    output, _ = process.communicate(timeout=20)
    assert wait_for(lambda: core.processes() == [])
    return process.returncode, core.error_in(output)


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("mechanism", [*BYTE_STREAMS, *DATAGRAMS, *QUEUES, *RINGS])
def test_what_the_other_side_meets(core: Core, mechanism: str, pattern: str, victim: int) -> None:
    status, error = kill_one(core, mechanism, pattern, victim)
    assert status == 70
    killed, other = ROLES[pattern][victim], ROLES[pattern][1 - victim]
    said = rf"the {killed} was ended by signal 9 \(Killed\); the {other}: \w+"
    assert re.match(said, error["message"]), error
    assert (error["call"], error["name"]) in MEETS.get(mechanism, {NOTICED_NOTHING}), error


@pytest.mark.parametrize("wait", ["retry", "poll", "epoll"])
@pytest.mark.parametrize("mechanism", ["fifo", "tcp", "unix-seqpacket", "unix-dgram", "udp", "posix-mq"])
def test_it_is_the_same_however_it_waits(core: Core, mechanism: str, wait: str) -> None:
    for pattern in PATTERNS:
        _, error = kill_one(core, mechanism, pattern, 1, "--wait", wait)
        assert (error["call"], error["name"]) in MEETS.get(mechanism, {NOTICED_NOTHING}), error


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("mechanism", ["pipe", "unix-seqpacket"])
def test_with_batches(core: Core, mechanism: str, victim: int) -> None:
    _, error = kill_one(core, mechanism, "stream", victim, "--batch", "16")
    calls = {("recvmmsg", ""), ("recvmmsg", "ECONNRESET"), ("sendmmsg", "EPIPE"), ("sendmmsg", "ECONNRESET")}
    assert (error["call"], error["name"]) in END_OF_FILE | calls, error
