"""No page and no screen states a factor: figures come from the machine at hand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parents[3] / "src" / "ipctune"
_FILES = sorted(file for room in ("report", "cli", "knobs", "tune") for file in (_PACKAGE / room).glob("*.py"))
_FACTOR = re.compile(r"\d+(?:\.\d+)?\s?(?:×|x\b|-fold|times (?:faster|slower|less|more))", re.IGNORECASE)


def _shown(tree: ast.AST) -> Iterator[str]:
    """Texts in the code that are no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    notes = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.value


@pytest.mark.parametrize("file", _FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_no_text_states_a_factor(file: Path) -> None:
    found = [text for text in _shown(ast.parse(file.read_text(encoding="utf-8"))) if _FACTOR.search(text)]
    assert found == []
