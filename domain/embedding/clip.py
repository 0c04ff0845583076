"""Any open_clip model, one tower at a time: `embed` keeps the image tower, `text` the text tower."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.embedding.devices import clip_precision, pick_device, set_threads
from domain.embedding.encoder import CLIP_BURST_THRESHOLD, RANDOM, Pixels, Tower, Vectors, clip_name, unit
from domain.embedding.operator_schemas import define_missing_operators
from domain.embedding.previews import Framing, prepare_preview
from domain.embedding.weights import can_be_fetched, local_weights, tag_settings, weights_available
from domain.errors import PermanentError, UnavailableError

_PREPROCESS_KEYS = ("size", "mean", "std", "interpolation", "resize_mode", "fill_color")


class OpenClip:
    """Implements `Encoder`. Only the tower that was asked for stays in memory.

    `pretrained`: a tag, a file, or `random` (tests). Raises UnavailableError where the weights are neither here nor
    to be had.
    """

    has_text = True
    burst_threshold = CLIP_BURST_THRESHOLD

    def __init__(
        self, model_name: str, pretrained: str, device: str = "auto", threads: int = 0, tower: Tower = "image"
    ) -> None:
        define_missing_operators()
        set_threads(threads)
        self.name = clip_name(model_name, pretrained)
        self.device = pick_device(device)
        self.precision = clip_precision(self.device)
        self.tower: Tower = tower
        model = _model(model_name, pretrained, self.device, self.precision)
        self.dim = _output_dim(model_name)
        self._read_preprocessing(model)
        self.tokenizer = _tokenizer(model_name) if tower == "text" else None
        self.model = _keep_tower(model, tower)

    def _read_preprocessing(self, model: Any) -> None:
        wanted = getattr(model.visual, "preprocess_cfg", {})
        size = wanted.get("size", 224)
        self.framing = Framing(
            size=int(size if isinstance(size, int) else size[0]),
            mode=wanted.get("resize_mode", "shortest"),
            interpolation=wanted.get("interpolation", "bicubic"),
            fill=int(wanted.get("fill_color", 0)),
        )
        self.mean, self.std = (np.array(wanted[key], np.float32) * 255 for key in ("mean", "std"))

    def prepare(self, picture: Path | str | NDArray[np.uint8]) -> Pixels:
        return prepare_preview(picture, self.framing)

    def encode_images(self, prepared: Sequence[Pixels] | NDArray[np.uint8]) -> Vectors:
        if len(prepared) == 0:
            return np.empty((0, self.dim), np.float32)
        return self.encode_tensor(self.to_tensor(prepared))

    def to_tensor(self, prepared: Sequence[Pixels] | NDArray[np.uint8]) -> Any:
        """(n, 3, size, size), normalised, on the device, in the network's precision."""
        import torch

        pixels = torch.from_numpy(np.stack(list(prepared))).to(self.device).to(torch.float32)
        mean, std = (torch.from_numpy(v).to(self.device) for v in (self.mean, self.std))
        return pixels.sub_(mean).div_(std).permute(0, 3, 1, 2).contiguous().to(_dtype(self.precision))

    def encode_tensor(self, tensor: Any) -> Vectors:
        """Unit vectors of what `to_tensor` gave."""
        import torch

        with torch.inference_mode():
            return unit(self.model.encode_image(tensor).float().cpu().numpy())

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        import torch

        if self.tokenizer is None:
            raise PermanentError(f"{self.name} was loaded for pictures, not for words.", op="text.encode")
        if len(texts) == 0:
            return np.empty((0, self.dim), np.float32)
        with torch.inference_mode():
            tokens = self.tokenizer(list(texts)).to(self.device)
            return unit(_encoded(self.model, tokens).float().cpu().numpy())


def _encoded(model: Any, tokens: Any) -> Any:
    """The text tower's vectors, without computing the padding where nothing sees it.

    With a causal mask what follows a text's last token changes nothing, and most texts fill 10 of 77 tokens.
    """
    if getattr(model, "attn_mask", None) is None or getattr(model, "text_pool_type", "") != "argmax":
        return model.encode_text(tokens)
    from torch.func import functional_call

    length = int(tokens.argmax(dim=-1).max()) + 1  # the last token has the highest number; the pooling goes by it too
    shorter = {
        "positional_embedding": model.positional_embedding[:length],
        "attn_mask": model.attn_mask[:length, :length],
    }
    return functional_call(model, shorter, kwargs={"text": tokens[:, :length]})[1]


