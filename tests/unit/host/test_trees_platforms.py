"""Platforms read from trees: which they are, and what is said and left unsaid on each."""

from pathlib import Path

import pytest
from tests.trees.make import MADE, TREES, main, root_of

from ipctune.host import read_host
from ipctune.host.findings import findings, inspect
from ipctune.host.model import Host
from ipctune.host.recorded import open_recorded
from ipctune.report.inspect import render

IDLE = {"idle-halts", "idle-dormant", "idle-module", "idle-remains", "one-vcpu"}
CAPS = {"host-caps"}
SHUT_IN = {"container", "user-namespace", "wsl"}
STEAL = {"steal", "steal-unknown"}

# Tree, hypervisor, container, idle driver, module, findings that have to be there; of the groups above, no other.
PLATFORMS = [
    ("debian12_kvm", "KVM", None, None, "built-in", {"idle-dormant"}),
    ("ubuntu2404_kvm", "KVM", None, None, "module", {"idle-module", "clock", "not-root"}),
    ("kvm_haltpoll", "KVM", None, "haltpoll", "built-in", {"clock"}),
    ("kvm_without_haltpoll", "KVM", None, None, "absent", {"idle-remains"}),
    ("kvm_one_vcpu", "KVM", None, None, "built-in", {"one-vcpu"}),
    ("kvm_64_vcpus", "KVM", None, None, "built-in", {"idle-dormant", "far-apart"}),
    ("kvm_with_hyperv_leaves", "KVM", None, None, "built-in", {"idle-dormant"}),
    ("arm64_kvm", "KVM", None, None, "unknown", {"idle-remains"}),
    ("xen_hvm", "Xen", None, None, "unknown", {"clock", "idle-remains"}),
    ("xen_pv", "Xen", None, None, "unknown", {"clock", "idle-remains"}),
    ("hyperv", "Hyper-V", None, None, "unknown", {"idle-remains", "steal-unknown"}),
    ("vmware", "VMware", None, None, "unknown", {"idle-remains"}),
    ("bare_metal", "none", None, "intel_idle", "unknown", {"clock", "lowered-kernel.shmmax", "tuned", "far-apart"}),
    ("arm64_metal", "none", None, "psci_idle", "unknown", set[str]()),
    ("no_sys", None, None, None, "unknown", {"one-vcpu", "steal"}),
    ("no_sys_kvm", "KVM", None, None, "unknown", set[str]()),
    (
        "openvz6",
        "none",
        "openvz",
        None,
        "unknown",
        {
            "container",
            "host-caps",
            "idle-remains",
            "beancounter shmpages-refused",
            "beancounter numproc-refused",
            "beancounter othersockbuf-refused",
            "full-beancounter kmemsize",
        },
    ),
    (
        "openvz7",
        "none",
        "openvz",
        None,
        "unknown",
        {"container", "host-caps", "idle-remains", "beancounter shmpages-refused"},
    ),
    ("openvz7_quiet", "none", "openvz", None, "unknown", {"container", "idle-remains"}),
    ("docker_in_kvm", "KVM", "docker", None, "unknown", {"container", "idle-remains", "full-/dev/shm", "quota"}),
    ("podman", "KVM", "podman", None, "unknown", {"container", "idle-remains", "user-namespace"}),
    ("lxc", "none", "lxc", None, "unknown", {"container", "idle-remains", "user-namespace"}),
    ("lxc_seen_by_a_user", "none", "lxc", None, "unknown", {"container", "idle-remains", "not-root"}),
    ("wsl2", "Hyper-V", "wsl", None, "unknown", {"wsl", "idle-remains", "steal-unknown"}),
]


def read(name: str) -> Host:
    return read_host(root_of(TREES[name]()))


def test_every_tree_is_tested() -> None:
    assert {platform[0] for platform in PLATFORMS} == set(TREES)


@pytest.mark.parametrize(("tree", "hypervisor", "container", "driver", "module", "found"), PLATFORMS)
def test_platform(
    tree: str, hypervisor: str | None, container: str | None, driver: str | None, module: str, found: set[str]
) -> None:
    host = read(tree)
    assert (host.hypervisor.name, host.container.name) == (hypervisor, container)
    assert (host.idle.driver, host.idle.haltpoll_module) == (driver, module)
    told = {finding.id for finding in findings(host)}
    assert found <= told
    assert told & (IDLE | CAPS | SHUT_IN | STEAL) <= found
    assert {one for one in told if "beancounter" in one} <= found


def test_openvz_says_that_the_host_sets_the_cap() -> None:
    screen = render(inspect(root_of(TREES["openvz7"]())))
    assert "refused 12 times" in screen
    assert "ask the provider" in screen


