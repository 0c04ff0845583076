"""What a consumer answers: a `Result` with the payload of its stage, or a `Failure`.

`RESULT_PAYLOADS` names the payload model of every stage. Absolute paths never travel in a result: the writer
knows where it asked for a derivative to be put.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, field_validator

from contracts.base import Message, Params, Part, Stage
from contracts.exif import deflate_exif

FileKind = Literal["picture", "raw"]


class _Answer(Message):
    claim_id: str
    stage: Stage
    subject_id: int
    photo_id: int | None = None
    generation: int
    attempt: int
    worker: str
    """`host:pid` of the consumer."""
    seconds: float = 0.0
    """Wall time of the domain call."""


class Result(_Answer):
    kind: Literal["result"] = "result"
    payload: Params

    @cached_property
    def typed(self) -> Any:
        """The payload as the model of its stage (`PAYLOADS`), checked once. Raises ValidationError."""
        return PAYLOADS[self.stage].model_validate(self.payload)


class ErrorEnvelope(Part):
    """How an error travels (BEHAVIOUR.md, section 3)."""

    op: str
    error_type: str
    message: str
    context: dict[str, Any] = Field(default_factory=dict)
    upstream: dict[str, Any] | None = None
    """`{status_code, code, message, body?}` of the server behind the error, if there was one."""


FailureKind = Literal["permanent", "transient", "unavailable", "bug", "poison"]
"""permanent: this photo will not work. transient: try again later. unavailable: nothing of this stage works now
(pauses the stage, costs no attempt). bug: our own exception (retried like transient). poison: killed its worker
again and again (made by the writer from the `dead` queue)."""


class Failure(_Answer):
    kind: Literal["failure"] = "failure"
    failure: FailureKind
    sentence: str
    """One sentence a photographer understands, with the file's name."""
    retry_after_s: float | None = None
    needs_person: bool = False
    """With `unavailable`: waiting will not mend it (a wrong key, a missing model)."""
    error: ErrorEnvelope


Answer = Annotated[Result | Failure, Field(discriminator="kind")]
ANSWER: TypeAdapter[Result | Failure] = TypeAdapter(Answer)


# --- scan ---------------------------------------------------------------------------------------------------------


class ScannedFile(Part):
    """One photo that a folder holds: a file, or a RAW with its JPEG."""

    rel_path: str
    """Relative to the root, `/`-separated. The RAW of a pair."""
    kind: FileKind
    size: int
    mtime_ns: int
    companion_rel_path: str | None = None
    companion_size: int | None = None
    companion_mtime_ns: int | None = None
    sidecar_rel_paths: tuple[str, ...] = ()


class SkippedPath(Part):
    path: str
    """Printable: bytes that are not UTF-8 are escaped."""
    sentence: str


class ScanPayload(Part):
    files: tuple[ScannedFile, ...] = ()
    folders: tuple[str, ...] = ()
    """Sub-folders relative to the root, newest first."""
    skipped: tuple[SkippedPath, ...] = ()


# --- convert ------------------------------------------------------------------------------------------------------

CapturedSource = Literal["DateTimeOriginal", "DateTimeDigitized", "DateTime", "person"]
FocusSource = Literal["original", "demosaic", "embedded_preview", "companion"]
PictureSource = Literal["original", "companion", "embedded_preview", "demosaic"]


class FoundRating(Part):
    """A rating that another program left. `stars` 1..5; -1 is reject."""

    stars: Literal[-1, 1, 2, 3, 4, 5]
    where: Literal["embedded", "sidecar"]


