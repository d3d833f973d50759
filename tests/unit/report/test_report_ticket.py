"""The page for the hosting company: it asks for what was measured, and names no host, address or program."""

from dataclasses import replace

import pytest
from tests.trees.make import TREES, root_of

from ipctune.host import read_host
from ipctune.host.model import StealHour
from ipctune.report.ticket import Waking, render

SLOW, FAST = Waking(60_000, 5_000, 0.5), Waking(9_000, 5_000, 0.5)
WHEN = "2026-03-01 20:10 +0000"


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("waking", [SLOW, FAST, None])
def test_every_machine_gets_a_page_without_its_name(tree: str, waking: Waking | None) -> None:
    host = read_host(root_of(TREES[tree]()))
    page = render(host, WHEN, waking, "no core")
    assert host.hostname is None or host.hostname not in page.split()
    assert "## What we ask for" in page
    assert WHEN in page


def test_names_and_addresses_that_stand_in_what_was_read_are_left_out() -> None:
    files = TREES["debian12_kvm"]() | {
        "/sys/class/dmi/id/product_name": "server web1 at 203.0.113.9 fe80::1 52:54:00:12:34:56\n",
        "/proc/cmdline": "haltpoll.guest_halt_poll_ns=0 ip=203.0.113.9 db_password=hunter2\n",
    }
    page = render(read_host(root_of(files)), WHEN, SLOW)
    assert [word for word in ("web1", "203.0.113.9", "fe80::1", "52:54", "hunter2") if word in page] == []
    assert "`haltpoll.guest_halt_poll_ns=0`" in page


def test_it_asks_about_steal_only_where_there_was_some() -> None:
    host = read_host(root_of(TREES["debian12_kvm"]()))
    assert "This page shows no fault" in render(host, WHEN, FAST)
    stolen = replace(host, steal=replace(host.steal, hours=(StealHour("2026-03-01 20", 12.0),)))
    page = render(stolen, WHEN, FAST)
    assert "Steal of up to 12.0 %" in page
    assert "steal in the hour of 2026-03-01 20:00 | 12.0 %" in page


def test_half_of_the_difference_is_one_wake_up() -> None:
    page = render(read_host(root_of(TREES["debian12_kvm"]())), WHEN, SLOW)
    assert "so one wake-up of a halted vCPU costs | 27.5 µs" in page
    assert "halt_poll_ns" in page
