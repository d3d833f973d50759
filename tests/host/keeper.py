"""What `tune` does once it has decided: try, keep until a deadline. Run in a container, where nothing is measured.

Arguments: seconds to hold (0: stay in the trial until killed), then knob=part=value for each setting.
"""

import sys
import time
from contextlib import ExitStack

from ipctune.journal.change import Change
from ipctune.journal.session import tuning
from ipctune.journal.store import open_journal
from ipctune.knobs.registry import KNOBS


def main(hold: float, wanted: list[str]) -> None:
    journal = open_journal()
    assert journal is not None
    values = {knob: {part: value} for knob, part, value in (text.split("=", 2) for text in wanted)}
    with tuning(journal) as session, ExitStack() as stack:
        changes = [stack.enter_context(Change(journal, KNOBS[knob], [value])) for knob, value in values.items()]
        for change in changes:
            change.set(0)
        if not hold:
            print("trying", flush=True)
            time.sleep(600)
        for change in changes:
            change.keep(0)
            session.keep(change.knob, change.values[0])
        session.hold_until(hold, "test")
    print("held", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
