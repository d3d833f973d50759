"""The watchdog: a small process of its own that restores when the tuner dies or the time is up, and holds kept leases.

Standard library alone. It rereads `active.json` on SIGHUP and writes what it holds into `watchdog.json`.
Time is CLOCK_BOOTTIME, so that a suspended machine does not prolong a deadline.
"""

import json
import os
import select
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ipctune.errors import IpctuneError, NotPossible
from ipctune.host.polltime import poll_us
from ipctune.host.state import open_state
from ipctune.journal.lock import locked
from ipctune.journal.machine import alive, namespaces, start_time
from ipctune.journal.putback import Undone, owns_commit, put_back
from ipctune.journal.store import Active, Hold, Journal
from ipctune.knobs.registry import KNOBS

__all__ = ["STATUS", "boottime", "main"]

STATUS = "watchdog.json"
_MINUTE = 60.0
_AGAIN = 0.2  # seconds between two tries at a lock that someone holds


def boottime() -> float:
    """Seconds since boot, suspended time included (clock_gettime(2), CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class _Watchdog:
    journal: Journal
    held: dict[str, tuple[Hold, ExitStack]] = field(default_factory=dict)
    generation: int = 0
    errors: list[str] = field(default_factory=list)
    polled: list[tuple[float, int]] = field(default_factory=list)
    orders: Active | None = None

    def obey(self) -> Active | None:
        """Read the orders, take and drop leases accordingly, and say so.

        Where they can't be read, the last ones that could still count: someone has to restore.
        """
        self.errors = []
        active = self.orders
        try:
            active = self.orders = self.journal.active()
        except IpctuneError as error:
            self.errors.append(error.what)
        wanted = {hold.knob: hold for hold in active.holds} if active and not active.away else {}
        for knob in [k for k, (hold, _) in self.held.items() if wanted.get(k) != hold]:
            self.held.pop(knob)[1].close()
        for knob in wanted.keys() - self.held.keys():
            self._hold(wanted[knob])
        self.generation += 1
        self.report()
        return active

    def _hold(self, hold: Hold) -> None:
        lease = KNOBS[hold.knob].lease
        assert lease is not None
        with ExitStack() as stack:
            try:
                stack.enter_context(lease(hold.value))
            except IpctuneError as error:
                self.errors.append(error.what)
            else:
                self.held[hold.knob] = (hold, stack.pop_all())

    def report(self) -> None:
        pid = os.getpid()
        facts = {
            "pid": pid,
            "start": start_time(pid) or 0,
            "generation": self.generation,
            "holds": sorted(self.held),
            "errors": self.errors,
            "namespaces": namespaces(),
            "polled": self.polled,
        }
        with suppress(IpctuneError):  # a disk that fills up later must not end the watchdog
            self.journal.state.write(STATUS, json.dumps(facts).encode())

    def sample(self) -> None:
        """Note what was polled so far, about once a minute: `status` shows the price of the last minute."""
        now = boottime()
        if self.polled and now - self.polled[-1][0] < _MINUTE:
            return
        polled = poll_us()
        if polled is not None:
            self.polled = [*self.polled[-1:], (now, polled)]
            self.report()

    def release(self) -> None:
        """Drop every lease."""
        for _, stack in self.held.values():
            stack.close()
        self.held.clear()

    def restore(self, why: str) -> None:
        """Everything back, and an end to the orders. What can't be restored stays in the journal."""
        undone, files = Undone(), owns_commit(self.journal)  # the files of a commit that was killed half-way
        self.release()
        put_back(self.journal, why, undone, files=files)
        if not undone.files_left:
            with undone.step():
                self.journal.set_active(None)
        for error in undone.errors:
            print(error.what, file=sys.stderr, flush=True)

    def ordered(self, active: Active) -> bool:
        """Whether these are still the orders. Damaged ones change nothing."""
        try:
            return self.journal.active() == active
        except IpctuneError:
            return True


def main() -> None:
    """Watch until there is nothing left to watch. The one argument is the state folder."""
    state = open_state(Path(sys.argv[1]))
    assert state is not None
    watchdog = _Watchdog(Journal(state))
    wake, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _spared()
    try:
        _watch(watchdog, wake)
    finally:
        with suppress(IpctuneError):
            watchdog.journal.state.remove(STATUS)


def _spared() -> None:
    """Be among the last that the OOM killer ends, or at least not among the first, as what measures is.

    Less than what we started with takes CAP_SYS_RESOURCE; back to 0 may always be had by who raised it without.
    """
    for value in ("-900", "0"):
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(value)
            return


def _watch(watchdog: _Watchdog, wake: int) -> None:
    active = watchdog.obey()
    while active is not None and (active.tuner or active.deadline is not None or active.holds):
        why = _over(active)
        if why:
            if _restore_unless_busy(watchdog, active, why):
                return
            time.sleep(_AGAIN)
            active = watchdog.obey()
            continue
        watchdog.sample()
        signals = _sleep(active, wake)
        if signal.SIGTERM in signals:
            # The machine goes down, or someone ends us: what is not committed goes back, leases end with us. A
            # tuner at work holds the lock and writes still: its entries must stay, and it restores by itself.
            if not active.committed or active.deadline is not None:
                _restore_unless_busy(watchdog, active, "restored at the watchdog's end")
            return
        if signal.SIGHUP in signals or not watchdog.ordered(active):
            active = watchdog.obey()  # also where whoever changed the orders died before it told us


def _restore_unless_busy(watchdog: _Watchdog, active: Active, why: str) -> bool:
    """Restore, unless another command has just taken over: it restores first, and its orders count."""
    try:
        with locked(watchdog.journal.state):
            if not watchdog.ordered(active):
                return False
            watchdog.restore(why)
            return True
    except NotPossible:
        return False


def _over(active: Active) -> str:
    """Why it is time to restore; empty while there is something to wait for."""
    if active.tuner:
        return "" if alive(active.tuner, active.tuner_start) else "restored after the tuner died"
    if active.deadline is not None:
        return "restored at the deadline" if boottime() >= active.deadline else ""
    return ""


def _sleep(active: Active, wake: int) -> set[int]:
    """Sleep until a signal, the tuner's death or the deadline; returns the signals that came."""
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    timeout, tuner = _MINUTE, -1
    if active.tuner:
        tuner = _pidfd(active)
        if tuner < 0:
            return set()
        poll.register(tuner, select.POLLIN)
    elif active.deadline is not None:
        timeout = min(timeout, max(0.0, active.deadline - boottime()))
    try:
        ready = {fd for fd, _ in poll.poll(timeout * 1000 + 1)}
    finally:
        if tuner >= 0:
            os.close(tuner)
    return set(os.read(wake, 64)) if wake in ready else set()


def _pidfd(active: Active) -> int:
    try:
        fd = os.pidfd_open(active.tuner)
    except OSError:
        return -1
    if not alive(active.tuner, active.tuner_start):
        os.close(fd)
        return -1
    return fd


if __name__ == "__main__":
    main()
