"""ss' lines, and bursts against a listener that nobody accepts from."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.errors import WrongUse
from ipctune.workload.client import Address
from ipctune.workload.listening import Queue, parse, queue
from ipctune.workload.tcp_or_unix import Burst, burst

_SS = """\
u_str LISTEN 3      511                  /run/redis/redis.sock 12345            * 0
tcp   LISTEN 0      128                      127.0.0.1:6379        0.0.0.0:*
tcp   LISTEN 0      244                              *:5432              *:*
"""


def test_a_listener_is_found_by_its_address() -> None:
    assert parse(_SS, "/run/redis/redis.sock") == Queue(3, 511)
    assert parse(_SS, ("127.0.0.1", 6379)) == Queue(0, 128)
    assert parse(_SS, ("127.0.0.1", 637)) is None
    assert parse(_SS, "/run/redis/redis") is None


@given(st.text(max_size=200), st.integers(0, len(_SS)))
def test_any_text_is_a_queue_or_nothing(text: str, at: int) -> None:
    found = parse(_SS[:at] + text + _SS[at:], "/run/redis/redis.sock")
    assert found is None or found.backlog >= 0


def _listener(address: Address, backlog: int) -> socket.socket:
    unix = isinstance(address, str)
    made = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    made.bind(address)
    made.listen(backlog)
    return made


def test_a_full_unix_queue_refuses_at_once(tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    with _listener(address, 8):
        assert queue(address) == Queue(0, 8)
        found = burst(address, 20)
    assert found == Burst(connects=20, busy=False, refused=11, late=0, backlog=8)  # it holds one more than it says
    assert found.needed == 19


def test_a_full_tcp_queue_lets_wait() -> None:
    with _listener(("127.0.0.1", 0), 8) as listener:
        found = burst(listener.getsockname(), 20)
    assert found == Burst(connects=20, busy=False, refused=0, late=11, backlog=8)


def test_all_are_answered_where_there_is_room(tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    with _listener(address, 64):
        assert burst(address, 20).needed == 20


def test_more_connects_than_open_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="open files"):
        burst(str(tmp_path / "s"), 1 << 40)
