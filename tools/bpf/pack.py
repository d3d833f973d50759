"""From a light skeleton of bpftool's to a file that `ipctune.trace.blob` reads."""

import re
import sys
from pathlib import Path

from ipctune.trace.blob import Blob, pack

_BYTE = re.compile(r"\\(x[0-9a-f]{2}|0)")


def _names(text: str, kind: str) -> tuple[str, ...]:
    return tuple(re.findall(rf"struct bpf_{kind}_desc (\w+);", text))


def _bytes(text: str, name: str) -> bytes:
    """One of the two long strings of `opts`, whose size stands before it."""
    found = re.search(rf'opts\.{name}_sz = (\d+);\s*opts\.{name} = \(void \*\)"(.*?)";', text, re.DOTALL)
    if found is None:
        sys.exit(f"pack: this skeleton has no {name}")
    content = bytes(0 if byte == "0" else int(byte[1:], 16) for byte in _BYTE.findall(found[2]))
    if len(content) != int(found[1]):
        sys.exit(f"pack: {len(content)} bytes of {name}, {found[1]} are told")
    return content


def main() -> None:
    """pack.py SKELETON OUTPUT."""
    text = Path(sys.argv[1]).read_text()
    blob = Blob(_names(text, "map"), _names(text, "prog"), _bytes(text, "data"), _bytes(text, "insns"))
    Path(sys.argv[2]).write_bytes(pack(blob))


if __name__ == "__main__":
    main()
