"""Files of built programs: what is packed comes back, and what is damaged is a clear error."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.errors import IpctuneError, NotPossible
from ipctune.trace import blob
from ipctune.trace.blob import Blob, pack, read_blob

NAMES = st.lists(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), max_size=4).map(tuple)
BLOB = Blob(("listed", "sums"), ("begins", "ends"), b"data\n\0", b"\x95" + b"\0" * 7)
OBJECTS = Path(blob.__file__).parent / "objects"


def written(folder: Path, content: bytes) -> None:
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[os.uname().machine]
    (folder / machine).mkdir(exist_ok=True)
    (folder / machine / "one.bpf").write_bytes(content)


@given(NAMES, NAMES, st.binary(max_size=99), st.binary(max_size=99))
def test_what_is_packed_comes_back(maps: tuple[str, ...], programs: tuple[str, ...], data: bytes, code: bytes) -> None:
    made = Blob(maps, programs, data, code)
    assert blob._parse(pack(made)) == made


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    monkeypatch.setattr(blob, "_FOLDER", tmp_path)
    written(tmp_path, pack(BLOB)[:cut])
    with pytest.raises(IpctuneError, match="one can't be read"):
        read_blob("one")


def test_one_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob, "_FOLDER", tmp_path)
    with pytest.raises(IpctuneError, match="other can't be read"):
        read_blob("other")


def test_another_architecture_is_not_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob, "_MACHINES", {})
    with pytest.raises(NotPossible, match="no eBPF programs"):
        read_blob("latency")


@pytest.mark.parametrize("path", sorted(OBJECTS.rglob("*.bpf")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_those_that_are_shipped_have_the_maps_that_are_read(path: Path) -> None:
    made = blob._parse(path.read_bytes())
    assert {"listed", "lost", "sums", "rodata_settings"} <= set(made.maps)
    assert "process_forks" in made.programs
    assert b"/home" not in made.data
    assert path.stat().st_size < 50_000
