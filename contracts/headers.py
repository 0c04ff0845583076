"""Headers of messages, which anybody who reaches the broker can write."""

from __future__ import annotations

from typing import Any


def leave_out_unreadable(properties: type[Any]) -> None:
    """Makes `properties` (pika's `BasicProperties`) leave out the headers that it cannot read.

    pika raises ValueError for a time after the year 9999, and the connection ends with it; the broker hands the message
    out again, to the next process, which ends as well. No header of a claim or an answer means anything to us.
    """
    decode = properties.decode
    if hasattr(decode, "leaves_out_unreadable"):
        return

    def lenient(self: Any, encoded: bytes, offset: int = 0) -> Any:
        try:
            return decode(self, encoded, offset)
        except Exception:
            self.headers = None
            return self

    lenient.leaves_out_unreadable = True  # type: ignore[attr-defined]
    properties.decode = lenient
