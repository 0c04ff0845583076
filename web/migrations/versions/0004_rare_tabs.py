"""The small tabs of the gallery are read by indexes of their own, and the planner knows how small they are."""

from __future__ import annotations

from web.sql_script import run_sql_beside

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("Indexes are not taken back; restore a backup instead.")
