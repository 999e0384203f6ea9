"""What has happened before the delivery that is measured.

A situation makes one side ready and says what is different in each round. All that is done here is outside of the time.
"""

import dataclasses

from .registry import Registry


@dataclasses.dataclass(frozen=True)
class Situation:
    name: str
    title: str
    says: str
    # Whether an earlier delivery of the same image is in the registry, and its steps in the builder.
    delivered: bool = True
    # Whether each round begins with a builder and programs that have nothing, and with a cache in the registry.
    empty: bool = False

    def vary(self, order, number):
        """What is different in this round."""
        if self.name == "label":
            # As a workflow labels images: by the commit. This one changes no file of the image.
            order.labels = {"org.opencontainers.image.revision": order.commit_beside(f"round {number}")}
        elif self.delivered:
            order.change(f"round {number}")


SITUATIONS = [
    Situation(
        "first", "first delivery", "nothing of the image is in the builder or in the registry; the base image is in the builder",
        delivered=False,
    ),
    Situation("changed", "last layer changed", "delivered before from here; a small file that the last layer copies is different"),
    Situation(
        "label", "label changed",
        "delivered before from here; a new commit changes no file of the image, and a label names the commit",
    ),
    Situation(
        "empty", "empty machine, remote cache",
        "delivered before from another machine, which left its build cache in the registry; here is nothing, and the small file"
        " is different",
        empty=True,
    ),
]
