"""Bursts, fans and connections: every mechanism that has them, at each size, on one vCPU and on two."""

import json
import subprocess

import pytest
from tests.native.core import LARGEST_DATAGRAM, MECHANISMS, RINGS, Core, room_words
from tests.native.patterns import BURST, CASES, FANS, HAVE, PEERS, placements, words
from tests.native.result import check_result

ROLES = {"connect": ["client", "server"]}


@pytest.mark.parametrize("size", [1, 64, 4096, 65536])
@pytest.mark.parametrize(("pattern", "mechanism"), CASES)
def test_each_size_on_one_vcpu_and_on_two(core: Core, pattern: str, mechanism: str, size: int) -> None:
    size = min(size, LARGEST_DATAGRAM) if mechanism == "udp" else size
    for cpus in placements():
        answer = core.run(mechanism, *words(pattern), "--size", str(size), "--cpus", cpus, *room_words(mechanism, size))
        assert answer.status == 0, answer.data
        check_result(answer.data)
        assert (answer.data["pattern"], answer.data["size"]) == (pattern, size)
        assert [side["role"] for side in answer.data["sides"]] == ROLES.get(pattern, ["producer", "consumer"])
        assert answer.data["peers"] == (PEERS if pattern in FANS else None)
    assert core.processes() == []


def test_what_is_listed_is_what_works(core: Core) -> None:
    listed = {one["name"]: one["patterns"] for one in core.call("mechanisms").data["mechanisms"]}
    for name in MECHANISMS:
        assert listed[name][:2] == ["ping-pong", "stream"]
        assert listed[name][2:] == [pattern for pattern, names in HAVE.items() if name in names]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_what_a_mechanism_cannot_do_is_wrong_use(core: Core, mechanism: str) -> None:
    for pattern, names in HAVE.items():
        assert core.run(mechanism, *words(pattern)).status == (0 if mechanism in names else 2)


@pytest.mark.parametrize(
    "strange",
    [
        ("--pattern", "fan-in"),
        ("--pattern", "fan-in", "--peers", "0"),
        ("--pattern", "fan-in", "--peers", "1"),
        ("--pattern", "fan-out", "--peers", "65"),
        ("--pattern", "fan-out", "--peers", "-2"),
        ("--pattern", "fan-out", "--peers", "many"),
        ("--pattern", "fan-out", "--peers", "3", "--size", "7", "--rate", "1000"),
        ("--pattern", "stream", "--peers", "3"),
        ("--pattern", "fan-in", "--peers", "3", "--burst", "3"),
        ("--pattern", "fan-in", "--peers", "3", "--gap", "3"),
        ("--pattern", "burst"),
        ("--pattern", "burst", "--burst", "0"),
        ("--pattern", "burst", "--burst", "100001"),
        ("--pattern", "burst", "--burst", "3", "--rate", "1000"),
        ("--pattern", "burst", "--burst", "3", "--gap", "1000"),
        ("--burst", "3"),
        ("--peers", "3"),
        ("--pattern", "zigzag"),
        ("--work", "1,"),
        ("--work", ",1"),
        ("--work", "1,2,3"),
        ("--work", "-1,1"),
        ("--work", "1000000001"),
    ],
)
def test_strange_counts_are_wrong_use(core: Core, strange: tuple[str, ...]) -> None:
    assert core.run("pipe", *strange).status == 2


@pytest.mark.parametrize("peers", ["2", "64"])
@pytest.mark.parametrize("pattern", FANS)
@pytest.mark.parametrize("mechanism", ["pipe", "tcp", "posix-mq"])
def test_the_fewest_and_the_most_peers(core: Core, mechanism: str, pattern: str, peers: str) -> None:
    answer = core.run(mechanism, "--pattern", pattern, "--peers", peers)
    assert answer.status == 0, answer.data
    check_result(answer.data)
    assert core.processes() == []


@pytest.mark.parametrize("pattern", FANS)
def test_how_the_peers_share(core: Core, pattern: str) -> None:
    said = {
        (mechanism, size): core.run(mechanism, *words(pattern), "--size", size).data["sharing"]
        for mechanism, size in (("pipe", "4096"), ("pipe", "4097"), ("sysv-msg", "8000"), ("unix-stream", "1"))
    }
    assert list(said.values()) == ["one channel", "a channel each", "one channel", "a channel each"]


@pytest.mark.parametrize("mechanism", ["pipe", "unix-stream", "sysv-msg"])
@pytest.mark.parametrize("pattern", FANS)
def test_a_fan_at_a_rate_has_latencies(core: Core, pattern: str, mechanism: str) -> None:
    for rate in ("30", "2000", "10000000"):
        answer = core.run(mechanism, *words(pattern), "--rate", rate)
        assert answer.status == 0, answer.data
        check_result(answer.data)
        assert answer.data["latency"]["kind"] == "one-way"


