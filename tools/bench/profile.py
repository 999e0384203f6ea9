"""Where the time of a round goes."""

# What a stage or a command is for, in the order of a delivery; whatever is not here is "rest".
PARTS = {
    "secrets": ["secrets", "gitleaks dir", "gitleaks git"],
    "build": ["build", "checks", "buildx build --load", "buildx build, to a layout"],
    "vulnerabilities": ["vulnerabilities", "trivy"],
    "SBOM": ["sbom", "syft"],
    "publish": ["upload", "publish", "signing", "build-cache", "docker push", "crane push"],
    "rest": [],
}


def part(name):
    return next((part for part, names in PARTS.items() if name in names), "rest")


def critical(steps, wall_ms):
    """The steps that the end waited for, from the first on, each with the milliseconds that it alone accounts for.

    From the end back: of the steps that had begun, the one that ended last, and before its beginning the same again. Where several
    were still going on, it is the one that had begun first. What lies between two of them is `rest`.
    """
    path, now = [], wall_ms
    while True:
        begun = [step for step in steps if step["started_ms"] < now]
        if not begun:
            break
        end = lambda step: min(step["started_ms"] + step["elapsed_ms"], now)
        last = max(begun, key=lambda step: (end(step), -step["started_ms"]))
        path += [("rest", now - end(last)), (last["name"], end(last) - last["started_ms"])]
        now = last["started_ms"]
    path.append(("rest", now))
    return [(name, spent) for name, spent in reversed(path) if spent > 0]


def by_part(steps, wall_ms):
    """The whole time of a round, divided among the parts."""
    sums = dict.fromkeys(PARTS, 0)
    for name, spent in critical(steps, wall_ms):
        sums[part(name)] += spent
    return sums
