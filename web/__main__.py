"""`python -m web`: pages, API and live events on `FINESHYT_HOST`:`FINESHYT_PORT`, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import uvicorn

from contracts.settings import Settings
from web import journal
from web.app import create_app


def main() -> None:
    settings = Settings.read()
    journal.configure(settings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
