"""Set-up installs what is missing: asks once, upgrades nothing, restarts nothing."""

from pathlib import Path

import pytest
from tests.stand_in_machine import Machine, machine, not_root


@pytest.fixture
def fresh(tmp_path: Path) -> Machine:
    return machine(tmp_path)


def _installs(there: Machine) -> list[str]:
    """The calls of a package manager that change something."""
    dry = (" -s ", "--print-uris", "--download-only", "--assumeno", " update")
    lines = [line for line in there.said() if line.startswith(("apt-get", "dnf"))]
    return [line for line in lines if not any(word in line for word in dry)]


def test_without_a_terminal_it_says_what_comes_and_goes_on(fresh: Machine) -> None:
    answer = fresh.call("run", "bench", "--quick")
    assert answer.code == 0, answer.err
    assert answer.out == "ipctune: bench --quick\n"
    assert "gcc libc6-dev" in answer.err
    assert "Need to get 12.3 MB" in answer.err
    assert "From PyPI" in answer.err
    assert "[Y/n]" not in answer.err


def test_no_argument_means_tune(fresh: Machine) -> None:
    assert fresh.call("run").out == "ipctune: tune\n"


def test_a_terminal_is_asked_once(fresh: Machine) -> None:
    answer = fresh.call_on_terminal("run", "bench", types="y\n")
    assert answer.code == 0, answer.err
    assert answer.err.count("[Y/n]") == 1
    assert len(_installs(fresh)) == 1
    again = fresh.call_on_terminal("run", "bench", types="\n")
    assert "[Y/n]" not in again.err


def test_a_no_installs_nothing(fresh: Machine) -> None:
    answer = fresh.call_on_terminal("run", "bench", types="n\n")
    assert answer.code == 3
    assert _installs(fresh) == []
    assert "venv" not in fresh.said()


def test_apt_is_kept_from_upgrading_recommending_restarting_and_asking(fresh: Machine) -> None:
    fresh.call("run", "bench")
    (install,) = _installs(fresh)
    for option in ("--no-install-recommends", "--no-upgrade", "-y"):
        assert f" {option} " in install
    quiet = "NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 DEBIAN_FRONTEND=noninteractive"
    assert set(fresh.said("surroundings")) == {quiet}
    assert not any(" update" in line for line in fresh.said())


def test_lists_are_fetched_where_they_are_missing_and_it_says_so(fresh: Machine) -> None:
    fresh.clear("lists")
    answer = fresh.call("run", "bench")
    assert answer.code == 0, answer.err
    assert "lists are missing" in answer.err
    assert "python3.11-venv" in _installs(fresh)[0]


def test_lists_are_fetched_where_they_are_too_old(fresh: Machine) -> None:
    fresh.flag("lists-are-old")
    answer = fresh.call("run", "bench")
    assert answer.code == 0, answer.err
    assert "lists are too old" in answer.err
    assert sum(" update" in line for line in fresh.said()) == 1


def test_what_would_upgrade_is_refused(fresh: Machine) -> None:
    fresh.flag("plan", "Inst libc6 [2.36-8] (2.36-9 Debian:12 [amd64])\nInst libc6-dev (2.36-9 Debian:12)\n")
    answer = fresh.call("run", "bench")
    assert answer.code == 3
    assert "would upgrade or remove what is installed: libc6\n" in answer.err
    assert "--only-upgrade libc6" in answer.err
    assert _installs(fresh) == []


def test_what_would_remove_is_refused(fresh: Machine) -> None:
    fresh.flag("plan", "Remv mail-server [1.0]\nInst gcc (12 Debian:12 [amd64])\n")
    answer = fresh.call("run", "bench")
    assert answer.code == 3
    assert "mail-server" in answer.err


def test_the_version_that_fits_what_is_installed_is_taken_where_there_is_one(fresh: Machine) -> None:
    fresh.flag("plan", "Inst libc6 [2.36-8] (2.36-9 Debian:12 [amd64])\nInst libc6-dev (2.36-9 Debian:12)\n")
    fresh.flag("plan-pinned", "Inst libc6-dev (2.36-8 Debian:12 [amd64])\n")
    answer = fresh.call("run", "bench")
    assert answer.code == 0, answer.err
    (install,) = _installs(fresh)
    assert install.endswith("libc6-dev=2.36-8")