class ConvertPayload(Part):
    file_hash: bytes
    """BLAKE2b-256 of the file's bytes."""
    file_size: int
    mtime_ns: int
    pixel_hash: bytes
    """BLAKE2b-256 of the decoded pixels, or of the RAW payload."""
    phash: int
    """64-bit perceptual hash as a signed integer."""
    width: int
    height: int
    """Oriented size of the picture at full resolution."""
    preview_width: int
    preview_height: int
    thumb_width: int
    thumb_height: int
    dominant_color: int
    """0xRRGGBB."""
    is_monochrome: bool
    picture_source: PictureSource
    technical_score: int
    sharpness_score: int
    exposure_score: int
    focus_score: float | None = None
    """Higher is sharper; comparable within a burst only. None where it could not be measured."""
    focus_noise: float | None = None
    """One standard error of `focus_score`: two frames closer than this are a tie."""
    focus_source: FocusSource | None = None
    focus_tiles: bytes | None = None
    """uint8 grid, row-major, 255 the sharpest tile of the frame."""
    focus_grid: tuple[int, int] | None = None
    """(rows, columns) of `focus_tiles`."""
    captured_at: datetime | None = None
    """Naive camera-local time, to the microsecond."""
    captured_offset_min: int | None = None
    captured_source: CapturedSource | None = None
    camera: str | None = None
    camera_serial: str | None = None
    lens: str | None = None
    iso: int | None = None
    aperture: float | None = None
    shutter_s: float | None = None
    focal_length_mm: float | None = None
    exif: bytes = deflate_exif({})
    """Every tag read, keyed `Exif.Photo.ISOSpeedRatings` (`contracts.exif`). Made from a mapping. Hostile input."""
    found_rating: FoundRating | None = None
    warnings: tuple[str, ...] = ()

    @field_validator("exif", mode="before")
    @classmethod
    def _deflated(cls, value: Any) -> Any:
        return deflate_exif(value) if isinstance(value, dict) else value


class RenderPayload(Part):
    width: int
    height: int
    """Oriented native size."""
    tiled: bool = False
    """Whether a tile pyramid lies beside the rendering (`domain.tiling`)."""


# --- curate -------------------------------------------------------------------------------------------------------


class CuratePayload(Part):
    subject: str
    content_type: str
    lighting_critique: str = ""
    artistic_mood: str = ""
    suggested_tags: tuple[str, ...] = ()
    model: str


# --- embed --------------------------------------------------------------------------------------------------------


class EmbedPayload(Part):
    encoder: str
    dim: int
    vector: bytes
    """float16 little-endian, L2-normalised, `dim` values."""


# --- taste and bursts ---------------------------------------------------------------------------------------------


class TasteJudgement(Part):
    """How far a taste can be trusted. Correlations are Spearman's; None where there was nothing to compare."""

    on_new_shoots: float | None
    """Whole shoots were left out."""
    on_rated_shoots: float | None
    """Single photographs were left out."""
    chance: float | None
    """How often shuffled stars do as well."""
    left_out: bytes
    """float32 little-endian (n,): stars of each rated photo by the model without its shoot, NaN where unusable, in the
    order of the claim's matrices."""
    curve: tuple[tuple[int, float], ...]
    """(ratings, correlation on new shoots)."""


class TastePayload(Part):
    """A linear head: `score = clip(round((bias + weights . v - 1) * 25), 0, 100)` for a unit vector v."""

    encoder: str
    weights: bytes
    """float32 little-endian, `dim` values, the spread already restored."""
    dim: int
    bias: float
    n_ratings: int
    tentative: bool
    spread_factor: float = 1.0
    mean: float = 3.0
    """Of the ratings, in stars."""
    centre: bytes = b""
    """float32 little-endian (dim,), mean vector of the rated photos."""
    lens: bytes = b""
    """float16 little-endian (dim, q): a rated photo lends `((v - centre) . lens) . ((v_rated - centre) . lens)` of its
    stars above the mean to another."""
    judgement: TasteJudgement | None = None
    """None: not asked for, the last one stands."""


class BurstsPayload(Part):
    """What was found with which parameters; the groups themselves lie on the shared disk."""

    groups: int
    """Bursts, without the intended sequences."""
    photos: int
    """Frames in them."""
    ties: int = 0
    """Bursts without a keeper."""
    brackets: int = 0
    focus_stacks: int = 0
    panoramas: int = 0
    threshold: float = 0.0
    gap_s: float = 0.0


PAYLOADS: dict[Stage, type[BaseModel]] = {
    "scan": ScanPayload,
    "convert": ConvertPayload,
    "render": RenderPayload,
    "curate": CuratePayload,
    "embed": EmbedPayload,
    "taste": TastePayload,
    "bursts": BurstsPayload,
}
