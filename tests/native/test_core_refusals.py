"""Wrong use exits with 2, a refusal of the machine with 3, and both say why."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.native.core import Core

ERROR = {"call", "errno", "name", "message", "limit"}


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (("sysv-msg", "--size", "8193", "--sysctl", "kernel.msgmax=8192"), "kernel.msgmax"),
        (("sysv-msg", "--size", "6000", "--sysctl", "kernel.msgmnb=5000"), "kernel.msgmnb"),
        (("posix-mq", "--size", "8193", "--sysctl", "fs.mqueue.msgsize_max=8192"), "fs.mqueue.msgsize_max"),
        (("tcp", "--capacity", "1073741824"), "net.core.wmem_max"),
        (("unix-stream", "--capacity", "1073741824"), "net.core.wmem_max"),
    ],
)
def test_a_limit_is_named_and_nothing_clamped(core: Core, words: tuple[str, ...], limit: str) -> None:
    answer = core.run(*words)
    assert answer.status == 3
    assert set(answer.error) == ERROR
    assert answer.error["limit"] == limit
    assert answer.error["message"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("facts", "more"),
        ("mechanisms", "more"),
        ("run",),
        ("run", "--mechanism"),
        ("run", "--mechanism", "carrier-pigeon"),
        ("run", "--mechanism", "pipe", "--size", "0"),
        ("run", "--mechanism", "pipe", "--size", "16777217"),
        ("run", "--mechanism", "pipe", "--size", "64k"),
        ("run", "--mechanism", "pipe", "--size", "+64"),
        ("run", "--mechanism", "pipe", "--size", " 64"),
        ("run", "--mechanism", "pipe", "--size", "99999999999999999999"),
        ("run", "--mechanism", "pipe", "--seconds", "nan"),
        ("run", "--mechanism", "pipe", "--seconds", "inf"),
        ("run", "--mechanism", "pipe", "--seconds", "0"),
        ("run", "--mechanism", "pipe", "--seconds", "0x1"),
        ("run", "--mechanism", "pipe", "--seconds", "1e999"),
        ("run", "--mechanism", "pipe", "--rate", "-1"),
        ("run", "--mechanism", "pipe", "--gap", "-1"),
        ("run", "--mechanism", "pipe", "--gap", "1000", "--rate", "10"),
        ("run", "--mechanism", "pipe", "--cpus", "0"),
        ("run", "--mechanism", "pipe", "--cpus", "0,0,0"),
        ("run", "--mechanism", "pipe", "--cpus", "-2,0"),
        ("run", "--mechanism", "pipe", "--cpus", "1023,0"),
        ("run", "--mechanism", "pipe", "--cpus", "0,"),
        ("run", "--mechanism", "pipe", "--seed", "-1"),
        ("run", "--mechanism", "pipe", "--policy", "idle"),
        ("run", "--mechanism", "pipe", "--ipc-namespace", "host"),
        ("run", "--mechanism", "memfd-futex", "--capacity", "4096"),
        ("run", "--mechanism", "pipe", "--wait", "select"),
        ("run", "--mechanism", "pipe", "--wait", "retry", "--policy", "fifo"),
        ("run", "--mechanism", "sysv-msg", "--wait", "poll"),
        ("run", "--mechanism", "sysv-msg", "--wait", "epoll"),
        ("run", "--mechanism", "memfd-futex", "--wait", "retry"),
        ("run", "--mechanism", "pipe", "--write-size", "-1"),
        ("run", "--mechanism", "pipe", "--write-size", "16777217"),
        ("run", "--mechanism", "unix-seqpacket", "--write-size", "64"),
        ("run", "--mechanism", "posix-mq", "--write-size", "64"),
        ("run", "--mechanism", "memfd-eventfd", "--write-size", "64"),
        ("run", "--mechanism", "pipe", "--batch", "4"),
        ("run", "--mechanism", "pipe", "--pattern", "stream", "--batch", "0"),
        ("run", "--mechanism", "pipe", "--pattern", "stream", "--batch", "1025"),
        ("run", "--mechanism", "pipe", "--pattern", "stream", "--batch", "4", "--write-size", "64"),
        ("run", "--mechanism", "pipe", "--pattern", "stream", "--batch", "1024", "--size", "16385"),
        ("run", "--mechanism", "sysv-msg", "--pattern", "stream", "--batch", "4"),
        ("run", "--mechanism", "posix-mq", "--pattern", "stream", "--batch", "4"),
        ("run", "--mechanism", "pipe", "--noerror"),
        ("run", "--mechanism", "sysv-msg", "--noerror", "1"),
        ("run", "--mechanism", "udp", "--pattern", "stream"),
        ("run", "--mechanism", "udp", "--pattern", "stream", "--rate", "0"),
        ("run", "--mechanism", "pipe", "--sysctl", "kernel.msgmax"),
        ("run", "--mechanism", "pipe", "--sysctl", "kernel.msgmax="),
        ("run", "--mechanism", "pipe", "--sysctl", "=1"),
        ("run", "--mechanism", "pipe", "--sysctl", "kernel.pid_max=5"),
        ("run", "--mechanism", "pipe", "--sysctl", "kernel/msgmax=5"),
        ("run", "--mechanism", "pipe", "--sysctl", "fs.mqueue.../../kernel.pid_max=5"),
        ("run", "--mechanism", "pipe", "--sysctl", "kernel.msgmax=x"),
        ("run", "--mechanism", "pipe", "--sysctl", "kernel.msgmax=1", "--ipc-namespace", "present"),
        ("run", "--mechanism", "pipe", "--size=64"),
    ],
)
def test_wrong_use(core: Core, words: tuple[str, ...]) -> None:
    answer = core.call(*words)
    assert answer.status == 2
    assert set(answer.error) == ERROR


OPTIONS = (
    *("--size", "--cpus", "--rate", "--gap", "--seed", "--capacity", "--policy", "--sysctl"),
    *("--wait", "--write-size", "--batch"),
)
# No NUL, which no argument can hold, and no lone surrogates; numbers of all kinds are likelier than chance makes them.
WORDS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.integers(-(10**25), -1).map(str),
    st.integers(10**12, 10**25).map(str),
    st.floats().filter(lambda x: not 0 <= x <= 3600).map(str),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(option=st.sampled_from(OPTIONS), word=WORDS)
def test_strange_words_are_refused_or_run(core: Core, option: str, word: str) -> None:
    assert core.run("pipe", option, word).status in (0, 2, 3)
