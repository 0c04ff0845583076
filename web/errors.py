"""Why a request was refused.

WebError
└── RequestError   what was asked for cannot be done; `status` is the HTTP status, `sentence` says what to do
"""

from __future__ import annotations


class WebError(Exception):
    """The root of this room's errors."""


class RequestError(WebError):
    """Use this when the person or the program that asked can mend it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
