"""What must not leave the machine in a recording or a report: names, addresses, ids, secrets."""

import re

__all__ = ["LEFT_OUT", "boot_value", "clean", "settings_only"]

LEFT_OUT = "(left out)"

_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_LONG_HEX = re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{12,}(?![0-9A-Za-z])")
_MAC = re.compile(r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_SECRET_NAME = re.compile(
    r"pass|secret|token|credential|auth|key|user|login|host|addr|^ip$|ifname|nameserver|url|^ds$|"
    r"uuid|serial|label|root|resume|crypt|luks|^s3|http|mail|seed|machine.?id|boot_image|initrd|^(rd)?init$",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[\w.,:;+@=/-]{0,48}", re.ASCII)
_KEPT_KEYS = re.compile(r"-?(kernel|vm|fs|net)[./][\w./*-]+")


def clean(text: str, hostname: str | None = None) -> str:
    """`text` without addresses, UUIDs, long ids and the machine's name; every id becomes zeros."""
    text = _UUID.sub("00000000-0000-0000-0000-000000000000", text)
    text = _LONG_HEX.sub(lambda found: "0" * len(found.group()), text)
    text = _MAC.sub("00:00:00:00:00:00", text)
    text = _IPV4.sub("0.0.0.0", text)
    text = _IPV6.sub(lambda found: "::" if any(c.isalnum() for c in found.group()) else found.group(), text)
    if hostname and len(hostname) > 2:
        text = re.sub(rf"(?<![\w-]){re.escape(hostname)}(?![\w-])", "recorded", text)
    return text


def boot_value(name: str, value: str) -> str:
    """The value of a boot parameter we don't know: kept where it is short, plain and no secret."""
    if _SECRET_NAME.search(name) or not _PLAIN.fullmatch(value) or clean(value) != value:
        return LEFT_OUT
    words = re.split(r"[^A-Za-z0-9]+", value)
    return LEFT_OUT if any(_looks_random(word) for word in words) else value


def settings_only(text: str) -> str:
    """Lines of a sysctl file that set kernel, vm, fs or net keys; others emptied, so numbers stay."""
    kept = (line if _KEPT_KEYS.match(line.strip()) else "" for line in text.splitlines())
    return "".join(line + "\n" for line in kept)


def _looks_random(word: str) -> bool:
    kinds = [any(map(kind, word)) for kind in (str.isdigit, str.islower, str.isupper)]
    return len(word) >= 16 and sum(kinds) >= 2
