"""What both sides are asked to deliver, in their own copies of everything."""

import dataclasses
import pathlib

from . import images


@dataclasses.dataclass
class Order:
    """One image of one side: its source, its seed, its registry, and what is different this time."""

    folder: pathlib.Path
    image: images.Image
    # Makes all layers of its own as new as they are nowhere else.
    seed: str
    registry: object = None
    # The registry with base images and vulnerability databases; none where the builder has the one, and the other is in a folder.
    hub: str = None
    labels: dict = dataclasses.field(default_factory=dict)
    remote_cache: bool = False

    @property
    def source(self):
        return self.folder / "source"

    def write(self):
        self.image.write(self.source, self.seed)

    def change(self, text):
        # The two sides' layers differ, so that neither profits from the other.
        images.change(self.source, f"{text} of {self.seed}")

    def commit_beside(self, text):
        """A commit that changes nothing that the image has; gives its id."""
        return images.change(self.source, f"{text} of {self.seed}", images.BESIDE)

    @property
    def cache(self):
        return f"{self.registry.address}/bench/cache"

    def database(self, name, tag):
        return f"{self.hub}/{name}:{tag}" if self.hub else f"oci:target/{name}:{tag}"
