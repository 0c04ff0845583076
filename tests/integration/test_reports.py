"""Who listens to what consumers report, as the management page shows it."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
import pytest

from web import reports

pytestmark = pytest.mark.integration


async def test_a_queue_of_reports_says_what_it_holds_and_for_whom(amqp_url: str, management_url: str) -> None:
    first, second = [await aio_pika.connect(amqp_url) for _ in range(2)]
    async with first, second:
        for connection in (first, second):
            await reports.listen(connection, reports.ReportBoard(), "web")

        names = await _queues(amqp_url, management_url)

    assert not [name for name in names if name.startswith("amq.")]
    assert len({name for name in names if re.fullmatch(r"reports\.web\.[0-9a-f]{6}", name)}) == 2


async def _queues(amqp_url: str, management_url: str) -> list[str]:
    vhost = quote(urlsplit(amqp_url).path.lstrip("/") or "/", safe="")
    async with httpx.AsyncClient(base_url=management_url) as client:
        answer = (await client.get(f"/api/queues/{vhost}")).raise_for_status()
    return [queue["name"] for queue in answer.json()]
