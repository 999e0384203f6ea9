"""Measures cells: pairs of rounds of both sides, in turns."""

import contextlib
import fcntl
import itertools
import pathlib
import tempfile
import time

from . import WORK, builders, cells, delivery, images, machine, measure, script, situations
from .order import Order
from .registry import Registry
from .traffic import Traffic

SIDES = (delivery.Delivery, script.Script)


class Cell:
    """One builder, image and situation, while it is measured."""

    def __init__(self, builder, image, situation, hub, work):
        self.builder, self.image, self.situation, self.hub, self.work = builder, image, situation, hub, work
        self.seeds = (f"{int(time.time())}-{number}" for number in itertools.count())
        self.orders, self.registries = {}, []

    def measured(self, rounds):
        """Its rounds, and how long the build alone takes."""
        pairs = []
        try:
            self.begin(script.BuildAlone)
            for number in range(rounds):
                if number and not self.situation.delivered:
                    # What the rounds before have left would fill the disk.
                    self.builder.fresh()
                    self.warm()
                pairs.append(self.pair_of(number))
                print(f"  round {number + 1} of {rounds}: {self.told(pairs[-1])}", flush=True)
            return pairs, self.round(script.BuildAlone.name, rounds)["wall_ms"]
        finally:
            self.end()

    def pair(self):
        """One pair."""
        try:
            self.begin()
            return self.pair_of(0)
        finally:
            self.end()

    def begin(self, *others):
        """All that comes before the first round."""
        self.builder.fresh()
        self.sides = {kind.name: kind(self.builder, self.work / f"home-{kind.name}") for kind in (*SIDES, *others)}
        if not self.situation.empty:
            self.warm()
        if self.situation.delivered:
            for name in self.sides:
                self.deliver_before(self.sides[name])

    def end(self):
        for name, order in self.orders.items():
            self.sides[name].clean(order)
        for registry in self.registries:
            registry.close()

    def pair_of(self, number):
        """Both sides, those that begin in turns."""
        names = [kind.name for kind in SIDES]
        took = {name: self.round(name, number) for name in (names if number % 2 else names[::-1])}
        return {name: took[name] for name in names}

    @staticmethod
    def told(pair):
        ours, theirs = pair["gp-deliver"]["wall_ms"], pair["script"]["wall_ms"]
        return f"gp-deliver {ours / 1000:.1f} s, script {theirs / 1000:.1f} s: {ours / theirs:.2f}"

    def order(self, side, image=None):
        """Something new to deliver, to a registry of its own."""
        seed = next(self.seeds)
        folder = self.work / f"{side.name.replace(' ', '-')}-{seed}"
        order = Order(folder, image or self.image, seed, hub=self.hub, remote_cache=self.situation.empty)
        order.write()
        order.registry = Registry()
        self.registries.append(order.registry)
        return order

    def warm(self):
        """A small image by each side: the builder has the base image then, and the programs what they keep."""
        for side in (self.sides[kind.name] for kind in SIDES):
            order = self.order(side, images.IMAGES[0])
            side.deliver(order, measure.Measurement(self.builder, None, side.variables))
            side.clean(order)
            order.registry.close()

    def deliver_before(self, side):
        self.orders[side.name] = self.order(side)
        side.deliver(self.orders[side.name], measure.Measurement(self.builder, None, side.variables))

    def round(self, name, number):
        """One side's part of a round."""
        side = self.sides[name]
        if not self.situation.delivered:
            self.orders[side.name] = self.order(side)
        order = self.orders[side.name]
        if self.situation.empty:
            self.builder.fresh()
            side.forget()
        self.situation.vary(order, number)
        with self.counting(order) as traffic:
            measurement = measure.Measurement(self.builder, traffic, side.variables)
            side.deliver(order, measurement)
            took = measurement.end()
        if not self.situation.delivered:
            side.clean(order)
            self.orders.pop(side.name).registry.close()
        return took

    def counting(self, order):
        """Counts what goes to the registries, where there is one of ours: it takes root."""
        if not self.hub:
            return contextlib.nullcontext()
        return Traffic(order.registry.port, int(self.hub.rpartition(":")[2]))


def measured(builder, image, situation, rounds, quiet, hub):
    """A cell as the file has it."""
    named = {"builder": builder.kind.name, "image": image.name, "situation": situation.name}
    if situation.empty and builder.kind.no_cache:
        return named | {"cannot": builder.kind.no_cache}
    with tempfile.TemporaryDirectory(prefix="cell-", dir=WORK) as work:
        pairs, floor = Cell(builder, image, situation, hub, pathlib.Path(work)).measured(rounds)
    cell = named | {
        "date": machine.today(), "commit": machine.commit(), "quiet": quiet, "machine": machine.of(builder), "build_alone_ms": floor,
        "rounds": pairs,
    }
    # Where the time goes is said of one round.
    chosen = pairs[cells.middle(cell)]
    cell["profile"] = {side: {part: chosen[side][part] for part in ("steps", "programs")} for side in chosen}
    for pair in pairs:
        for took in pair.values():
            del took["steps"], took["programs"]
    return cell


def wanted(options):
    """The cells that are asked for."""
    chosen = lambda table, names: [each for each in table if not names or each.name in names]
    for kind in chosen(builders.KINDS, options.builder):
        for image in chosen(images.IMAGES, options.image):
            for situation in chosen(situations.SITUATIONS, options.situation):
                if options.situation or not image.only or situation.name in image.only:
                    yield kind, image, situation


def alone():
    """Two at once would end each other's builders, and measure each other. Gives what holds others off while it is open."""
    lock = open(WORK / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("bench: another measurement runs in this clone") from None
    return lock


def main(options):
    delivery.found()
    WORK.mkdir(parents=True, exist_ok=True)
    failed = []
    with alone():
        try:
            (hub,) = builders.command("hub")
            for kind, image, situation in wanted(options):
                print(f"{kind.title}, {image.title}, {situation.title}", flush=True)
                try:
                    cell = measured(builders.Own(kind), image, situation, options.rounds, options.quiet_machine, hub)
                except measure.Failed as failure:
                    print(f"  {failure}", flush=True)
                    failed.append(f"{kind.name}/{image.name}/{situation.name}")
                    continue
                # One by one, so that an end in the middle loses one.
                cells.save(cells.merge(cells.load(), cell))
        finally:
            builders.command("down")
    if failed:
        raise SystemExit(f"bench: could not be measured: {', '.join(failed)}")
