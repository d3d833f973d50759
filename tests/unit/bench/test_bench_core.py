"""The core is run in a session of its own; refusals become errors; nothing is left behind."""

import os
import time
from pathlib import Path

import pytest
from tests.unit.bench.fake import write_core

from ipctune.bench import core
from ipctune.bench.limits import DEFAULT_SIZES, MOST_SIZES, limits
from ipctune.bench.spec import Spec
from ipctune.errors import IpctuneError, NotPossible, WrongUse


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    return write_core(tmp_path)


def test_a_block_comes_back(stand_in: Path) -> None:
    spec = Spec(cpus=(0, 1), gap_ns=100_000)
    one = core.run(spec, 0.1, 1, core=stand_in)
    assert one.spec == spec
    assert one.p50_ns == 6000


def test_mechanisms(stand_in: Path) -> None:
    known = core.mechanisms(core=stand_in)
    assert [(m.name, m.max_size, m.options) for m in known] == [
        ("pipe", None, ("capacity",)),
        ("unix-stream", None, ("capacity",)),
    ]


def test_limits(stand_in: Path) -> None:
    found = limits(core=stand_in)
    assert (found.clock_ns, found.syscall_ns) == (21.0, 118.0)
    assert found.wake_ns == ((1_000_000, 18_800.0),)
    assert [size for size, _ in found.memcpy] == list(DEFAULT_SIZES)


def test_limits_of_the_vcpus_and_sizes_that_were_asked_for(stand_in: Path) -> None:
    found = limits(cpus=(2, 5), sizes=[100, 64], core=stand_in)
    assert found.cpus == (2, 5)
    assert [size for size, _ in found.memcpy][:3] == [64, 100, 256]


def test_more_sizes_than_the_core_takes(stand_in: Path) -> None:
    assert len(limits(sizes=range(1, 200), core=stand_in).memcpy) == MOST_SIZES


def test_a_refusal_names_call_errno_and_limit(stand_in: Path) -> None:
    with pytest.raises(core.Refused, match=r"kernel\.msgmax") as caught:
        core.run(Spec("refuse"), 0.1, 1, core=stand_in)
    refused = caught.value
    assert (refused.call, refused.errno_name, refused.limit) == (
        "msgsnd",
        "EINVAL",
        "kernel.msgmax",
    )
    assert isinstance(refused, NotPossible)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("misuse", WrongUse, "no such mechanism"),
        ("corrupt", IpctuneError, "byte 3 changed"),
        ("crash", IpctuneError, "SIGKILL"),
        ("garbage", IpctuneError, "corrupt"),
    ],
)
def test_what_goes_wrong_is_named(stand_in: Path, kind: str, error: type[IpctuneError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        core.run(Spec(kind), 0.1, 1, core=stand_in)
    assert type(caught.value) is error


def test_a_hanging_core_is_ended(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "pid"
    monkeypatch.setenv("FAKE_CORE_PID", str(told))
    monkeypatch.setattr(core, "MARGIN_S", 1.0)
    with pytest.raises(IpctuneError, match="hung"):
        core.run(Spec("hang"), 0.1, 1, core=stand_in)
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_ctrl_c_ends_the_core(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "pid"
    monkeypatch.setenv("FAKE_CORE_PID", str(told))

    def interrupted(*_: object, **__: object) -> tuple[bytes, bytes]:
        while not told.exists() or not told.read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        core.run(Spec("hang"), 0.1, 1, core=stand_in)
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_a_missing_core_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotPossible) as caught:
        core.run(Spec(), 0.1, 1, core=tmp_path / "none")
    assert "./run" in caught.value.hint
