"""Answers as consumers give them, for tests that stand at the writer's side."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import numpy as np

from contracts.base import Stage
from contracts.results import (
    ConvertPayload,
    CuratePayload,
    EmbedPayload,
    ErrorEnvelope,
    Failure,
    FailureKind,
    Result,
    ScannedFile,
)

WORKER = "test:1"


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def scanned(rel_path: str, *, size: int = 1000, mtime_ns: int = 1, companion: str | None = None) -> ScannedFile:
    return ScannedFile(
        rel_path=rel_path,
        kind="raw" if companion else "picture",
        size=size,
        mtime_ns=mtime_ns,
        companion_rel_path=companion,
        companion_size=size if companion else None,
        companion_mtime_ns=mtime_ns if companion else None,
    )


def converted(pixels: str, **changes: Any) -> dict[str, Any]:
    """A convert payload whose pixels are named by a word."""
    payload = ConvertPayload(
        file_hash=digest("file " + str(changes.pop("file", pixels))),
        file_size=1000,
        mtime_ns=1,
        pixel_hash=digest(pixels),
        phash=changes.pop("phash", 1),
        width=600,
        height=400,
        preview_width=600,
        preview_height=400,
        thumb_width=400,
        thumb_height=267,
        dominant_color=0x808080,
        is_monochrome=True,
        picture_source="original",
        technical_score=50,
        sharpness_score=50,
        exposure_score=50,
        **changes,
    )
    return payload.model_dump(mode="json")


def curated(subject: str = "A street", **more: Any) -> dict[str, Any]:
    """What a language model said; it names no tags unless told."""
    stated = {"content_type": "street", "suggested_tags": [], "model": "test"} | more
    return CuratePayload(subject=subject, **stated).model_dump(mode="json")


def embedded(seed: int, *, dim: int = 16, encoder: str = "efficientnet-lite2") -> dict[str, Any]:
    vector = np.random.default_rng(seed).standard_normal(dim)
    vector /= np.linalg.norm(vector)
    return EmbedPayload(encoder=encoder, dim=dim, vector=vector.astype("<f2").tobytes()).model_dump(mode="json")


def result(stage: Stage, subject_id: int, payload: dict[str, Any], *, generation: int = 1, attempt: int = 1) -> Result:
    return Result(
        claim_id=str(uuid.uuid4()),
        stage=stage,
        subject_id=subject_id,
        photo_id=subject_id if stage not in ("scan", "taste", "bursts") else None,
        generation=generation,
        attempt=attempt,
        worker=WORKER,
        payload=payload,
    )


def failure(
    stage: Stage,
    subject_id: int,
    kind: FailureKind = "transient",
    *,
    generation: int = 1,
    attempt: int = 1,
    upstream: dict[str, Any] | None = None,
    retry_after_s: float | None = None,
    message: str = "no",
) -> Failure:
    return Failure(
        claim_id=str(uuid.uuid4()),
        stage=stage,
        subject_id=subject_id,
        photo_id=subject_id if stage not in ("scan", "taste", "bursts") else None,
        generation=generation,
        attempt=attempt,
        worker=WORKER,
        failure=kind,
        sentence="picture.jpg could not be read.",
        retry_after_s=retry_after_s,
        error=ErrorEnvelope(op=stage, error_type="Test", message=message, upstream=upstream),
    )
