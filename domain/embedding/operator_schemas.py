"""torchvision beside a CPU build of torch: its compiled operators may be missing, and importing it then fails."""

from __future__ import annotations

from typing import Any

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_kept: list[Any] = []


def define_missing_operators() -> None:
    """Declares the operators that torchvision registers fake kernels for. Call it before torchvision is imported.

    Does nothing where the compiled extension has them, and nothing the second time. The networks here use neither.
    """
    import importlib.util
    from pathlib import Path

    import torch

    found = importlib.util.find_spec("torchvision")
    if _kept or found is None or found.origin is None:
        return
    for extension in Path(found.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(extension))  # type: ignore[no-untyped-call]
        except OSError:
            continue
    for name, schema in _SCHEMAS.items():
        if torch._C._jit_get_schemas_for_operator(f"torchvision::{name}"):
            continue
        # The definition lives as long as the library object.
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.define(schema)  # type: ignore[no-untyped-call]
        _kept.append(library)
