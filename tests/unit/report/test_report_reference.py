"""docs/reference.md is what the code says: every knob, and every path that may be written."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ipctune.bench.core import MechanismInfo
from ipctune.knobs.files import ALLOWED
from ipctune.knobs.registry import KNOBS

_TOP = Path(__file__).resolve().parents[3]
_PAGE = (_TOP / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool as a module; the mechanisms, which need the core, are compared by `--check` alone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("reference_tool", _TOP / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "mechanisms", lambda: (MechanismInfo("pipe", "a pipe", "pipe(7)", True, None),))
    return module


def sections(page: str) -> list[str]:
    """All but the mechanisms."""
    return [part for part in page.split("\n## ") if not part.startswith("Mechanisms")]


def test_the_page_is_fresh(reference: ModuleType) -> None:
    assert sections(_PAGE) == sections(reference.page()), (
        "python tools/reference.py writes it (IPCTUNE_CORE names the core)"
    )


def test_every_path_that_may_be_written_belongs_to_one_knob(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference.check_paths()
    assert [path for path in ALLOWED if f"`{path}`" not in _PAGE] == []
    monkeypatch.setitem(ALLOWED, "/proc/sys/forgotten", next(iter(ALLOWED.values())))
    with pytest.raises(LookupError, match="forgotten"):
        reference.check_paths()


@pytest.mark.parametrize("name", KNOBS)
def test_every_knob_has_its_section(name: str) -> None:
    section = _PAGE.partition(f"\n### {name}\n")[2].partition("\n##")[0]
    for fact in (
        "scope",
        "may write",
        "helps with",
        "price",
        "settles in",
        "comes back",
        "lasts by",
        "since",
        "source",
    ):
        assert f"- **{fact}**: " in section
    assert ("**not tried**" in section) == bool(KNOBS[name].not_tried)