def _dtype(precision: str) -> Any:
    import torch

    return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision, torch.float32)


def _model(model_name: str, pretrained: str, device: str, precision: str) -> Any:
    import open_clip
    import torch

    if pretrained == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # every process draws the same weights: their vectors can be compared
            model = open_clip.create_model(model_name, None, device=device, precision=precision, pretrained_text=False)
        return model.eval()
    _check_name(model_name, pretrained)
    if not weights_available(model_name, pretrained) and not can_be_fetched(model_name, pretrained):
        raise _missing_weights(clip_name(model_name, pretrained))
    try:
        return open_clip.create_model(**_source(model_name, pretrained), device=device, precision=precision).eval()
    except (RuntimeError, OSError) as e:
        raise _missing_weights(clip_name(model_name, pretrained), detail=repr(e)) from e


def _check_name(model_name: str, pretrained: str) -> None:
    import open_clip

    if model_name.startswith(("hf-hub:", "local-dir:")):
        return
    if model_name not in open_clip.list_models():
        raise UnavailableError(
            f"There is no CLIP model {model_name}; set CLIP_MODEL_NAME to one that open_clip knows, such as ViT-L-14.",
            needs_person=True,
            op="embed.load",
        )
    if not tag_settings(model_name, pretrained) and not Path(pretrained).is_file():
        known = ", ".join(open_clip.list_pretrained_tags_by_model(model_name)) or "none"
        raise UnavailableError(
            f"{model_name} has no weights called {pretrained}; set CLIP_PRETRAINED to a file or one of: {known}.",
            needs_person=True,
            op="embed.load",
        )


def _source(model_name: str, pretrained: str) -> dict[str, Any]:
    """Arguments of `create_model`. Weights that are here are named by their path: a tag would ask the network first,
    and a path alone would lose the tag's preprocessing and activation."""
    path = None if model_name.startswith(("hf-hub:", "local-dir:")) else local_weights(model_name, pretrained)
    if path is None:
        return {"model_name": model_name, "pretrained": pretrained or None}
    tag = tag_settings(model_name, pretrained)
    return {
        "model_name": model_name,
        "pretrained": str(path),
        "force_quick_gelu": bool(tag.get("quick_gelu", False)),
        "force_preprocess_cfg": {key: tag[key] for key in _PREPROCESS_KEYS[1:] if tag.get(key) is not None},
    }


def _missing_weights(name: str, detail: str = "") -> UnavailableError:
    return UnavailableError(
        f"The weights of the encoder {name} are not on this machine and cannot be fetched; connect it to the network "
        "once, set CLIP_PRETRAINED to a file, or choose the bundled encoder with `fineshyt encoder use "
        "efficientnet-lite2`.",
        needs_person=True,
        op="embed.load",
        context={"encoder": name},
        detail=detail,
    )


def _output_dim(model_name: str) -> int:
    import open_clip

    return int(open_clip.get_model_config(model_name)["embed_dim"])


def _tokenizer(model_name: str) -> Any:
    import open_clip

    try:
        return open_clip.get_tokenizer(model_name)
    except (OSError, RuntimeError, ValueError, ImportError) as e:
        raise UnavailableError(
            f"The vocabulary of {model_name} is not on this machine and cannot be fetched, so photographs cannot be "
            "found by words; connect the machine to the network once.",
            needs_person=True,
            op="text.load",
            detail=repr(e),
        ) from e


def _keep_tower(model: Any, tower: Tower) -> Any:
    """Frees the other tower: its parameters are most of the memory of small models and a third of large ones."""
    import torch

    if tower == "text":
        model.visual = torch.nn.Identity()
    else:
        for part in ("text", "transformer", "token_embedding", "ln_final"):
            if hasattr(model, part):
                setattr(model, part, torch.nn.Identity())
        for parameter in ("positional_embedding", "text_projection"):
            if getattr(model, parameter, None) is not None:
                setattr(model, parameter, None)
    gc.collect()
    return model
