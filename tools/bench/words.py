"""Numbers as the project writes them (STYLE.md)."""


def span(ms):
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def size(count):
    """Of bytes, in powers of 1000."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count:.0f} B"


def mebibytes(count):
    return f"{count / 2**20:.0f} MiB"
