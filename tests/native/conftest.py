"""The measuring core for these tests: `IPCTUNE_CORE`, or a fresh build."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.native.core import Core

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable."""
    chosen = os.environ.get("IPCTUNE_CORE")
    return Path(chosen) if chosen else _build(tmp_path_factory.mktemp("core"))


@pytest.fixture
def core(binary: Path, tmp_path: Path) -> Core:
    """A copy of its own for each test: so a test knows its own processes by their executable."""
    return Core(Path(shutil.copy2(binary, tmp_path / "ipctune-core")))


def _build(folder: Path) -> Path:
    tools = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"}
    setup = ["meson", "setup", "-Dwerror=true", str(folder), str(REPOSITORY)]
    for command in (setup, ["meson", "compile", "-C", str(folder)]):
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **tools})
    return folder / "native" / "ipctune-core"
