"""What a block counted beside messages: bursts, and copies that the kernel made all the same."""

from dataclasses import dataclass

__all__ = ["Burst", "Zerocopy"]


@dataclass(frozen=True, slots=True)
class Zerocopy:
    """Calls with MSG_ZEROCOPY that the kernel was done with, and those of them that it copied all the same.

    Source: Documentation/networking/msg_zerocopy.rst, "Deferred copies".
    """

    completions: int
    copied: int


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of the messages of all `bursts` together.

    `offered` is `accepted` and `refused` together; `partial` of the accepted were taken in part and
    sent to their end when the consumer had begun to drain. `lost` ones were accepted and never came.
    `fits` is the most of one burst that went whole without waiting, so at least that much fits;
    `errno` is what the full mechanism answered, None where it never was full or has no errno.
    """

    bursts: int
    offered: int
    accepted: int
    partial: int
    received: int
    lost: int
    refused: int
    errno: str | None
    fits: int
