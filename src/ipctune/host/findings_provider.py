"""Findings about what only the provider can change: caps that the host sets for its container (OpenVZ)."""

from collections.abc import Iterator

from ipctune.host.beancounters import BEANS, PREFIX
from ipctune.host.finding import Finding
from ipctune.host.findings_limits import amount
from ipctune.host.model import Host, Limit

__all__ = ["provider_findings"]

_FULL = 0.8
_MOST_NAMED = 6
_ASK = "ask the provider for a higher {}, or use less of it"
_WHY = "the host caps this for its container: no sysctl and no setting in here can raise it"


def provider_findings(host: Host) -> Iterator[Finding]:
    """Caps that refused something, caps that are nearly full, and which caps there are at all."""
    beans = [limit for name, limit in host.limits.items() if name.startswith(PREFIX)]
    for bean in beans:
        if bean.refusals:
            yield _refused(host, bean)
        elif bean.full is not None and bean.full >= _FULL:
            yield _nearly_full(host, bean)
    capped = [bean for bean in beans if not bean.unlimited]
    if capped:
        yield _capped(host, capped)


def _refused(host: Host, bean: Limit) -> Finding:
    name = _short(bean)
    peak = "" if bean.peak is None else f", at most {_amount(host, bean, bean.peak)} were held"
    return Finding(
        f"{bean.name}-refused",
        "fix",
        bean.name,
        f"{BEANS[name][1]} refused {bean.refusals} times since the container started",
        f"{_held(host, bean)}{peak}; {_WHY}",
        _ASK.format(name),
        82,
        bean.name,
    )


def _nearly_full(host: Host, bean: Limit) -> Finding:
    name = _short(bean)
    return Finding(
        f"full-{bean.name}",
        "fix",
        bean.name,
        f"{BEANS[name][1]}: {_held(host, bean)}",
        f"what comes next is refused; {_WHY}",
        _ASK.format(name),
        79,
        bean.name,
    )


def _capped(host: Host, capped: list[Limit]) -> Finding:
    named = [f"{_short(bean)} {_amount(host, bean, bean.value)}" for bean in capped]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return Finding(
        "host-caps",
        "know",
        "container",
        f"the host caps {', '.join(named[:_MOST_NAMED])}{more}",
        "they hold beside this container's own limits, which may read as unlimited: the smaller one counts",
        "/proc/user_beancounters shows held, limit and failcnt; ask the provider where failcnt grows",
        44,
    )


def _short(bean: Limit) -> str:
    return bean.name.removeprefix(PREFIX)


def _held(host: Host, bean: Limit) -> str:
    return f"{_amount(host, bean, bean.use)} of {_amount(host, bean, bean.value)} held"


def _amount(host: Host, bean: Limit, value: int | None) -> str:
    """Pages as bytes: people think in those."""
    if bean.unit == "pages" and value is not None:
        return amount(value * host.memory.page, "bytes")
    return amount(value, bean.unit)
