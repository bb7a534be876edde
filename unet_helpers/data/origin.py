"""What the images of a source were like before they became slices of one size with values from 0 to 1.

A network has seen nothing else. A later image is scaled by the same rule, or refused where it is of another kind.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np

from ..files.paths import DataError
from .grays import ChannelGrays, PictureGrays

LIKE = 1.1  # how far the ratio of the sides of an image may be from the nearest that was seen
FAR = 2  # how much larger or smaller than all that was seen an image may be


@dataclass(frozen=True)
class Origin:
    """What the images of a source were like.

    grays : PictureGrays or ChannelGrays
        How stored values became 0 to 1.
    size : int or None
        Height and width to which the slices were resized.
    shapes : tuple of (int, int)
        Height and width of the slices as stored, each once.
    """

    grays: PictureGrays | ChannelGrays
    size: int | None
    shapes: tuple

    def scale(self, reading, path, channels=1):
        """The slices of a later image as ``(D, H, W, C)`` in [0, 1], not resized.

        ``reading`` is that of :func:`unet_helpers.files.read_file` or of :func:`unet_helpers.files.read_series`; what
        does not fit raises :class:`unet_helpers.DataError`.
        """
        array = reading.array if reading.array.ndim == 4 else reading.array[np.newaxis]
        if channels == 1 and array.shape[-1] in (3, 4) and (array[..., :3] == array[..., :1]).all():
            array = array[..., :1]  # gray saved as color
        if array.shape[-1] != channels:
            raise DataError(
                f"'{path.name}' has {array.shape[-1]} channels, but the network takes {channels}; convert it"
            )
        self._check_shape(array.shape[1:3], path)
        return self.grays.scale(replace(reading, array=array), path)

    def _check_shape(self, shape, path):
        here, there = "×".join(map(str, shape)), ", ".join("×".join(map(str, seen)) for seen in self.shapes[:5])
        if self.size is None and shape not in self.shapes:
            raise DataError(
                f"'{path.name}' is {here}, but the network has seen slices of {there} only; a run with a size, such as "
                "size = 128 in series.toml, takes others, too"
            )
        ratio, side = shape[0] / shape[1], max(shape)
        ratios, sides = [height / width for height, width in self.shapes], [max(seen) for seen in self.shapes]
        if not any(ratio / LIKE <= seen <= ratio * LIKE for seen in ratios):
            raise DataError(f"'{path.name}' is {here}, of other proportions than were seen, {there}; cut or pad it")
        if not min(sides) / FAR <= side <= max(sides) * FAR:
            raise DataError(f"'{path.name}' is {here}, far from the sizes that were seen, {there}; resample it")

    def to_dict(self):
        """For JSON."""
        kind = "pictures" if isinstance(self.grays, PictureGrays) else "volumes"
        return {"kind": kind, "grays": asdict(self.grays), "size": self.size, "shapes": [list(s) for s in self.shapes]}

    @classmethod
    def from_dict(cls, content):
        """The way back of :meth:`to_dict`."""
        grays = dict(content["grays"])
        if content["kind"] == "pictures":
            ranges = {kind: tuple(values) for kind, values in grays["ranges"].items()}
            rule = PictureGrays(ranges, grays["words"])
        else:
            rule = ChannelGrays(tuple(grays["channels"]), tuple(grays["window"]), grays["words"])
        return cls(rule, content["size"], tuple(tuple(shape) for shape in content["shapes"]))
