"""`text`: encodes a search query. A remote call with five seconds to live; no job, no writer.

The text tower is loaded before the first query is taken. Queries are taken one at a time: those that wait expire in the
queue, so that nobody's answer waits for an answer that nobody waits for.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pika
import structlog
from pika.exceptions import AMQPError
from pydantic import ValidationError

from consumers.runner import HEARTBEAT_S, connect, declare
from contracts import topology
from contracts.claims import TextQuery, TextReply
from contracts.settings import Settings
from domain import embedding
from domain.errors import DomainError

log = structlog.get_logger()
_LONGEST_DELAY_S = 10.0
_THREADS = 1
"""Unless the settings say otherwise. A query is small: threads that wait for each other on a busy machine cost more."""


class TextServer:
    """Answers `TextQuery` on the query's reply queue until stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._encoder: Any = None

    def stop(self) -> None:
        self._stop.set()

    @property
    def encoder(self) -> str | None:
        """The name of the encoder whose text tower is in memory."""
        return self._encoder.name if self._encoder is not None else None

    def run(self) -> None:
        """Blocks until stopped; reconnects for as long as it takes."""
        self._warm()
        delay = 0.2
        while not self._stop.is_set():
            try:
                self._serve()
                delay = 0.2
            except (AMQPError, OSError) as error:
                log.warning("connection_lost", error=f"{type(error).__name__}: {error}", stage="text")
                self._stop.wait(delay)
                delay = min(delay * 2, _LONGEST_DELAY_S)

    def _warm(self) -> None:
        """Loads the tower of the encoder that the settings name, if it is on this machine, and lets it encode once.

        Another one is loaded with its first query, and whatever is wrong is said to the person who searches.
        """
        settings = self._settings
        name = embedding.words_at_hand(settings.encoder, settings.clip_model_name, settings.clip_pretrained)
        if name is None:
            return
        try:
            self._encode(TextQuery(encoder=name, text="a photograph"))
            log.info("text_tower_loaded", encoder=name)
        except Exception as error:
            log.warning("text_tower_not_loaded", encoder=name, error=f"{type(error).__name__}: {error}")

    def _serve(self) -> None:
        # Loading a text tower takes a while, in this very thread.
        connection = connect(self._settings, HEARTBEAT_S * 4, "text")
        channel = connection.channel()
        declare(channel)
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(topology.TEXT_QUEUE, self._take)
        log.info("consumer_ready", stage="text")
        while not self._stop.is_set():
            connection.process_data_events(time_limit=0.5)
        with suppress(AMQPError):
            connection.close()

    def _take(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if properties.reply_to:
            answer = pika.BasicProperties(correlation_id=properties.correlation_id, content_type="application/json")
            channel.basic_publish("", properties.reply_to, self._reply(body).to_bytes(), answer)
        channel.basic_ack(method.delivery_tag)

    def _encode(self, query: TextQuery) -> bytes:
        if self.encoder != query.encoder:
            threads = self._settings.torch_threads or _THREADS
            self._encoder = embedding.load(query.encoder, self._settings.clip_device, threads, "text")
        vector: bytes = self._encoder.encode_texts([query.text])[0].astype("<f2").tobytes()
        return vector

    def _reply(self, body: bytes) -> TextReply:
        try:
            return TextReply(vector=self._encode(TextQuery.model_validate_json(body)))
        except ValidationError:
            return TextReply(error="The query was not understood.")
        except DomainError as error:
            return TextReply(error=error.sentence)
        except Exception as error:
            log.exception("query_failed")
            return TextReply(error=f"The query could not be encoded ({type(error).__name__}).")
