"""All settings, read once at the entry point from the environment. Nothing else reads the environment.

Each field's environment variable is its alias; `README.md` and `.env.example` list every one (a test compares).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.base import LONGEST_ANSWER_S, LONGEST_DECODE_S


def default_home() -> Path:
    """The platform's user data folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "fineshyt"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "fineshyt"


class Settings(BaseSettings):
    """One frozen object, made by the entry point and handed down.

    Built by alias only, `Settings(FINESHYT_HOME=...)`: by field name, `home` would be read from `$HOME`.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # Where things are
    home: Path = Field(default_factory=default_home, alias="FINESHYT_HOME")
    derivatives: Path | None = Field(default=None, alias="FINESHYT_DERIVATIVES")
    transit: Path | None = Field(default=None, alias="FINESHYT_TRANSIT")
    database_url: SecretStr = Field(default=SecretStr(""), alias="DATABASE_URL")
    amqp_url: SecretStr = Field(default=SecretStr(""), alias="AMQP_URL")
    management_url: SecretStr = Field(default=SecretStr(""), alias="RABBITMQ_MANAGEMENT_URL")
    photo_library: str = Field(default="", alias="PHOTO_LIBRARY")
    photo_libraries: str = Field(default="", alias="PHOTO_LIBRARIES")

    # Web
    host: str = Field(default="127.0.0.1", alias="FINESHYT_HOST")
    port: int = Field(default=4000, ge=0, le=65535, alias="FINESHYT_PORT")
    allowed_hosts: str = Field(default="", alias="FINESHYT_ALLOWED_HOSTS")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", alias="LOG_LEVEL")
    log_format: Literal["auto", "console", "json"] = Field(default="auto", alias="LOG_FORMAT")

    # Delivery
    dispatch_window: int = Field(default=1000, ge=1, alias="DISPATCH_WINDOW")
    max_attempts: int = Field(default=5, ge=1, alias="MAX_ATTEMPTS")
    stuck_after_s: float = Field(default=120.0, gt=0, alias="STUCK_AFTER_SECONDS")
    free_disk_gb: float = Field(default=10.0, ge=0, alias="FREE_DISK_GB")
    prefetch: int = Field(default=0, ge=0, alias="PREFETCH")
    """Claims a consumer holds; 0: one per slot, or one batch for a batching consumer."""
    slots: int = Field(default=0, ge=0, alias="WORKER_SLOTS")
    """Working slots of one consumer process; 0: what suits the stage."""
    grace_s: float = Field(default=30.0, gt=0, alias="SHUTDOWN_GRACE_SECONDS")

    # Convert
    pixel_cap: int = Field(default=1_000_000_000, ge=1_000_000, alias="PIXEL_CAP")
    convert_timeout_s: float = Field(default=180.0, gt=0, le=LONGEST_DECODE_S, alias="CONVERT_TIMEOUT_SECONDS")
    convert_memory_mb: int = Field(default=3000, ge=256, alias="CONVERT_MEMORY_MB")
    files_per_child: int = Field(default=500, ge=1, alias="FILES_PER_CHILD")

    # Curate
    llm_base_url: str = Field(default="http://localhost:11434/v1/", alias="LLM_BASE_URL")
    llm_api_key: SecretStr = Field(default=SecretStr("ollama"), alias="LLM_API_KEY")
    llm_model: str = Field(default="llava", alias="LLM_MODEL")
    llm_mode: Literal["json", "tools", "json_schema", "md_json"] = Field(default="json", alias="LLM_MODE")
    llm_timeout_s: float = Field(default=120.0, gt=0, le=LONGEST_ANSWER_S, alias="LLM_TIMEOUT_SECONDS")
    llm_window: str = Field(default="", alias="LLM_WINDOW")
    """Nightly window for what nobody waits for, `22:00-07:00`; empty: any time."""

    # Embed
    encoder: str = Field(default="auto", alias="FINESHYT_ENCODER")
    """`auto` (CLIP if its weights are at hand, else the bundled one), `bundled` or `clip`; first start only."""
    clip_model_name: str = Field(default="ViT-L-14", alias="CLIP_MODEL_NAME")
    clip_pretrained: str = Field(default="laion2b_s32b_b82k", alias="CLIP_PRETRAINED")
    clip_device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", alias="CLIP_DEVICE")
    embed_batch: int = Field(default=8, ge=1, alias="EMBED_BATCH")
    torch_threads: int = Field(default=0, ge=0, alias="TORCH_THREADS")

    # Taste and bursts
    match_threshold: str = Field(default="70", alias="MATCH_THRESHOLD")
    burst_gap_s: float = Field(default=5.0, gt=0, alias="BURST_GAP_SECONDS")
    burst_threshold: float = Field(default=0.0, ge=0, le=1, alias="BURST_THRESHOLD")
    """0: the encoder's own."""

    @field_validator("home", "derivatives", "transit")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("llm_window")
    @classmethod
    def _window(cls, value: str) -> str:
        if value and not re.fullmatch(r"\s*([01]\d|2[0-3]):[0-5]\d\s*-\s*([01]\d|2[0-3]):[0-5]\d\s*", value):
            raise ValueError(f"LLM_WINDOW is a time of day to another, such as 22:00-07:00; {value!r} is not.")
        return value

    @field_validator("match_threshold")
    @classmethod
    def _threshold(cls, value: str) -> str:
        if value != "auto" and not (value.isdigit() and int(value) <= 100):
            raise ValueError(f"MATCH_THRESHOLD is a whole number from 0 to 100, or auto; {value!r} is neither.")
        return value

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """For an entry point: `given` by alias, the rest from the environment.

        Raises SystemExit with a sentence for each setting that cannot be used.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            wrong = (f"  {e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
            told = ["fineshyt cannot start with these settings:", *wrong, "What each may be: docs/settings.md"]
            raise SystemExit("\n".join(told)) from None

    @property
    def amqp_urls(self) -> tuple[str, ...]:
        """The nodes of one RabbitMQ cluster, from `AMQP_URL` (separated by commas); any of them serves. Mostly one."""
        return tuple(url for part in self.amqp_url.get_secret_value().split(",") if (url := part.strip()))

    @property
    def derivatives_dir(self) -> Path:
        """Previews, thumbnails and renderings."""
        return self.derivatives or self.home / "derivatives"

    @property
    def transit_dir(self) -> Path:
        """Matrices on their way to a consumer, on a disk that every consumer sees."""
        return self.transit or self.home / "transit"

    @property
    def configured_roots(self) -> tuple[Path, ...]:
        """Library roots from `PHOTO_LIBRARIES` (colon-separated) and `PHOTO_LIBRARY`."""
        parts = [p for p in self.photo_libraries.split(":") if p] + ([self.photo_library] if self.photo_library else [])
        return tuple(dict.fromkeys(Path(p).expanduser().absolute() for p in parts))