def test_openvz_reads_held_barrier_limit_and_failcnt() -> None:
    limits = read("openvz6").limits
    shared, kernel = limits["beancounter shmpages"], limits["beancounter kmemsize"]
    assert (shared.use, shared.peak, shared.value, shared.hard, shared.refusals) == (
        21_331,
        21_504,
        21_504,
        21_504,
        312,
    )
    assert (kernel.value, kernel.hard, kernel.unit) == (14_372_700, 14_790_164, "bytes")
    assert limits["beancounter physpages"].value == 262_144, "a barrier of 0 is none"
    assert read("openvz7").limits["beancounter kmemsize"].unlimited


def test_on_openvz_nothing_in_the_guest_is_said_to_raise_a_cap() -> None:
    for finding in findings(read("openvz6")):
        if "beancounter" in finding.id:
            assert finding.todo.startswith("ask the provider")
            assert "no sysctl" in finding.why
    advice = {one.said: one.here for one in inspect(root_of(TREES["openvz6"]())).not_to_do}
    assert "84 MiB" in advice["raise kernel.shmmax and kernel.shmall"]


def test_the_host_of_openvz_is_no_container_and_its_rows_are_not_ours() -> None:
    host = read_host(root_of(TREES["openvz6"]() | {"/proc/bc/101/resources": ""}))
    assert host.container.name is None
    assert not any("beancounter" in name for name in host.limits)


@pytest.mark.parametrize("tree", ["kvm_without_haltpoll", "xen_hvm", "xen_pv", "hyperv", "vmware", "arm64_kvm", "wsl2"])
def test_a_guest_without_haltpoll_hears_what_remains(tree: str) -> None:
    (todo,) = (one.todo for one in findings(read(tree)) if one.id == "idle-remains")
    for word in ("one vCPU", "spin", "several messages", "plan", "poller"):
        assert word in todo
    assert any(line in todo for line in ("idle=poll", "nohlt", "cpuidle_haltpoll.force=1"))


@pytest.mark.parametrize(("dmi", "name"), [("QEMU\n", "QEMU or KVM"), ("Nobody\n", "unnamed")])
def test_a_guest_that_is_not_surely_kvm_is_not_told_that_it_is_none(dmi: str, name: str) -> None:
    """Without the core and kvm-clock only the firmware's name and a flag of the processor are left."""
    files = TREES["kvm_without_haltpoll"]() | {
        "/sys/class/dmi/id/sys_vendor": dmi,
        "/sys/class/dmi/id/product_name": "",
        "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc\n",
        "/proc/cpuinfo": "vendor_id : GenuineIntel\nflags : fpu tsc hypervisor\n",
    }
    del files["/facts.json"]
    host = read_host(root_of(files))
    assert host.hypervisor.name == name
    (finding,) = (one for one in findings(host) if one.id == "idle-remains")
    assert "not for QEMU" not in finding.what
    assert "unnamed" not in finding.what


def test_in_a_container_the_idle_driver_is_not_promised() -> None:
    (todo,) = (one.todo for one in findings(read("docker_in_kvm")) if one.id == "idle-remains")
    assert "command line" not in todo
    assert "spin" in todo


@pytest.mark.parametrize(
    ("kernel", "name"), [("6.6.36-my-WSL2+", "Hyper-V"), ("5.15.1-microsoft-custom", "Hyper-V"), ("6.6.36", "KVM")]
)
def test_wsl_is_known_by_its_kernel(kernel: str, name: str) -> None:
    files = TREES["debian12_kvm"]() | {"/proc/sys/kernel/osrelease": kernel}
    del files["/facts.json"]
    assert read_host(root_of(files)).hypervisor.name == name


def test_xen_names_its_control_domain() -> None:
    host = read_host(root_of(TREES["xen_pv"]() | {"/proc/xen/capabilities": "control_d\n"}))
    assert "dom0" in host.hypervisor.evidence[0]


def test_vcpus_that_the_host_shows_as_a_socket_each_are_not_called_far_apart() -> None:
    assert read("vmware").cpus.sockets == 4
    assert "far-apart" not in {one.id for one in findings(read("vmware"))}


def test_trees_on_disk_say_that_they_were_made(tmp_path: Path) -> None:
    main(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == set(TREES)
    assert all("Made by hand" in (path / MADE.lstrip("/")).read_text() for path in tmp_path.iterdir())
    screen = render(inspect(open_recorded(tmp_path / "hyperv")))
    assert "Hyper-V guest" in screen
