"""What the kernel and container managers write: known bytes give known values, garbage never raises."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trees.make import root_of

from ipctune.services.diag import messages, parse_tcp, parse_unix
from ipctune.services.explain import match
from ipctune.services.model import Service
from ipctune.services.naming import container_names, kept_in_tmp, service_of, user_names
from ipctune.services.network import port_range
from ipctune.services.shm import who_maps
from ipctune.services.sysv import queue_bytes

ID = "0123456789abcdef" * 4
LINES = st.text() | st.from_regex(r"([a-z0-9_./:\[\]-]{1,20}[ :\n=]{1,2}){0,9}", fullmatch=True)
TEXTS: list[Callable[[str], object]] = [
    match,
    lambda text: service_of(text, "x"),
    lambda text: list(who_maps(text.splitlines())),
    lambda text: port_range({"net/ipv4/ip_local_port_range": text, "net/ipv4/ip_local_reserved_ports": text}),
    lambda text: user_names(root_of({"/etc/passwd": text})),
    lambda text: container_names(root_of({f"/var/lib/docker/containers/{ID}/config.v2.json": text})),
    lambda text: container_names(root_of({"/var/lib/containers/storage/overlay-containers/containers.json": text})),
    lambda text: kept_in_tmp(root_of({"/proc/swaps": text, "/sys/block/loop0/loop/backing_file": text})),
]


@pytest.mark.parametrize("parser", TEXTS)
def test_garbage_text_never_raises(parser: Callable[[str], object]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(LINES)
    def run(text: str) -> None:
        parser(text)

    run()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_from_netlink_never_raises(data: bytes) -> None:
    for _, body in messages(data):
        parse_unix(body)
        parse_tcp(body)
    parse_unix(data)
    parse_tcp(data)


def attribute(kind: int, data: bytes) -> bytes:
    return (struct.pack("=HH", 4 + len(data), kind) + data).ljust((4 + len(data) + 3) & ~3, b"\0")


def test_a_listener_with_a_path() -> None:
    body = (
        struct.pack("=BBBxI8x", 1, 1, 10, 77)
        + attribute(0, b"/run/x.sock\0")
        + attribute(4, struct.pack("=II", 3, 128))
    )
    found = parse_unix(body)
    assert found is not None
    assert (found.inode, found.name, found.queue, found.most) == (77, "/run/x.sock", 3, 128)


def test_an_abstract_name() -> None:
    found = parse_unix(struct.pack("=BBBxI8x", 1, 2, 7, 5) + attribute(0, b"\0name"))
    assert found is not None
    assert found.name == "@name"


@pytest.mark.parametrize(
    ("family", "raw", "shown"),
    [(2, bytes([127, 0, 0, 1]), "127.0.0.1"), (10, bytes(15) + b"\1", "::1"),
     (10, bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 9]), "10.0.0.9")],
)  # fmt: skip
def test_addresses(family: int, raw: bytes, shown: str) -> None:
    ports = struct.pack(">HH", 80, 0)
    body = struct.pack("=BBBB4s16s16s12xIIIII", family, 10, 0, 0, ports, raw, b"", 0, 1, 511, 0, 9)
    found = parse_tcp(body)
    assert found is not None
    assert (found.local, found.queue, found.most, found.inode) == ((shown, 80), 1, 511, 9)


@pytest.mark.parametrize(
    ("cgroup", "service"),
    [
        ("0::/system.slice/php8.3-fpm.service\n", Service("php8.3-fpm.service", "unit")),
        ("0::/system.slice/system-pg.slice/postgresql@15-main.service", Service("postgresql@15-main.service", "unit")),
        ("0::/user.slice/user-1000.slice/session-3.scope", Service("x", "program")),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/job.service", Service("job.service", "unit")),
        ("0::/init.scope", Service("x", "program")),
        (f"0::/system.slice/docker-{ID}.scope", Service("pg", "container")),
        (f"12:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}", Service("pg", "container")),
        (f"0::/machine.slice/libpod-{'f' * 64}.scope", Service("f" * 12, "container")),
        (f"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope", Service("pg", "container")),
        (f"0::/kubepods/burstable/pod1/{ID}", Service("pg", "container")),
        ("0::/lxc.payload.web1/system.slice/nginx.service", Service("web1", "container")),
        ("0::/machine.slice/systemd-nspawn@a\\x2db.service/payload", Service("a-b", "container")),
        ("0::/", Service("x", "program")),
        ("", Service("x", "program")),
    ],
)  # fmt: skip
def test_whose_a_process_is(cgroup: str, service: Service) -> None:
    assert service_of(cgroup, "x", {ID: "pg"}) == service


def test_names_of_containers() -> None:
    docker = {f"/var/lib/docker/containers/{ID}/config.v2.json": '{"Name": "/pg", "Config": {}}'}
    podman = {"/var/lib/containers/storage/overlay-containers/containers.json": '[{"id": "ab", "names": ["web"]}]'}
    assert container_names(root_of(docker | podman)) == {ID: "pg", "ab": "web"}


def test_maps_tell_files_from_system_v_segments() -> None:
    lines = (
        "7f0000000000-7f0000001000 rw-s 00000000 00:01 32769                      /SYSV0052e2c1 (deleted)\n"
        "7f0000001000-7f0000002000 rw-s 00000000 00:19 7                          /dev/shm/my file\n"
        "7f0000002000-7f0000003000 rw-p 00000000 00:00 0 \n"
    ).splitlines()
    assert [(file[1], segment) for file, segment in who_maps(lines)] == [(32769, True), (7, False)]


def test_nine_default_queues_fit_into_the_default_limit() -> None:
    size = queue_bytes(10, 8192)
    assert 9 * size <= 819200 < 10 * size


def test_reserved_ports_are_not_there_to_use() -> None:
    told = {"net/ipv4/ip_local_port_range": "40000\t40009", "net/ipv4/ip_local_reserved_ports": "40001-40002,8080"}
    assert len(port_range(told)) == 8