def test_without_root_it_says_what_to_install(fresh: Machine) -> None:
    not_root(fresh)
    answer = fresh.call("run", "bench")
    assert answer.code == 3
    assert "takes root" in answer.err
    assert "apt-get install --no-install-recommends gcc libc6-dev python3.11-venv" in answer.err
    assert _installs(fresh) == []


def test_without_root_but_with_all_that_is_needed_it_works(fresh: Machine) -> None:
    not_root(fresh)
    fresh.flag("compiles")
    fresh.flag("venv-works")
    assert fresh.call("run", "bench").out == "ipctune: bench\n"
    assert _installs(fresh) == []


def test_without_a_package_manager_it_says_what_is_needed(tmp_path: Path) -> None:
    answer = machine(tmp_path, manager="none").call("run", "bench")
    assert answer.code == 3
    assert "neither apt-get nor dnf" in answer.err


def test_dnf_installs_without_weak_dependencies(tmp_path: Path) -> None:
    there = machine(tmp_path, manager="dnf")
    there.flag("plan", "Installing:\n gcc  x86_64  14  fedora  37 M\nTotal download size: 90 M\n")
    answer = there.call("run", "bench")
    assert answer.code == 0, answer.err
    assert "Total download size: 90 M" in answer.err
    (install,) = _installs(there)
    assert "--setopt=install_weak_deps=False" in install
    assert install.endswith("gcc glibc-devel python3.11")


@pytest.mark.parametrize("section", ["Upgrading:", "Removing:", "Downgrading:"])
def test_dnf_that_would_change_what_is_installed_is_refused(tmp_path: Path, section: str) -> None:
    there = machine(tmp_path, manager="dnf")
    there.flag("plan", f"Installing:\n gcc\n{section}\n glibc  x86_64\n")
    answer = there.call("run", "bench")
    assert answer.code == 3
    assert _installs(there) == []


def test_the_tests_bring_their_own_tools(fresh: Machine) -> None:
    (fresh.stand / "bin" / "strace").unlink(missing_ok=True)
    answer = fresh.call("test", "-k", "judge")
    assert answer.code == 0, answer.err
    assert "strace" in _installs(fresh)[0]
    first, then = answer.out.splitlines()
    assert first.startswith("pytest: --leftovers -q --numprocesses=4")
    booted = ("test_commit_boot.py", "test_commit_order.py", "test_systemd_watchdog.py")
    assert " -k judge tests/host/" in first
    assert first.endswith(" tests/unit tests/native")
    assert all(f" tests/host/{name}" in first and f" --ignore=tests/host/{name}" in then for name in booted)
    assert then.startswith("pytest: --leftovers --every 3 -k judge --ignore")
    assert then.endswith(" tests/host")


def test_tests_that_are_named_run_alone(fresh: Machine) -> None:
    assert fresh.call("test", "tests/unit/x.py", "-x").out == "pytest: --leftovers tests/unit/x.py -x\n"


def test_no_service_starts_while_servers_are_installed_for_ci(fresh: Machine) -> None:
    policy = fresh.stand / "policy-rc.d"
    answer = fresh.call("tools/setup/setup.sh", "ci", IPCTUNE_POLICY_FILE=str(policy))
    assert answer.code == 0, answer.err
    (install,) = _installs(fresh)
    assert " redis-server " in install
    assert fresh.said("policy") == ["#!/bin/sh", "exit 101"]
    assert not policy.exists()


def test_services_may_start_again_after_a_failure(fresh: Machine) -> None:
    policy = fresh.stand / "policy-rc.d"
    fresh.flag("apt-fails")
    assert fresh.call("tools/setup/setup.sh", "ci", IPCTUNE_POLICY_FILE=str(policy)).code == 3
    assert fresh.said("policy") == ["#!/bin/sh", "exit 101"]
    assert not policy.exists()


def test_the_owners_own_word_on_services_stays(fresh: Machine) -> None:
    policy = fresh.stand / "policy-rc.d"
    policy.write_text("mine\n")
    assert fresh.call("tools/setup/setup.sh", "ci", IPCTUNE_POLICY_FILE=str(policy)).code == 0
    assert policy.read_text() == "mine\n"


def test_servers_are_no_part_of_run_or_test(fresh: Machine) -> None:
    fresh.call("test")
    assert "redis" not in " ".join(_installs(fresh))