@pytest.mark.parametrize("load", ["--rate=2000", "--gap=100000"])
@pytest.mark.parametrize("mechanism", HAVE["connect"])
def test_connections_at_a_rate_and_after_a_gap(core: Core, mechanism: str, load: str) -> None:
    answer = core.run(mechanism, "--pattern", "connect", *load.split("="))
    assert answer.status == 0, answer.data
    check_result(answer.data)
    assert answer.data["latency"]["kind"] == "round-trip"


@pytest.mark.parametrize("pattern", ["burst", *FANS])
@pytest.mark.parametrize("mechanism", ["pipe", "unix-stream", "tcp"])
def test_the_largest_message(core: Core, mechanism: str, pattern: str) -> None:
    answer = core.run(mechanism, *words(pattern), "--size", str(16 << 20))
    assert answer.status == 0, answer.data
    check_result(answer.data)


@pytest.mark.parametrize(("mechanism", "number"), [("pipe", "EAGAIN"), ("sysv-msg", "EAGAIN"), ("posix-mq", "EAGAIN")])
def test_what_a_full_mechanism_answers(core: Core, mechanism: str, number: str) -> None:
    burst = core.run(mechanism, "--pattern", "burst", "--burst", "2000", "--size", "4096").data["burst"]
    assert burst["errno"] == number
    assert burst["refused"] > 0
    assert 0 < burst["fits"] < 2000
    assert burst["lost"] == burst["partial"] == 0


@pytest.mark.parametrize("mechanism", ["memfd-futex", "memfd-eventfd"])
def test_a_full_ring_has_no_errno(core: Core, mechanism: str) -> None:
    burst = core.run(mechanism, "--pattern", "burst", "--burst", "2000", "--size", "4096").data["burst"]
    assert burst["errno"] is None
    assert burst["refused"] > 0


def test_what_is_not_full_refuses_nothing(core: Core) -> None:
    burst = core.run("pipe", *words("burst")).data["burst"]
    assert (burst["refused"], burst["errno"], burst["fits"]) == (0, None, BURST)


def test_a_message_that_is_taken_in_part_comes_whole(core: Core) -> None:
    for mechanism in ("pipe", "unix-stream", "tcp"):
        data = core.run(mechanism, *words("burst"), "--size", str(8 << 20)).data
        check_result(data)
        # At least the first of each burst; where the producer stalled, what it had begun was drained meanwhile.
        assert 0 < data["burst"]["partial"] <= data["burst"]["accepted"]
        assert data["burst"]["accepted"] >= data["burst"]["bursts"]


@pytest.mark.parametrize("size", ["1", "64", "4096"])
def test_what_the_kernel_drops_is_lost(core: Core, size: str) -> None:
    words_ = ("--pattern", "burst", "--burst", "3000", "--size", size)
    data = core.run("udp", *words_).data
    check_result(data)
    assert data["burst"]["lost"] > 0
    assert data["burst"]["errno"] is None


@pytest.mark.parametrize("work", ["20000", "20000,0", "20000,30000"])
@pytest.mark.parametrize("pattern", ["ping-pong", "stream", *HAVE])
def test_both_sides_compute(core: Core, pattern: str, work: str) -> None:
    mechanism = "tcp" if pattern == "connect" else "pipe"
    extra = () if pattern in ("ping-pong", "stream") else words(pattern)[2:]
    data = core.run(mechanism, "--pattern", pattern, *extra, "--work", work).data
    check_result(data)
    driver, answerer = (0, int(work)) if "," not in work else map(int, work.split(","))
    assert (data["work_driver_ns"], data["work_ns"]) == (driver, answerer)
    # whoever computes for each message can't have had more of them than that leaves time for, on any machine
    one = data["share"][1] if pattern in FANS else data["messages"]
    by_driver = one if pattern == "fan-in" else data["messages"]
    by_answerer = one if pattern == "fan-out" else data["messages"]
    assert max((by_driver - 1) * driver, (by_answerer - 1) * answerer) <= data["seconds"] * 1e9


def test_connections_use_up_no_port(core: Core) -> None:
    """So many in a network namespace of two dozen ports."""
    script = f"""ip link set lo up && echo 40000 40023 > /proc/sys/net/ipv4/ip_local_port_range &&
    {core.path} run --mechanism tcp --pattern connect --seconds 0.1 --ipc-namespace present"""
    done = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, timeout=20, check=True)
    data = json.loads(done.stdout)
    assert data["messages"] > 48


def test_rings_alone_are_no_fans() -> None:
    assert not set(RINGS) & set(HAVE["fan-in"])
