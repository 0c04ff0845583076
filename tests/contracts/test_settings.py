"""Every setting is documented, and the documents name no setting that does not exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.base import LONGEST_ANSWER_S, LONGEST_DECODE_S
from contracts.settings import Settings
from domain.curation import MOST_CALLS

REPOSITORY = Path(__file__).resolve().parents[2]
ALIASES = {str(field.alias) for field in Settings.model_fields.values()}
_NAME = re.compile(r"^#?\s*([A-Z][A-Z0-9_]+)=", re.MULTILINE)


def test_the_example_file_lists_every_setting_and_no_other() -> None:
    settings, _, _compose_alone = (REPOSITORY / ".env.example").read_text().partition("# --- ")

    assert set(_NAME.findall(settings)) == ALIASES


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_the_settings_page_explains_every_setting(name: str) -> None:
    assert f"`{name}`" in (REPOSITORY / "docs" / "settings.md").read_text()


def test_settings_are_frozen_and_hide_secrets() -> None:
    settings = Settings(DATABASE_URL="postgresql://u:hunter2@h/d", LLM_API_KEY="sk-hunter2")

    with pytest.raises(Exception, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    assert "hunter2" not in repr(settings)


def test_the_home_folder_of_the_user_is_not_taken_for_our_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv("FINESHYT_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    assert str(Settings().home) != "/somewhere"


def test_roots_are_read_from_both_variables_without_doubles() -> None:
    settings = Settings(PHOTO_LIBRARY="/a", PHOTO_LIBRARIES="/b:/a::/c")

    assert [str(p) for p in settings.configured_roots] == ["/b", "/a", "/c"]


@pytest.mark.parametrize("seconds", ["841", "inf", "nan", "0"])
def test_a_decoder_is_given_no_more_time_than_a_claim_may_ask_for(seconds: str) -> None:
    assert Settings(CONVERT_TIMEOUT_SECONDS="840").convert_timeout_s == LONGEST_DECODE_S

    with pytest.raises(ValidationError, match="CONVERT_TIMEOUT_SECONDS"):
        Settings(CONVERT_TIMEOUT_SECONDS=seconds)


@pytest.mark.parametrize("seconds", ["561", "inf", "nan", "0"])
def test_all_that_a_language_model_is_asked_ends_before_its_claim_is_taken_back(seconds: str) -> None:
    assert Settings(LLM_TIMEOUT_SECONDS="560").llm_timeout_s == LONGEST_ANSWER_S
    assert MOST_CALLS * LONGEST_ANSWER_S < 30 * 60

    with pytest.raises(ValidationError, match="LLM_TIMEOUT_SECONDS"):
        Settings(LLM_TIMEOUT_SECONDS=seconds)


def test_a_wrong_setting_ends_an_entry_point_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("LLM_WINDOW", "at night")
    monkeypatch.setenv("LLM_API_KEY", "sk-hunter2")

    with pytest.raises(SystemExit) as end:
        Settings.read()

    said = str(end.value)
    assert "LOG_LEVEL: Input should be 'debug', 'info'" in said
    assert "LLM_WINDOW is a time of day to another, such as 22:00-07:00; 'at night' is not." in said
    assert "hunter2" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", [("web",), ("web.results",), ("web.migrate",), ("web.cli", "status"), ("consumers", "scan")], ids=" ".join
)
def test_every_entry_point_says_so(module: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=REPOSITORY, env=os.environ | {"LOG_LEVEL": "loud"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "LOG_LEVEL: Input should be" in done.stderr
    assert "Traceback" not in done.stderr
