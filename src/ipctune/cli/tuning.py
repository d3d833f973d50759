"""What `tune` does: the loop with a screen around it."""

import math
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import click

from ipctune.bench.cells import chosen, patterns_of
from ipctune.bench.core import mechanisms
from ipctune.bench.spec import Spec
from ipctune.cli.command_line import command_line, named_service, named_target, named_workload
from ipctune.cli.knob_names import knob_named
from ipctune.cli.page import print_page
from ipctune.cli.progress import Progress
from ipctune.cli.signals import ended_by_signals
from ipctune.errors import Exit, NotPossible, WrongUse
from ipctune.host import read_host
from ipctune.host.model import Host
from ipctune.host.model_watch import Watch
from ipctune.journal.commit import commit, preview
from ipctune.journal.lasting import plan_files
from ipctune.journal.launch import systemd
from ipctune.journal.session import exclusive
from ipctune.journal.store import UNDO, Journal, open_journal
from ipctune.knobs.model import Kind
from ipctune.report.causes import render_why
from ipctune.report.commit import render as render_commit
from ipctune.report.style import Style
from ipctune.report.tune import render, render_plan, render_trial
from ipctune.report.watch import after_watch, render_watch
from ipctune.report.words import named
from ipctune.tune.beside import beside_seconds
from ipctune.tune.evidence import Evidence
from ipctune.tune.loop import Declined, tune
from ipctune.tune.measure import pair_seconds
from ipctune.tune.model import Goal, Settings, Trial, TuneResult
from ipctune.tune.plan import Plan
from ipctune.tune.proof import PROOF_PAIRS
from ipctune.tune.save import save, to_json
from ipctune.tune.trials import LEAST_PAIRS

__all__ = ["Form", "run_tune"]

Form = Literal["text", "json", "markdown"]


class _Screen(Progress):
    """Shows a run as it goes, and asks once."""

    def __init__(
        self, journal: Journal, asked: Settings, *, yes: bool, dry_run: bool, quiet: bool, make_last: bool
    ) -> None:
        super().__init__()
        self._journal, self._yes, self._dry_run, self._quiet = journal, yes, dry_run, quiet
        self._make_last, self._asked = make_last, asked
        self._style = Style.auto(sys.stderr if quiet else sys.stdout)

    def say(self, text: str) -> None:
        """A part of the screen; with --json it goes to standard error. A screen that is gone stops nothing."""
        self.close()
        with suppress(OSError):
            print(text, file=sys.stderr if self._quiet else sys.stdout, flush=True)

    def watched(self, watch: Watch, *, goes_on: bool) -> None:
        text = render_watch(watch, self._style, title="1  IS IT IPC?")
        self.say(text + after_watch(watch, goes_on=goes_on, named=named(self._asked)))

    def found(self, evidence: Evidence) -> None:
        self.say(render_why(evidence, self._style))

    def consent(self, plan: Plan, seconds: float) -> bool:
        state = self._journal.state.path
        places = (str(state), *(self._lasting(plan) if self._make_last else ()))
        asked, undo = self._asked, str(state / UNDO)
        shown = render_plan(plan, seconds, undo, places, self._style, guard=asked.guard, only=asked.only)
        self.say("\n" + shown)
        if self._dry_run:
            return False
        if not plan.writes or self._yes or not sys.stdin.isatty():
            return True
        return click.confirm("   Start? Nothing lasts unless you commit.", default=True, err=self._quiet)

    def _lasting(self, plan: Plan) -> tuple[str, ...]:
        """The files that --commit may write for what is tried here."""
        kept = {c.knob.id: c.value for c in plan.candidates if c.knob.kind is not Kind.OPTION}
        return tuple(f"{path} (--commit)" for path in plan_files(kept, systemd=systemd()).files)

    def tried(self, trial: Trial) -> None:
        self.say(render_trial(trial, self._asked.goal, self._style))

    def stage(self, name: str, seconds: float) -> None:
        if name in ("trials", "limits"):
            self.say("\n" + self._style.bold("4  TRIED") + self._style.dim("    Ctrl-C: revert, keep the results"))
        super().stage(name, seconds)


def run_tune(options: dict[str, Any], *, make_last: bool, yes: bool, dry_run: bool, wait: bool, form: Form) -> int:
    """Run, save, show; the exit code. With a `form` other than text that alone is on standard output."""
    settings = _settings(options)
    if settings.target is not None and make_last:
        raise WrongUse("--commit can't be had with --target", hint="the run says which configuration makes it last")
    _first_to_go()
    journal = open_journal()
    assert journal is not None
    screen = _Screen(journal, settings, yes=yes, dry_run=dry_run, quiet=form != "text", make_last=make_last)
    with screen, ended_by_signals():
        with exclusive(journal, wait=wait, look_only=dry_run) as recovered:
            host = read_host(quick=True)
            screen.say(_headline(host))
            try:
                result = tune(host, settings, journal, screen, recovered)
            except Declined as declined:
                _planned(declined.result, host, form)
                return Exit.DONE
            unsaved = _save(journal, result)
        # What was measured is shown whatever happened to the file, and once others may restore: a pager can stop us.
        with suppress(OSError):
            _show(result, host, form, details=dry_run)
            if unsaved:
                print(f"not saved: {unsaved}", file=sys.stderr, flush=True)
        if make_last and result.kept:
            shown = preview(journal)
            screen.say(render_commit(shown))
            commit(journal, shown)
            screen.say("Committed. `ipctune status` shows it, `ipctune revert` undoes it.")
    if result.took is not None and result.took.stopped:
        return Exit.NOT_POSSIBLE
    return Exit.INTERRUPTED if result.interrupted else Exit.DONE


