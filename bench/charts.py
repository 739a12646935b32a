"""Charts as SVG, in a few lines: bars, and lines on two logarithmic axes. They follow the reader's light or dark theme."""

import math
from html import escape

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px }
.bar { fill: #0969da } .other { fill: #8c959f } .axis { stroke: #d0d7de } .line { stroke: #0969da; fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .axis { stroke: #3d444d } .bar { fill: #4493f8 } .line { stroke: #4493f8 } }
</style>"""


def svg(width, height, content):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">{STYLE}{content}</svg>\n'
    )


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(title, unit, rows):
    """`rows` are (name, value, low, high, is ours). The axis is logarithmic if the values differ by more than 20 times."""
    left, right, line = 210, 120, 24
    width, height = 760, 44 + line * len(rows)
    room = width - left - right
    values = [value for _, value, *_ in rows if value > 0]
    is_logarithmic = max(values) > 20 * min(values)
    least = min(values) / 2

    def length(value):
        if is_logarithmic:
            return max(2, room * math.log(max(value, least) / least) / math.log(max(values) / least))
        return max(2, room * value / max(values))

    scale = " (logarithmic)" if is_logarithmic else ""
    parts = [f'<text class="title" x="8" y="22">{escape(title)}, {escape(unit)}{scale}</text>']
    for number, (name, value, low, high, is_ours) in enumerate(rows):
        y = 38 + line * number
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        kind = "bar" if is_ours else "other"
        parts.append(f'<rect class="{kind}" x="{left}" y="{y + 2}" width="{length(value):.1f}" height="{line - 8}" rx="2"/>')
        if high > low:
            start, end = left + length(low), left + length(high)
            parts.append(f'<path class="axis" stroke-width="2" d="M{start:.1f} {y + 10}H{end:.1f}"/>')
        parts.append(f'<text x="{left + length(max(value, high)) + 8:.1f}" y="{y + 14}">{shown(value)}</text>')
    return svg(width, height, "".join(parts))


def lines(title, across, up, points):
    """One line through (x, y) on logarithmic axes: linear growth is a line of 45 degrees at most."""
    width, height, left, top, bottom = 760, 300, 70, 40, 40
    across_values, up_values = [x for x, _ in points], [y for _, y in points]

    def scaled(value, values, room):
        low, high = math.log(min(values)), math.log(max(values))
        return room * (math.log(value) - low) / ((high - low) or 1)

    at = [
        (left + scaled(x, across_values, width - left - 40), height - bottom - scaled(y, up_values, height - top - bottom))
        for x, y in points
    ]
    parts = [f'<text class="title" x="8" y="22">{escape(title)}: {escape(up)} over {escape(across)}</text>']
    parts.append(f'<path class="axis" d="M{left} {top}V{height - bottom}H{width - 30}"/>')
    parts.append('<path class="line" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in at) + '"/>')
    for (x, y), (size, value) in zip(at, points):
        parts.append(f'<circle class="bar" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{shown(value)}</text>')
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 18}" text-anchor="middle">{size:,}</text>')
    return svg(width, height, "".join(parts))
