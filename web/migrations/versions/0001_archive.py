"""The archive: library, photographs, decisions, jobs, the read model and its counters."""

from __future__ import annotations

from web.sql_script import run_sql_beside

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("The first migration is not taken back; restore a backup instead.")