def _first_to_go() -> None:
    """Where memory runs out, the kernel is to end us and what we start, no service (proc_pid_oom_score_adj(5))."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _save(journal: Journal, result: TuneResult) -> str:
    """Keep the run; why it could not be kept, or nothing: minutes of measuring are not lost over a full disk."""
    try:
        save(journal.state, result)
        _note(journal, result)
    except NotPossible as error:
        return error.what
    return ""


def _note(journal: Journal, result: TuneResult) -> None:
    goal, line = result.settings.goal.value, result.settings.command
    told: dict[str, Any] = {
        "kept": result.kept,
        "goal": goal,
        "interrupted": result.interrupted,
        "stopped": result.stopped,
    }
    told["guard"] = result.took.stopped if result.took is not None else ""
    front = sorted({s.knob for f in result.fronts for s in f.spots if s.stands_out})
    journal.note("tuned", run=result.run, command=line.command if line else "", front=front, **told)


def _planned(result: TuneResult, host: Host, form: Form) -> None:
    """What a dry run, or a no to the plan, leaves to say: why the rest would not be tried."""
    if form != "text":
        _show(result, host, form, details=True)
        return
    for left in result.not_tried:
        print(f"     {left.knob}: {left.why}")


def _show(result: TuneResult, host: Host, form: Form, *, details: bool) -> None:
    if form == "json":
        print(to_json(result))
    elif form == "markdown":
        print_page(result, host)
    else:
        print("\n" + render(result, Style.auto(sys.stdout), details=details), flush=True)


def _headline(host: Host) -> str:
    memory = f"{host.memory.total / 1e9:.1f} GB" if host.memory.total else "memory unknown"
    where = host.hypervisor.name or "hypervisor unknown"
    return (
        f"{host.hostname}   {where}, {host.os.name} ({host.kernel.release})   {len(host.cpus.online)} vCPU   {memory}\n"
    )


def _check_time(options: dict[str, Any], *, of_a_command: bool) -> None:
    """Raises WrongUse where the time can't hold a verdict and its proof, as far as is known before a command has run.

    The pair has two loads, and in the proof both again, not pinned; a command has one, of unknown length.
    """
    loads, block = (1, 0.0) if of_a_command else (2, options["block"])
    winner = 2 * Settings().idle + beside_seconds(Settings().beside, options["rest"])
    trial = 2 * (LEAST_PAIRS * pair_seconds(loads, block, options["rest"]) + winner)
    proof = 4 * PROOF_PAIRS * pair_seconds(loads if of_a_command else 2 * loads, block, options["rest"])
    least = math.floor(max(trial, proof))
    if not least <= options["seconds"] <= 86400:
        raise WrongUse(
            f"--time takes {least}s to 24h",
            hint="a shorter run could prove nothing; to look only: ipctune inspect --watch 10s",
        )


def _settings(options: dict[str, Any]) -> Settings:
    options |= {which: tuple(map(knob_named, options[which])) for which in ("only", "without")}
    command = command_line(options)
    workload, rate = named_workload(options)
    target, refused = named_target(options)
    attach = named_service(options)
    if target is None or command is not None or workload:
        _check_time(options, of_a_command=command is not None or bool(attach))
    (info,) = chosen(mechanisms(), (options["mechanism"],))
    if options["pattern"] not in patterns_of(info, rate=0.0):
        raise WrongUse(
            f"{info.name} can't be tuned by a {options['pattern']}",
            hint="one load of a run is as fast as it goes, and it would lose messages then: --pattern ping-pong",
        )
    spec = Spec(
        mechanism=options["mechanism"],
        pattern=options["pattern"],
        size=options["size"],
        capacity=options["capacity"] or 0,
    )
    seed = options["seed"] if options["seed"] is not None else random.SystemRandom().randrange(2**31)
    same = ("seconds", "rate", "max_cpu", "max_idle_cpu", "hold", "pairs", "block", "rest")
    return Settings(
        goal=Goal(options["goal"]),
        spec=spec,
        seed=seed,
        only=tuple(options["only"]),
        without=tuple(options["without"]),
        command=command,
        workload=workload,
        workload_rate=rate,
        guard=not options["no_guard"],
        watch_stops=command is None and not (workload or attach) and target is None and not options["anyway"],
        attach=attach,
        target=target,
        refused=refused,
        **{name: options[name] for name in same},
    )
