"""The guides say nothing that is not so: every command, page, button, sentence, key, setting and picture exists.

How the guides mark them: commands as code, `*labels*` of pages in italics, `> sentences` of the program as quotations
with `…` for what varies, single letters as code for keys, pages by their address.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from contracts.settings import Settings
from domain.xmp import with_stars
from web import cli
from web.pages import PLACES
from web.pages import router as pages

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [*GUIDES, ROOT / "docs" / "other-programs.md"]
DOCUMENTS = [*PAGES, ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_FILLED_IN = {".py": r"\{[^{}\n]*\}", ".js": r"\$\{[^{}\n]*\}", ".html": r"\{[{%].*?[}%]\}"}
_SETUP = ROOT / "scripts" / "setup"


def by_name(path: Path) -> str:
    return path.name


def lines_of_code(path: Path) -> list[str]:
    """What a reader may type: the lines of the fences and the code within the text, one line each."""
    text = path.read_text()
    fenced = [line.split(" # ")[0].strip() for block in _FENCE.findall(text) for line in block.splitlines()]
    return fenced + [" ".join(code.split()) for code in _CODE.findall(_FENCE.sub("", text))]


def commands(path: Path, program: str) -> list[list[str]]:
    """The words after `program`, without the settings that stand before it."""
    typed = [re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in lines_of_code(path)]
    found = [shlex.split(line) for line in typed if re.match(rf"(\.venv/bin/)?{program}( |$)", line)]
    return [words[1:] for words in found if len(words) > 1]


@cache
def command_line() -> Any:
    cli._register_all()
    return typer.main.get_command(cli.app)


def usage_error(words: list[str]) -> str | None:
    """What the real command line says against these words; None where it knows them. `--help` keeps it from running."""
    try:
        command_line().main([*words, "--help"], prog_name="fineshyt", standalone_mode=False)
    except Exception as error:  # click's own, whose class depends on the version of typer
        return str(error)
    return None


@pytest.mark.parametrize("path", PAGES, ids=by_name)
def test_every_command_has_the_options_that_are_shown(path: Path) -> None:
    shown = commands(path, "fineshyt")

    assert shown
    for words in shown:
        assert usage_error(words) is None, words


@pytest.mark.parametrize(
    "words", [["nowhere"], ["up", "--nowhere"], ["roots", "nowhere"], ["xmp", "write", "--besides"]]
)
def test_a_command_or_option_that_does_not_exist_is_noticed(words: list[str]) -> None:
    assert "No such" in str(usage_error(words))


@pytest.mark.parametrize("path", GUIDES, ids=by_name)
def test_every_target_of_make_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {words[0] for words in commands(path, "make")} <= targets


@pytest.mark.parametrize("path", GUIDES, ids=by_name)
def test_every_setting_exists(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"\b([A-Z]+_[A-Z_]+)\b", text)) | set(re.findall(r"\b([A-Z_]{4,})=", text))

    assert named <= {str(field.alias) for field in Settings.model_fields.values()}


@pytest.mark.parametrize("path", GUIDES, ids=by_name)
def test_every_page_exists(path: Path) -> None:
    known = {route.path for route in pages.routes}  # type: ignore[attr-defined]
    shown = re.findall(r"http://127\.0\.0\.1:\d+(/[a-z]*)?", path.read_text())

    assert {page or "/" for page in shown} <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_picture_and_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        file, _, heading = target.partition("#")
        there = (path.parent / file) if file else path
        assert there.exists(), target
        assert not heading or heading in headings(there), target


def headings(path: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_no_picture_of_the_guides_is_left_over() -> None:
    used = {name for path in GUIDES for name in re.findall(r"\]\(images/([^)]+)\)", path.read_text())}

    assert used == {picture.name for picture in (ROOT / "docs" / "guides" / "images").iterdir()}


# --- the product's words ----------------------------------------------------------------------------------------------


@cache
def source(*folders: str) -> str:
    """The product's text as one line: strings that go on in the next line joined, what is filled in as `…`."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.suffix in _FILLED_IN]
    own = (path for path in files if not {"vendor", "docs"} & set(path.relative_to(ROOT).parts))
    text = "\n".join(re.sub(_FILLED_IN[path.suffix], "…", path.read_text()) for path in own)
    return " ".join(re.sub(r"[\"']\s*\n\s*f?[\"']", "", text).split())


def pieces(words: str) -> list[str]:
    """What stands between the `…`, without the punctuation around them."""
    return [stripped for piece in words.split("…") if (stripped := piece.strip(" .:,"))]


@pytest.mark.parametrize("path", GUIDES, ids=by_name)
def test_every_sentence_that_is_quoted_is_the_programs(path: Path) -> None:
    said = source("web", "consumers", "domain") + _SETUP.read_text()
    for quoted in re.findall(r"^> (.+)$", path.read_text(), re.MULTILINE):
        missing = [piece for piece in pieces(quoted) if piece not in said]
        assert not missing, f"{quoted}: nothing says {missing}"


@pytest.mark.parametrize("path", GUIDES, ids=by_name)
def test_every_label_stands_on_a_page(path: Path) -> None:
    pages = source("web/templates", "web/static") + " ".join(f'"{title}"' for _, title, _ in PLACES)
    text = _FENCE.sub("", path.read_text())
    labels = re.findall(r"(?<!\*)\*([^*\n]+(?:\n[^*\n]+)?)\*(?!\*)", text)
    foreign = {"Run as administrator", "Ubuntu", "Terminal", "Code", "Clone"}
    for label in (" ".join(label.split()) for label in labels):
        known = all(re.search(rf"[>\"'`… ]{re.escape(piece)}[<\"'`…\.,; ]", pages) for piece in pieces(label))
        assert label in foreign or known, f"no page says {label!r}"


@pytest.mark.parametrize("path", GUIDES, ids=by_name)
def test_every_key_is_one_that_the_pages_list(path: Path) -> None:
    pages = "".join(file.read_text() for file in (ROOT / "web" / "static" / "pages").glob("*.js"))
    listed = " ".join(re.findall(r"\[\"([^\"\n]{1,24})\", \"[^\"\n]+\"\]", pages)).replace("·", " ").split()
    shown = {code for code in _CODE.findall(_FENCE.sub("", path.read_text())) if len(code) == 1}

    assert shown - {"~", "…", "≈"} <= {*listed, *"12345"}


def test_sidecars_that_fineshyt_made_are_found_as_the_page_says() -> None:
    mark = re.search(r"grep -rl --include='\*\.xmp' '([^']+)'", (ROOT / "docs" / "other-programs.md").read_text())

    assert mark is not None
    assert mark[1].encode() in with_stars(None, 3)
