"""Findings about a machine, ranked: pure functions of `Host`, in words that its owner understands."""

from ipctune.host import read
from ipctune.host.finding import Advice, Finding, Inspection
from ipctune.host.findings_container import container_findings
from ipctune.host.findings_idle import idle_findings
from ipctune.host.findings_limits import limit_findings, not_to_do
from ipctune.host.findings_machine import machine_findings
from ipctune.host.findings_provider import provider_findings
from ipctune.host.findings_tax import tax_findings
from ipctune.host.findings_vcpus import vcpu_findings
from ipctune.host.model import Host
from ipctune.host.root import Root

_PARTS = (
    idle_findings,
    vcpu_findings,
    machine_findings,
    container_findings,
    limit_findings,
    provider_findings,
    tax_findings,
)

__all__ = ["Advice", "Finding", "Inspection", "findings", "inspect"]


def findings(host: Host) -> tuple[Finding, ...]:
    """Everything worth saying about the machine: what to fix first, each part by rank."""
    found = [one for part in _PARTS for one in part(host)]
    return tuple(sorted(found, key=lambda one: (one.severity != "fix", -one.rank, one.id)))


def inspect(root: Root | None = None) -> Inspection:
    """Read a machine and say what was found. Changes nothing."""
    host = read.read(root)
    found = findings(host)
    troubled = {finding.limit for finding in found if finding.limit}
    known = [name for name, limit in host.limits.items() if limit.value is not None or limit.unlimited]
    fine = [name for name in known if name not in troubled and name.rpartition(".")[0] not in troubled]
    return Inspection(host, found, not_to_do(host), len(fine))
