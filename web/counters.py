"""Maintained counters: triggers append differences, readers sum them, the relay folds them now and then."""

from __future__ import annotations

from collections import defaultdict

from web.database import Connection


async def counts(connection: Connection, scope_prefix: str = "") -> dict[str, dict[str, int]]:
    """`{scope: {key: n}}` for the scopes that start with `scope_prefix` (`tab`, `photos`, `job:`, `import:`)."""
    rows = await connection.fetch(
        "SELECT scope, key, sum(delta)::bigint AS n FROM counter_deltas WHERE starts_with(scope, $1) GROUP BY 1, 2",
        scope_prefix,
    )
    result: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        result[row["scope"]][row["key"]] = row["n"]
    return dict(result)


async def fold(connection: Connection) -> None:
    """Replaces the differences by their sums. Readers see the same numbers before and after."""
    await connection.execute(
        """
        WITH gone AS (DELETE FROM counter_deltas RETURNING scope, key, delta)
        INSERT INTO counter_deltas SELECT scope, key, sum(delta) FROM gone GROUP BY scope, key HAVING sum(delta) <> 0
        """
    )


async def rebuild(connection: Connection) -> None:
    """Counts everything again. Takes a lock that keeps changes out meanwhile."""
    async with connection.transaction():
        await connection.execute("LOCK TABLE jobs, gallery IN SHARE MODE")
        await connection.execute("DELETE FROM counter_deltas")
        await connection.execute(
            """
            INSERT INTO counter_deltas
            SELECT 'job:' || stage, status, count(*) FROM jobs GROUP BY stage, status
            UNION ALL
            SELECT 'tab', tab, count(*) FROM gallery JOIN tab_bits() ON tabs & mask <> 0 GROUP BY tab
            UNION ALL
            SELECT 'photos', CASE WHEN discarded THEN 'discarded' ELSE status END, count(*) FROM gallery GROUP BY 2
            UNION ALL
            SELECT 'import:' || import_id, status, count(*) FROM gallery WHERE import_id IS NOT NULL GROUP BY 1, 2
            """
        )
