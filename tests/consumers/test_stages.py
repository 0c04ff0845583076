"""Each stage's worker on real input: what it answers is what the contract says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from consumers.bursts import Bursts
from consumers.convert import Convert
from consumers.embed import Embed
from consumers.errors import failure_of
from consumers.scan import Scan
from consumers.stage import StageWorker
from consumers.taste import Taste
from contracts.claims import ClaimCheck
from contracts.results import BurstsPayload, ConvertPayload, EmbedPayload, RenderPayload, ScanPayload, TastePayload
from contracts.settings import Settings
from domain.bursts import INTENT_TABLE
from domain.errors import PermanentError
from domain.imaging.hashes import perceptual_hash
from tests.consumers.broker import claim

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLED = "efficientnet-lite2"
TINY = "ViT-S-32-alt/random"
Array = NDArray[Any]


def run(worker: StageWorker, *claims: ClaimCheck) -> dict[int, Any]:
    """Payload or exception by subject; each claim is answered once."""
    answers = list(worker.run(claims))
    assert Counter(c.claim_id for c, _ in answers) == Counter(c.claim_id for c in claims)
    return {c.subject_id: outcome for c, outcome in answers}


# --- scan and convert ---------------------------------------------------------------------------------------------


def test_scan_lists_a_folder(shared_data: Path, settings: Settings) -> None:
    params = {"import_id": 1, "root_path": str(shared_data), "rel_path": "photos"}
    payload = run(Scan(settings), claim("scan", params=params))[1]
    assert isinstance(payload, ScanPayload)
    assert {f.rel_path for f in payload.files} == {f"photos/{p.name}" for p in (shared_data / "photos").glob("*.jpg")}


@pytest.fixture
def convert(settings: Settings, tmp_path: Path) -> Iterator[Convert]:
    worker = Convert(settings.model_copy(update={"slots": 2, "derivatives": tmp_path}))
    yield worker
    worker.close()


def converting(original: Path, folder: Path, subject_id: int = 1, **changes: Any) -> ClaimCheck:
    params = {
        "preview_path": str(folder / f"{subject_id}.jpg"), "thumb_path": str(folder / f"{subject_id}-t.jpg"),
        "pixel_cap": 10**9, "timeout_s": 60,
    }  # fmt: skip
    return claim("convert", subject_id, file_path=str(original), params=params | changes)


def test_convert_answers_with_all_that_one_read_gives(shared_data: Path, tmp_path: Path, convert: Convert) -> None:
    original = shared_data / "photos" / "new-windmill.jpg"
    payload = run(convert, converting(original, tmp_path))[1]
    assert isinstance(payload, ConvertPayload)
    assert payload.file_size == original.stat().st_size
    assert len(payload.file_hash) == len(payload.pixel_hash) == 32
    assert payload.focus_score is not None
    with Image.open(tmp_path / "1.jpg") as preview, Image.open(tmp_path / "1-t.jpg") as thumb:
        assert preview.size == (payload.preview_width, payload.preview_height)
        assert (max(preview.size), max(thumb.size)) == (1440, 400)


def test_render_answers_with_the_native_size(shared_data: Path, tmp_path: Path, convert: Convert) -> None:
    original = shared_data / "photos" / "new-windmill.jpg"
    params = {"render_path": str(tmp_path / "r.jpg"), "pixel_cap": 10**9, "timeout_s": 60}
    payload = run(convert, claim("render", file_path=str(original), params=params))[1]
    assert isinstance(payload, RenderPayload)
    with Image.open(tmp_path / "r.jpg") as rendering:
        assert rendering.size == (payload.width, payload.height)
    assert not payload.tiled


def test_render_says_that_a_large_picture_has_tiles(tmp_path: Path, convert: Convert) -> None:
    Image.new("L", (8200, 6200), 128).save(tmp_path / "scan.tif")
    params = {"render_path": str(tmp_path / "r.jpg"), "pixel_cap": 10**9, "timeout_s": 60}
    payload = run(convert, claim("render", file_path=str(tmp_path / "scan.tif"), params=params))[1]
    assert payload == RenderPayload(width=8200, height=6200, tiled=True)
    assert (tmp_path / "r.tiles" / "5" / "16_12.jpg").is_file()


@pytest.mark.parametrize("name", ["preview_path", "thumb_path"])
@pytest.mark.parametrize("path", ["{}/../outside.jpg", "/outside.jpg", "outside.jpg", "{}-beside/outside.jpg"])
def test_nothing_is_written_outside_of_the_derivatives(
    shared_data: Path, tmp_path: Path, convert: Convert, name: str, path: str
) -> None:
    original = shared_data / "photos" / "new-windmill.jpg"
    with pytest.raises(PermanentError, match="was refused"):
        run(convert, converting(original, tmp_path, **{name: path.format(tmp_path)}))
    assert list(tmp_path.rglob("*.jpg")) == []


def test_every_broken_file_fails_with_a_sentence_that_names_it(
    shared_data: Path, tmp_path: Path, convert: Convert
) -> None:
    pid = os.getpid()
    sentences = {}
    for original in sorted((shared_data / "broken").iterdir()):
        given = converting(original, tmp_path)
        try:
            run(convert, given)
        except Exception as error:
            failure = failure_of(given, error, "test:1", 0.0)
            assert failure.failure == "permanent", (original.name, failure)
            assert original.name in failure.sentence
            assert failure.sentence.endswith(".")
            sentences[original.name] = failure.sentence
        else:
            # A picture that is whole but for a segment that nobody needs.
            assert original.name.startswith(("broken-", "canon"))
    assert {"corrupted.heic", "empty.heic", "text.jpg", "truncated-photo.jpg", "zero-bytes.nef"} <= set(sentences)
    assert os.getpid() == pid


# --- embed --------------------------------------------------------------------------------------------------------


def embedding(path: Path, subject_id: int, encoder: str = BUNDLED, attempt: int = 1) -> ClaimCheck:
    return claim("embed", subject_id, file_path=str(path), params={"encoder": encoder}, attempt=attempt)


@pytest.fixture
def embed(settings: Settings) -> Iterator[Embed]:
    worker = Embed(settings)
    yield worker
    worker.close()


@pytest.mark.parametrize(("encoder", "dim"), [(BUNDLED, 1280), (TINY, 256)])
def test_embed_answers_with_unit_vectors(previews: list[Path], embed: Embed, encoder: str, dim: int) -> None:
    answers = run(embed, *(embedding(path, n, encoder) for n, path in enumerate(previews)))
    for payload in answers.values():
        assert isinstance(payload, EmbedPayload)
        assert (payload.encoder, payload.dim) == (encoder, dim)
        vector = np.frombuffer(payload.vector, "<f2").astype(np.float32)
        assert vector.shape == (dim,)
        assert abs(np.linalg.norm(vector) - 1) < 1e-3
    assert embed.encoder == encoder
    assert len({payload.vector for payload in answers.values()}) == len(previews)


def test_a_broken_preview_fails_alone_in_its_batch(previews: list[Path], tmp_path: Path, embed: Embed) -> None:
    broken, missing = tmp_path / "broken.jpg", tmp_path / "missing.jpg"
    broken.write_bytes(previews[0].read_bytes()[:5000])
    claims = [embedding(path, n) for n, path in enumerate([*previews, broken])]
    answers = run(embed, *claims, embedding(missing, 90), embedding(missing, 91, attempt=2))
    assert all(isinstance(answers[n], EmbedPayload) for n in range(len(previews)))
    kinds = {n: failure_of(claims[0], answers[n], "w", 0.0) for n in (len(previews), 90, 91)}
    assert [f.failure for f in kinds.values()] == ["permanent", "transient", "permanent"]
    assert "broken.jpg" in kinds[len(previews)].sentence


def test_a_claim_without_sense_is_charged_to_no_other(previews: list[Path], embed: Embed) -> None:
    senseless = claim("embed", 1, file_path=str(previews[0]), params={"encoder": ["none"]})
    answers = run(embed, senseless, embedding(previews[0], 2))
    assert failure_of(senseless, answers[1], "w", 0.0).failure == "bug"
    assert isinstance(answers[2], EmbedPayload)


def test_one_batch_may_name_two_encoders(previews: list[Path], embed: Embed) -> None:
    answers = run(embed, embedding(previews[0], 1), embedding(previews[0], 2, TINY), embedding(previews[1], 3))
    assert [answers[n].encoder for n in (1, 2, 3)] == [BUNDLED, TINY, BUNDLED]


def test_a_missing_encoder_is_a_reason_to_wait_and_not_the_photographs_fault(
    previews: list[Path], embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    given = embedding(previews[0], 1, "ViT-L-14/no-such-weights")
    answers = run(embed, given, embedding(previews[0], 2))
    failure = failure_of(given, answers[1], "w", 0.0)
    assert isinstance(answers[2], EmbedPayload)
    assert "CLIP_PRETRAINED" in failure.sentence
    assert (failure.failure, failure.needs_person) == ("unavailable", True)


_UNPLUGGED = """
import socket, sys
def refuse(*_, **__): raise AssertionError("somebody asked the network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from consumers.embed import Embed
assert "torch" not in sys.modules, "torch is imported before the first claim"
from contracts.claims import ClaimCheck
from contracts.settings import Settings
claim = ClaimCheck(claim_id="1", stage="embed", subject_id=1, generation=1, attempt=1, file_path=sys.argv[1],
                   params={"encoder": "efficientnet-lite2"})
worker = Embed(Settings())
assert "torch" not in sys.modules, "torch is imported before the first claim"
[(_, payload)] = list(worker.run([claim]))
worker.close()
print(payload.dim)
"""


def test_the_bundled_encoder_works_with_the_network_unplugged(previews: list[Path], tmp_path: Path) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "CLIP_DEVICE": "cpu"}
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _UNPLUGGED, str(previews[0])],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() == "1280"


# --- taste and bursts -----------------------------------------------------------------------------------------------


def test_taste_learns_from_the_matrices_on_disk(tmp_path: Path, settings: Settings) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((80, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    liked = vectors[:, 0]
    stars = np.clip(np.round(3 + 6 * liked), 1, 5).astype(np.float32)
    files = {
        "features": vectors.astype(np.float16), "labels": stars[:, None], "groups": np.arange(80) // 4,
        "archive": vectors.astype(np.float16),
    }  # fmt: skip
    for name, array in files.items():
        np.save(tmp_path / f"{name}.npy", array)
    params = {f"{name}_path": str(tmp_path / f"{name}.npy") for name in (*files, "photo_ids")} | {"encoder": BUNDLED}
    payload = run(Taste(settings), claim("taste", 0, params=params))[0]
    assert isinstance(payload, TastePayload)
    weights = np.frombuffer(payload.weights, "<f4")
    assert (payload.dim, payload.n_ratings, payload.tentative) == (32, 80, False)
    assert np.corrcoef(vectors @ weights, liked)[0, 1] > 0.7
    assert payload.judgement is not None
    assert np.frombuffer(payload.judgement.left_out, "<f4").shape == (80,)
    params["judged"] = False  # type: ignore[assignment]
    assert run(Taste(settings), claim("taste", 0, params=params))[0].judgement is None


def _burst_params(folder: Path, table: Array, vectors: Array, **more: Any) -> dict[str, Any]:
    np.save(folder / "features.npy", vectors)
    np.save(folder / "table.npy", table)
    paths = {f"{name}_path": str(folder / f"{name}.npy") for name in ("features", "table", "groups")}
    return paths | {"encoder": BUNDLED, "threshold": 0.0, "gap_s": 5.0} | more


def _shots(n: int) -> Array:
    table = np.zeros(n, INTENT_TABLE)
    table["photo_id"], table["at_us"], table["focus"] = np.arange(n), np.arange(n) * 2_000_000, np.arange(n)
    for name in ("exposure_ev", "bias_ev", "focal_mm", "distance_m"):
        table[name] = np.nan
    return table


def test_bursts_are_found_in_the_matrices_on_disk(tmp_path: Path, settings: Settings) -> None:
    vectors = np.repeat(np.eye(3, 16, dtype=np.float16), [3, 1, 2], axis=0)
    given = claim("bursts", 0, params=_burst_params(tmp_path, _shots(6), vectors))
    payload = run(Bursts(settings.model_copy(update={"transit": tmp_path})), given)[0]
    assert payload == BurstsPayload(groups=2, photos=5, threshold=0.9, gap_s=5.0)
    groups = np.load(tmp_path / "groups.npy", allow_pickle=False)
    keepers = {int(photo) for photo, _, keeper, _ in groups if keeper == 1}
    assert keepers == {2, 5}


def test_groups_are_written_only_where_matrices_lie(tmp_path: Path, settings: Settings) -> None:
    params = _burst_params(tmp_path, _shots(2), np.ones((2, 16), np.float16))
    with pytest.raises(PermanentError, match="was refused"):
        run(Bursts(settings), claim("bursts", 0, params=params))
    assert not (tmp_path / "groups.npy").exists()


def test_a_panorama_is_seen_on_the_thumbnails(tmp_path: Path, settings: Settings) -> None:
    """The last frame's thumbnail is broken: it is left out."""
    scene = Image.effect_noise((900, 300), 80).resize((1800, 600))
    table = _shots(5)
    table["generation"] = 1
    for n in range(5):
        frame = scene.crop((300 * n, 0, 300 * n + 600, 400))
        table["phash"][n] = perceptual_hash(frame)
        path = tmp_path / f"000000/{n}-1.thumb.jpg"
        path.parent.mkdir(exist_ok=True)
        frame.resize((400, 267)).save(path)
    path.write_bytes(b"no picture")
    thumbs = f"{tmp_path}/{{folder:06d}}/{{photo_id}}-{{generation}}.thumb.jpg"
    vectors = np.ones((5, 16), np.float16)
    given = claim("bursts", 0, params=_burst_params(tmp_path, table, vectors, thumbs=thumbs))
    payload = run(Bursts(settings.model_copy(update={"transit": tmp_path})), given)[0]
    assert (payload.panoramas, payload.groups) == (1, 0)
    groups = np.load(tmp_path / "groups.npy", allow_pickle=False)
    assert groups[:, 0].tolist() == [0, 1, 2, 3]


# --- what each process imports ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["scan", "convert", "curate", "embed", "taste", "bursts", "text"])
def test_a_consumers_process_holds_neither_sql_nor_the_web_and_torch_only_when_it_must(stage: str) -> None:
    code = f"""
import sys
from consumers.__main__ import _worker
from contracts.settings import Settings
if {stage!r} == "text":
    from consumers.text import TextServer
    TextServer(Settings())
else:
    _worker({stage!r}, Settings(), None).close()
held = {{"web", "sqlalchemy", "asyncpg", "fastapi", "aio_pika", "torch", "torchvision", "open_clip"}} & set(sys.modules)
assert not held, held
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=REPOSITORY, timeout=60)
