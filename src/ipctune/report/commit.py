"""The files of a commit, as they would be written."""

from ipctune.journal.commit import Preview

__all__ = ["render"]


def render(preview: Preview) -> str:
    """Each file with its text, what can't be made to last, and who would win over it at boot."""
    lines = []
    for path, text in preview.plan.files.items():
        lines += [f"{path}:", *(f"    {line}" for line in text.splitlines()), ""]
    lines += [f"does not last here: {what}" for what in preview.plan.missing]
    lines += [f"would lose at boot: {conflict}" for conflict in preview.conflicts]
    return "\n".join(lines).rstrip() or "nothing to write"
