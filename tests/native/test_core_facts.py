"""`facts` and `mechanisms` say what they promise."""

import platform
import resource
import subprocess
from pathlib import Path

from tests.native.core import BYTE_STREAMS, DATAGRAMS, MECHANISMS, RINGS, WAITS, ZERO_COPY, Core


def test_mechanisms(core: Core) -> None:
    listed = core.call("mechanisms").data["mechanisms"]
    assert tuple(one["name"] for one in listed) == MECHANISMS
    for one in listed:
        shape = {"name", "summary", "manual", "stream", "patterns", "max_size", "options", "waits"}
        assert set(one) == shape
        assert one["options"] == _options(one["name"])
        assert tuple(one["waits"]) == WAITS.get(one["name"], ("block",))
        assert one["stream"] == (one["name"] != "udp")
        assert one["patterns"][:2] == ["ping-pong", "stream"]


def _options(name: str) -> list[str]:
    taken = {
        "capacity": name in (*WAITS, *ZERO_COPY),
        "wait": name in WAITS,
        "write-size": name in BYTE_STREAMS,
        "batch": name in (*BYTE_STREAMS, *DATAGRAMS),
        "noerror": name == "sysv-msg",
        "pages": name in RINGS,
        "slots": name in RINGS,
        "spin": name == "memfd-spin-futex",
    }
    return [option for option, takes in taken.items() if takes]


def test_the_corrupting_mechanism_is_listed_for_tests(core: Core) -> None:
    listed = core.call("mechanisms", IPCTUNE_TEST_MECHANISMS="1").data["mechanisms"]
    assert listed[-1]["name"] == "test-corrupt"


def test_facts(core: Core) -> None:
    facts = core.call("facts").data
    assert set(facts) == {"cpuid", "rlimits", "capabilities", "clock", "jitter"}
    assert facts["clock"]["monotonic_ns"] > 0
    assert facts["clock"]["getppid_ns"] > 0
    assert facts["jitter"]["gaps"] >= 0
    assert 0 <= facts["jitter"]["lost_percent"] <= 100
    assert {"steal_time", "realtime"} <= set(facts["cpuid"]["kvm"] or {"steal_time", "realtime"})


def test_the_processor_tells_on_x86_alone(core: Core) -> None:
    told = core.call("facts").data["cpuid"]["hypervisor"]
    assert (told is not None) == (platform.machine() in {"x86_64", "i686"})


def test_limits_are_those_of_the_process(core: Core) -> None:
    def known(value: int) -> int | None:
        return None if value == resource.RLIM_INFINITY else value

    told = core.call("facts").data["rlimits"]
    for name in ("RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_AS"):
        number = {"RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13}.get(name) or getattr(resource, name)
        assert told[name] == [known(value) for value in resource.getrlimit(number)]


def test_capabilities_are_those_of_the_process(core: Core) -> None:
    none = core.call("facts", prefix=("setpriv", "--bounding-set", "-all", "--inh-caps", "-all"))
    assert none.data["capabilities"]["bounding"] == "0" * 16


def test_an_answer_that_cannot_be_written_is_no_success(core: Core) -> None:
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run([str(core.path), "mechanisms"], stdout=full, check=False).returncode == 70
