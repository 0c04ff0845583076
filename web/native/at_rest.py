"""The servers of a home where fineshyt does not run, started for one command and stopped again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from contracts.settings import Settings
from web.native.home import Home


def has_archive(settings: Settings) -> bool:
    """Whether the home holds a database."""
    return (settings.home / "postgres" / "data" / "PG_VERSION").exists()


def has_broker(settings: Settings) -> bool:
    return (settings.home / "rabbitmq" / "data").exists()


@contextmanager
def servers_at_rest(settings: Settings, *, broker: bool = False) -> Iterator[Settings]:
    """Settings that reach the home's own Postgres and, with `broker`, its RabbitMQ.

    Nobody else uses them meanwhile: the home is locked. Raises AlreadyRunningError, StartError.
    """
    home = Home(settings.home)
    home.lock()
    postgres, rabbitmq = home.postgres, home.rabbitmq if broker else None
    try:
        postgres.start()
        reached = {"database_url": SecretStr(postgres.url())}
        if rabbitmq is not None:
            rabbitmq.start()
            reached["amqp_url"] = SecretStr(rabbitmq.amqp_url())
        yield settings.model_copy(update=reached)
    finally:
        if rabbitmq is not None:
            rabbitmq.stop()
        postgres.stop()
        home.unlock()
