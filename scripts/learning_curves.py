"""Learning curves as an SVG that reads on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 96, 24, 48
_STROKES = {"active": "#0a7d5a", "random": "#1f6fd1", "baseline": "#b3541e", "ridge": "#8a63b8"}
_LABEL_GAP = 15


def drawn(curves: Mapping[str, Mapping[int, float]]) -> str:
    """`curves`: by name, rank correlation by number of ratings. Each is labelled at its end: no need of colours."""
    counts = sorted({n for curve in curves.values() for n in curve})
    values = [rho for curve in curves.values() for rho in curve.values()]
    low, high = floor(min(values) * 10) / 10, max(ceil(max(values) * 10) / 10, floor(min(values) * 10) / 10 + 0.1)

    def x(n: float) -> float:
        span = log10(counts[-1] / counts[0]) or 1.0
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * log10(n / counts[0]) / span

    def y(rho: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (rho - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>Rank correlation on themes that were left out, by number of ratings</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for tenth in range(round(low * 10), round(high * 10) + 1):
        at = y(tenth / 10)
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" fill="#444">{tenth / 10:.1f}</text>')
    for n in counts:
        parts.append(f'<text x="{x(n):.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="middle" fill="#444">{n}</text>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="#444">ratings</text>')
    ends = _apart({name: y(curve[max(curve)]) for name, curve in curves.items()})
    for name, curve in curves.items():
        stroke = _STROKES.get(name, "#444")
        points = " ".join(f"{x(n):.1f},{y(rho):.1f}" for n, rho in sorted(curve.items()))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{stroke}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x(n):.1f}" cy="{y(rho):.1f}" r="3" fill="{stroke}"><title>{escape(name)}, {n} ratings: '
            f"{rho:.3f}</title></circle>"
            for n, rho in sorted(curve.items())
        ]
        parts.append(f'<text x="{WIDTH - _RIGHT + 10}" y="{ends[name] + 4:.1f}" fill="{stroke}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _apart(heights: dict[str, float]) -> dict[str, float]:
    """Label heights in their order, moved down until none covers another, then up together if they left the plot."""
    placed: dict[str, float] = {}
    last = float("-inf")
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        last = max(height, last + _LABEL_GAP)
        placed[name] = last
    over = max(0.0, last - (HEIGHT - _BOTTOM))
    return {name: height - over for name, height in placed.items()}
