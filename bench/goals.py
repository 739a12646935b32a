"""What Letterbox wants to be able to say, and whether a run shows it."""

# Verifying with RSA or decrypting JWE brings more code and more work.
HEAVY = ("opencard", "wechatpay", "alipay", "sns")
# Growth within this factor of the size's is linear: the caches of the processor have steps.
LINEAR = 1.5


def rows(results):
    """The table: what, goal, measured, met or missed."""
    goals = [row for part in (of_functions, of_primitives, of_serve, of_growth) for row in part(results)]
    return [[what, goal, measured, "met" if is_met else "**missed**"] for what, goal, measured, is_met in goals]


def of_functions(results):
    found = {row["name"]: row for row in results.get("functions", ())}
    if not found:
        return

    def value(name, column):
        cell = found[name][column]
        return cell["median"] if isinstance(cell, dict) else cell

    ours = [name for name in found if name != "floor" and " in " not in name]

    def worst(column, names):
        name = max(names, key=lambda name: value(name, column))
        return name, value(name, column)

    def at_most(what, column, limit, unit, names, scale=1):
        names = [name for name in ours if name in names]
        if names:
            name, most = worst(column, names)
            yield what, f"at most {limit} {unit}", f"{most / scale:.2f} {unit} ({name})", most / scale <= limit

    light = [name for name in ours if name not in HEAVY]
    heavy = [name for name in ours if name in HEAVY]
    if "floor" in found:
        floor = value("floor", "start_ms")
        for what, names, limit in (("start, connection open", light, 2), ("start of opencard, alipay, sns, wechatpay", heavy, 2.5)):
            if names:
                name, most = worst("start_ms", names)
                yield what, f"at most {limit} × the floor", f"{most / floor:.2f} × ({name})", most <= limit * floor
    yield from at_most("start and first delivery", "start_and_first_ms", 7, "ms", light)
    yield from at_most("first delivery", "first_ms", 1.2, "ms", [name for name in ours if name != "opencard"])
    yield from at_most("first delivery, opencard", "first_ms", 2, "ms", ["opencard"])
    yield from at_most("CPU of a warm delivery", "warm_cpu_ms", 0.3, "ms", light)
    yield from at_most("peak memory", "peak_mb", 8, "MB", [name for name in ours if name != "opencard"])
    yield from at_most("peak memory, opencard", "peak_mb", 10, "MB", ["opencard"])
    yield from at_most("zip", "zip_bytes", 2.8, "MB", [name for name in ours if name != "opencard"], 1e6)
    yield from at_most("zip, opencard", "zip_bytes", 4.5, "MB", ["opencard"], 1e6)
    for language, column, what, limit in (
        ("Python", "start_and_first_ms", "start and first delivery", 60),
        ("Python", "warm_cpu_ms", "CPU of a warm delivery", 9),
        ("Node.js", "warm_cpu_ms", "CPU of a warm delivery", 4),
    ):
        pairs = [(name, f"{name} in {language}") for name in ours if f"{name} in {language}" in found]
        if pairs:
            least, name = min((value(other, column) / value(name, column), name) for name, other in pairs)
            yield f"{what} beside {language}", f"at least {limit} × less", f"{least:.1f} × ({name})", least >= limit


def of_primitives(results):
    large = [row for row in results.get("primitives", ()) if row["bytes"] >= 16 * 1024]
    if large:
        worst = min(large, key=lambda row: row["speed"])
        measured = f"{worst['speed']:.2f} ({worst['primitive']}, {worst['bytes']} bytes)"
        yield "primitives at 16 KiB and more", "at least 0.9 of OpenSSL's speed", measured, worst["speed"] >= 0.9


def of_serve(results):
    found = results.get("serve", ())
    if not found:
        return
    rate = max(row["acknowledged"] / row["seconds"] for row in found)
    yield "serve, acknowledged and on the queue", "at least 10,000/s", f"{rate:,.0f}/s", rate >= 10_000
    for row in found:
        if row["connections"] == 64:
            yield "serve, p99 at 64 connections", "at most 20 ms", f"{row['p99_ms']:.1f} ms", row["p99_ms"] <= 20
    lines = max(row["lines"] / row["seconds"] for row in found)
    yield "serve, lines about what is not stored", "at most one a second", f"{lines:.1f} a second", lines <= 1.2


def of_growth(results):
    for what, sizes in results.get("growth", {}).items():
        for column, label in (("delivery_us", "a delivery"), ("start_us", "start")):
            if what.startswith("payload") and column == "start_us":
                continue
            worst = max(
                (after[column] / before[column]) / (after["size"] / before["size"])
                for before, after in zip(sizes, sizes[1:])
            )
            yield f"growth of {label} with {what}", "linear or better", f"{worst:.2f} × the size's, at most", worst <= LINEAR
