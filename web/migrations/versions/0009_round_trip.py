"""Friends with other programs: where files may be written, and what both sides last agreed on."""

from __future__ import annotations

from web.sql_script import run_sql_beside

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup instead.")
