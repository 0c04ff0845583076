"""The codes of the search index are scanned in memory; facets have indexes."""

from __future__ import annotations

from web.sql_script import run_sql_beside

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup instead.")
