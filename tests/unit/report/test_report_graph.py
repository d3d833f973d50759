"""Who talks to whom, in every form; names of programs can't break any of them."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipctune.report.graph import render_graph, to_dot, to_mermaid, to_svg
from ipctune.trace.model import Edge, Graph, Node, Own

OWN = Own(100, 10_000, 1_000_000, 20 << 20)
NODES = (Node(10, "nginx"), Node(20, "php-fpm"), Node(30, "redis-server"))
EDGES = (
    Edge(10, 20, "unix", 5000, 1 << 20, wakes=4000, across=1000),
    Edge(20, 10, "unix", 5000, 1 << 24),
    Edge(20, 30, "futex", 40, 0),
)
GRAPH = Graph(2.0, NODES, EDGES, lost=3, own=OWN)


def test_the_table_has_every_edge_once() -> None:
    lines = render_graph(GRAPH).splitlines()
    row = next(line for line in lines if line.startswith("nginx 10"))
    assert row.split() == ["nginx", "10", "php-fpm", "20", "unix", "2,500", "512K", "2,000", "25", "%"]
    assert "lost: 3" in render_graph(GRAPH)
    assert "and 2 more" in render_graph(GRAPH, rows=1)


def test_other_forms_have_every_process_and_edge() -> None:
    assert to_mermaid(GRAPH).count("-->") == to_dot(GRAPH).count("->") == 3
    picture = ElementTree.fromstring(to_svg(GRAPH))
    assert len(picture.findall(".//{*}circle")) == 3
    assert len(picture.findall("{*}path")) == 3


def test_nobody_talks() -> None:
    empty = Graph(1.0, (), (), 0, OWN)
    assert "0 processes" in render_graph(empty)
    ElementTree.fromstring(to_svg(empty))


@given(st.text(max_size=15))
def test_a_name_breaks_nothing(name: str) -> None:
    made = Graph(1.0, (Node(1, name), Node(2, "b")), (Edge(1, 2, "pipe", 1, 1),), 0, OWN)
    ElementTree.fromstring(to_svg(made))
    assert len(to_mermaid(made).split("\n")) == 4
    assert to_dot(made).count('"') == 6


@pytest.mark.parametrize("name", ['"];rm', "</text>", "a|b"])
def test_what_would_end_a_string_goes(name: str) -> None:
    made = Graph(1.0, (Node(1, name),), (), 0, OWN)
    assert name not in to_dot(made) + to_mermaid(made)
    assert len(ElementTree.fromstring(to_svg(made)).findall(".//{*}text")) == 1
