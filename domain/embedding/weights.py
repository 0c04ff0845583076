"""Where an open_clip model's weights lie, found without the network; and whether they could be fetched."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from domain.embedding.encoder import RANDOM
from domain.embedding.operator_schemas import define_missing_operators

_HUB_FILE, _HUB_SAFE_FILE, _HUB_CONFIG = (
    "open_clip_pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_config.json",
)
_URL_CACHE = Path("~/.cache/clip")
"""Where open_clip keeps what it fetched from a plain address."""


def weights_available(model_name: str, pretrained: str) -> bool:
    """Whether the weights lie on this machine (a file, the Hugging Face cache, open_clip's cache). No network."""
    if pretrained == RANDOM:
        return True
    if model_name.startswith("local-dir:"):
        return (Path(model_name.removeprefix("local-dir:")) / _HUB_CONFIG).is_file()
    if model_name.startswith("hf-hub:"):
        repo = model_name.removeprefix("hf-hub:")
        return _cached(repo, [_HUB_CONFIG]) is not None and _cached(repo, [_HUB_SAFE_FILE, _HUB_FILE]) is not None
    return local_weights(model_name, pretrained) is not None


def local_weights(model_name: str, pretrained: str) -> Path | None:
    """The weights file of a built-in model: `pretrained` is a tag or a path."""
    if pretrained and Path(pretrained).is_file():
        return Path(pretrained)
    tag = tag_settings(model_name, pretrained)
    if tag.get("hf_hub"):
        repo, files = _hub_files(tag["hf_hub"])
        return _cached(repo, files)
    if tag.get("url"):
        path = _URL_CACHE.expanduser() / tag["url"].rsplit("/", 1)[-1]
        return path if path.is_file() else None
    return None


def can_be_fetched(model_name: str, pretrained: str, timeout_s: float = 3.0) -> bool:
    """Asks the server for the weights' header only; False without an answer in time."""
    return any(_answers(address, timeout_s) for address in _addresses(model_name, pretrained))


def tag_settings(model_name: str, pretrained: str) -> dict[str, Any]:
    """open_clip's record of a tag: where its weights are, and how its pictures are prepared. Empty for no such tag."""
    define_missing_operators()
    import open_clip.pretrained

    return dict(open_clip.pretrained.get_pretrained_cfg(model_name.replace("/", "-"), pretrained) or {})


def _hub_files(hub: str) -> tuple[str, list[str]]:
    """Repository and file names in the order in which open_clip tries them."""
    repo, _, file = hub.rpartition("/")
    if not file:
        return repo, [_HUB_SAFE_FILE, _HUB_FILE]
    safe = [file[:-4] + ".safetensors"] if file.endswith((".bin", ".pth")) else []
    return repo, [*safe, file]


def _cached(repo: str, files: list[str]) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for file in files:
        found = try_to_load_from_cache(repo, file)
        if isinstance(found, str):
            return Path(found)
    return None


def _addresses(model_name: str, pretrained: str) -> list[str]:
    from huggingface_hub import constants, hf_hub_url

    if model_name.startswith("local-dir:"):
        return []
    tag = {} if model_name.startswith("hf-hub:") else tag_settings(model_name, pretrained)
    hub = f"{model_name.removeprefix('hf-hub:')}/" if model_name.startswith("hf-hub:") else tag.get("hf_hub", "")
    if hub:
        repo, files = _hub_files(hub)
        return [] if constants.HF_HUB_OFFLINE else [hf_hub_url(repo, file) for file in files]
    return [tag["url"]] if tag.get("url") else []


def _answers(address: str, timeout_s: float) -> bool:
    if not address.startswith(("https://", "http://")):
        return False
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 the scheme was looked at above
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
