"""Database, broker and language model: whether they answer, are new enough and do their part."""

from __future__ import annotations

from typing import Any

import aio_pika
import httpx

from contracts import topology
from contracts.settings import Settings
from web.broker import CANNOT_CONNECT
from web.broker import connect as connect_broker
from web.database import Connection
from web.doctor.finding import Finding
from web.operations import newest_revision

POSTGRES = 16
PGVECTOR = (0, 8)
RABBITMQ = (3, 10)
_RESTART = "Restart fineshyt (fineshyt down, fineshyt up), or with compose: docker compose up -d"


def numbers(version: str) -> tuple[int, ...]:
    """`3.10.25` as a tuple; what is no number ends it."""
    parts: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


async def database(connection: Connection | None) -> list[Finding]:
    if connection is None:
        return [Finding("database", False, "Postgres does not answer.", f"{_RESTART}. Else check DATABASE_URL.")]
    server = str(await connection.fetchval("SELECT current_setting('server_version')"))
    number = int(await connection.fetchval("SELECT current_setting('server_version_num')::int")) // 10_000
    vector = str(await connection.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    said, mend = f"Postgres {server}, pgvector {vector}", ""
    if revision != newest_revision():
        said += f"; its shape is {revision}, this version needs {newest_revision()}"
        mend = f"{_RESTART}: that migrates it."
    elif number < POSTGRES:
        mend = f"Postgres {POSTGRES} or newer is needed: fineshyt backup, upgrade it, fineshyt restore."
    elif numbers(vector) < PGVECTOR:
        mend = "pgvector 0.8 or newer is needed: install it, then run ALTER EXTENSION vector UPDATE."
    return [Finding("database", not mend, said, mend)]


async def broker(settings: Settings) -> list[Finding]:
    if not settings.amqp_urls:
        return [Finding("broker", False, "No RabbitMQ is known.", f"{_RESTART}. Else set AMQP_URL.")]
    try:
        connection = await connect_broker(settings, timeout_s=5)
    except CANNOT_CONNECT as error:
        said = f"RabbitMQ does not answer ({type(error).__name__})."
        return [Finding("broker", False, said, f"{_RESTART}. Else check AMQP_URL.")]
    async with connection:
        version = _version(connection)
        old = bool(numbers(version)) and numbers(version) < RABBITMQ
        mend = "RabbitMQ 3.10 or newer is needed: upgrade it; what is due is in the database." if old else ""
        return [Finding("broker", not old, f"RabbitMQ answers, version {version}", mend), await _workers(connection)]


def _version(connection: Any) -> str:
    said = connection.transport.connection.server_properties.get("version", "unknown")
    return said.decode() if isinstance(said, bytes) else str(said)


async def _workers(connection: Any) -> Finding:
    """Every queue that somebody must read has a reader."""
    queues = (*topology.WORK_STAGES, topology.TEXT_QUEUE, topology.RESULTS_QUEUE)
    idle = [queue.removesuffix(".now") for queue in queues if not await _readers(connection, queue)]
    if not idle:
        return Finding("workers", True, "every stage has one")
    return Finding("workers", False, f"Nobody works on: {', '.join(idle)}.", f"{_RESTART}. See `fineshyt status`.")


async def _readers(connection: Any, queue: str) -> int:
    channel = await connection.channel()
    try:
        declared = await channel.declare_queue(queue, passive=True)
        return int(declared.declaration_result.consumer_count or 0)
    except aio_pika.exceptions.AMQPException:  # not declared: nobody ever read it
        return 0
    finally:
        await channel.close()


async def language_model(settings: Settings) -> Finding:
    """A missing language model is no fault: everything else works."""
    url, model = settings.llm_base_url, settings.llm_model
    key = {"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"}
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(url.rstrip("/") + "/models", headers=key)
    except (httpx.HTTPError, httpx.InvalidURL):
        return Finding(
            "language model", True, f"nothing answers at {url}; descriptions wait", "Start one, or set LLM_BASE_URL."
        )
    if answer.status_code in (401, 403):
        return Finding("language model", False, f"{url} refuses the key.", "Set LLM_API_KEY to one that it accepts.")
    names = _model_names(answer)
    if names and not any(name == model or name.partition(":")[0] == model for name in names):
        return Finding(
            "language model", False, f"{url} answers, but does not offer the model {model!r}.",
            f"With Ollama: ollama pull {model}. Or set LLM_MODEL to one of: {', '.join(sorted(names)[:5])}",
        )  # fmt: skip
    return Finding("language model", True, f"{url} answers, model {model}")


def _model_names(answer: httpx.Response) -> list[str]:
    """As OpenAI's list says them; empty where the endpoint keeps none."""
    try:
        return [str(entry["id"]) for entry in answer.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []
