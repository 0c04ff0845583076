"""`text`: encodes a search query. A remote call with five seconds to live; no job, no writer."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pika
import structlog
from pika.exceptions import AMQPError
from pydantic import ValidationError

from consumers.runner import HEARTBEAT_S, declare
from contracts import topology
from contracts.claims import TextQuery, TextReply
from contracts.settings import Settings
from domain import embedding
from domain.errors import DomainError

log = structlog.get_logger()
_LONGEST_DELAY_S = 10.0


class TextServer:
    """Answers `TextQuery` on the query's reply queue until stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._encoder: Any = None

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        delay = 0.2
        while not self._stop.is_set():
            try:
                self._serve()
                delay = 0.2
            except (AMQPError, OSError) as error:
                log.warning("connection_lost", error=f"{type(error).__name__}: {error}", stage="text")
                self._stop.wait(delay)
                delay = min(delay * 2, _LONGEST_DELAY_S)

    def _serve(self) -> None:
        parameters = pika.URLParameters(self._settings.amqp_url.get_secret_value())
        parameters.heartbeat = HEARTBEAT_S * 4  # loading a text tower takes a while, in this very thread
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        declare(channel)
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(topology.TEXT_QUEUE, self._take, auto_ack=True)
        log.info("consumer_ready", stage="text")
        while not self._stop.is_set():
            connection.process_data_events(time_limit=0.5)
        with suppress(AMQPError):
            connection.close()

    def _take(self, channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        if not properties.reply_to:
            return
        answer = pika.BasicProperties(correlation_id=properties.correlation_id, content_type="application/json")
        channel.basic_publish("", properties.reply_to, self._reply(body).to_bytes(), answer)

    def _reply(self, body: bytes) -> TextReply:
        try:
            query = TextQuery.model_validate_json(body)
            if self._encoder is None or self._encoder.name != query.encoder:
                settings = self._settings
                self._encoder = embedding.load(query.encoder, settings.clip_device, settings.torch_threads, "text")
            vector = self._encoder.encode_texts([query.text])[0]
            return TextReply(vector=vector.astype("<f2").tobytes())
        except ValidationError:
            return TextReply(error="The query was not understood.")
        except DomainError as error:
            return TextReply(error=error.sentence)
        except Exception as error:
            log.exception("query_failed")
            return TextReply(error=f"The query could not be encoded ({type(error).__name__}).")
