"""Pictures and words as unit vectors. Importing this loads no network and no torch; `load` does."""

from __future__ import annotations

from domain.embedding.encoder import (
    BUNDLED,
    RANDOM,
    Device,
    Encoder,
    Pixels,
    Tower,
    Vectors,
    burst_threshold,
    clip_name,
    split_clip_name,
)

__all__ = [
    "BUNDLED",
    "RANDOM",
    "Device",
    "Encoder",
    "Pixels",
    "Tower",
    "Vectors",
    "burst_threshold",
    "clip_name",
    "default_encoder",
    "load",
    "split_clip_name",
    "words_at_hand",
]


def load(encoder_name: str, device: Device = "auto", threads: int = 0, tower: Tower = "image") -> Encoder:
    """The encoder of that name, ready for pictures or for words; seconds, once a process.

    `encoder_name`: `efficientnet-lite2`, or `MODEL/PRETRAINED` of open_clip. `threads`: 0 for torch's own choice.
    Raises UnavailableError (needs_person) where the weights are missing, the model is unknown, or it has no words.
    """
    if encoder_name == BUNDLED:
        from domain.embedding.efficientnet import EfficientNetLite2

        return EfficientNetLite2(device, threads)
    from domain.embedding.clip import OpenClip

    model_name, pretrained = split_clip_name(encoder_name)
    return OpenClip(model_name, pretrained, device, threads, tower)


def default_encoder(setting: str, model_name: str, pretrained: str) -> str:
    """The encoder's name for the first start: `bundled`, `clip`, a name, or `auto`.

    `auto` is CLIP if its weights are on this machine or can be fetched, else the bundled encoder.
    """
    if setting == "bundled":
        return BUNDLED
    if setting == "clip":
        return clip_name(model_name, pretrained)
    if setting != "auto":
        return setting
    from domain.embedding.weights import can_be_fetched, weights_available

    at_hand = weights_available(model_name, pretrained) or can_be_fetched(model_name, pretrained)
    return clip_name(model_name, pretrained) if at_hand else BUNDLED


def words_at_hand(setting: str, model_name: str, pretrained: str) -> str | None:
    """The encoder that the settings name, if it has a text tower and its weights are on this machine.

    Nothing is fetched. Settings as for `default_encoder`.
    """
    if setting in (BUNDLED, "bundled"):
        return None
    from domain.embedding.weights import weights_available

    name = clip_name(model_name, pretrained) if setting in ("auto", "clip") else setting
    model, weights = split_clip_name(name)
    return name if weights == RANDOM or weights_available(model, weights) else None
