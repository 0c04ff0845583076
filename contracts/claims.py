"""Claim checks: what the relay publishes and a consumer takes. References only, never pixels.

`params` of a claim is one of the `*Params` models below, chosen by `stage` (`PARAMS`).
"""

from __future__ import annotations

from pydantic import Field

from contracts.base import LONGEST_DECODE_S, Message, Params, Part, Stage


class ClaimCheck(Message):
    """One piece of work. `attempt` counts from 1; `generation` changes only when the work changes."""

    claim_id: str
    stage: Stage
    subject_id: int
    photo_id: int | None = None
    file_path: str | None = None
    """Absolute path of the file that the stage reads, as the consumer sees it."""
    generation: int = Field(ge=0)
    attempt: int = Field(ge=1)
    params: Params = Field(default_factory=dict)


class ScanParams(Part):
    """One folder of an import. `ClaimCheck.file_path` is the folder; `subject_id` its `import_folders` row."""

    import_id: int
    root_path: str
    rel_path: str
    """The folder relative to the root, `/`-separated, "" for the root itself."""


class ConvertParams(Part):
    """One photo. `ClaimCheck.file_path` is the original (the RAW of a RAW+JPEG pair)."""

    companion_path: str | None = None
    """The JPEG of a RAW+JPEG pair: the picture is taken from it."""
    root_path: str | None = None
    """The library root of `file_path`: tells an unplugged drive from a lost file."""
    sidecar_paths: tuple[str, ...] = ()
    preview_path: str
    thumb_path: str
    pixel_cap: int = Field(gt=0)
    want_focus: bool = True
    timeout_s: float = Field(gt=0, le=LONGEST_DECODE_S)


class RenderParams(Part):
    """A native-size rendering for 100 % zoom or export, made on request, cached."""

    companion_path: str | None = None
    root_path: str | None = None
    render_path: str
    pixel_cap: int = Field(gt=0)
    quality: int = Field(default=90, ge=1, le=100)
    timeout_s: float = Field(gt=0, le=LONGEST_DECODE_S)


class CurateParams(Part):
    """`ClaimCheck.file_path` is the preview JPEG. The endpoint comes from the consumer's settings."""

    filename: str


class EmbedParams(Part):
    """`ClaimCheck.file_path` is the preview JPEG."""

    encoder: str
    """Encoder name, e.g. `efficientnet-lite2` or `ViT-L-14/laion2b_s32b_b82k`."""


class TasteParams(Part):
    """Train on matrices that lie on the shared disk; the writer deletes them once the result is in.

    `features_path`: float16 (n, d) unit vectors of the rated photos. `labels_path`: structured float32
    (n, 1) stars 1..5. `groups_path`: int64 (n,) group number (folder and capture day). `archive_path`: float16 (m, d)
    unit vectors drawn from the archive at random.
    """

    encoder: str
    features_path: str
    labels_path: str
    groups_path: str
    photo_ids_path: str
    archive_path: str
    judged: bool = True
    """Tell, too, how far it can be trusted."""
    seed: int = 0


class BurstsParams(Part):
    """Find bursts and intended sequences in matrices on the shared disk.

    `features_path`: float16 (n, d) unit vectors in capture order. `table_path`: a `.npy` structured array, the fields
    of `domain.bursts.INTENT_TABLE`. `groups_path`: where the consumer writes its answer, int64 (m, 4): photo_id, group
    number, keeper (0/1/-1 tie), intent (0 none, keys of `domain.burst_intent.INTENTS`).
    """

    encoder: str
    features_path: str
    table_path: str
    groups_path: str
    threshold: float
    """Cosine; 0: the encoder's own."""
    gap_s: float
    thumbs: str | None = None
    """Where thumbnails lie, with `{folder:06d}`, `{photo_id}` and `{generation}`; `folder` is `photo_id // 1000`."""


PARAMS: dict[Stage, type[Part]] = {
    "scan": ScanParams,
    "convert": ConvertParams,
    "render": RenderParams,
    "curate": CurateParams,
    "embed": EmbedParams,
    "taste": TasteParams,
    "bursts": BurstsParams,
}


class TextQuery(Message):
    """A search query to encode: a remote call with `reply_to` and `correlation_id`, five seconds to live."""

    encoder: str
    text: str = Field(max_length=2000)


class TextReply(Message):
    """The answer to a `TextQuery`: a float16 unit vector, or a sentence."""

    vector: bytes | None = None
    error: str | None = None
