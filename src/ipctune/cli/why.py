"""`ipctune why KNOB`: the evidence behind a verdict."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ipctune.errors import Exit, NotPossible

if TYPE_CHECKING:
    from ipctune.tune.model import TuneResult

__all__ = ["command"]


def _complete(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    from ipctune.knobs.registry import KNOBS

    return [CompletionItem(name) for name in KNOBS if name.startswith(begun)]


@click.command("why", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("knob", shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="Print the trials and the proof.")
def command(knob: str, as_json: bool) -> int:
    """Show the evidence behind KNOB's verdict in the last run that looked at it.

    \b
    Touches: nothing.
    Needs:   root to see root's runs.
    """
    from ipctune.cli.knob_names import knob_named
    from ipctune.host.state import open_state
    from ipctune.knobs.registry import KNOBS
    from ipctune.report.style import Style
    from ipctune.report.why import render
    from ipctune.tune.save import newest

    knob = knob_named(knob)
    state = open_state(create=False)
    found = (
        newest(state, lambda run: knob in {*(t.knob for t in run.trials), *(n.knob for n in run.not_tried)})
        if state
        else None
    )
    if found is None:
        raise NotPossible(f"no run has looked at {knob} yet", hint="ipctune tune")
    if as_json:
        print(json.dumps(_facts(found, knob)))
    else:
        print(render(found, KNOBS[knob], Style.auto(sys.stdout)))
    return Exit.DONE


def _facts(run: "TuneResult", knob: str) -> dict[str, object]:
    trials = [asdict(trial) for trial in run.trials if trial.knob == knob]
    left = [asdict(one) for one in run.not_tried if one.knob == knob]
    apart = [asdict(one) for one in (run.proof.apart if run.proof else ()) if one.knob == knob]
    spots = [{"load": f.load, "unit": f.unit, **asdict(s)} for f in run.fronts for s in f.spots if s.knob == knob]
    return {"run": run.run, "trials": trials, "not_tried": left, "apart": apart, "front": spots}
