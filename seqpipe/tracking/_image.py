"""Images of a run: files of figures, and series that MLflow's interface shows by step."""

from __future__ import annotations

import io
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike
    from PIL.Image import Image

__all__ = ["IMAGE_TAGS", "drawn", "image_files"]

#: The tag that makes the interface look for images.
IMAGE_TAGS = {"mlflow.loggedImages": "True"}
_KEY = re.compile(r"[\w\-. /]+", re.ASCII)
#: Greatest width and height of the small copy that the interface shows in charts.
_SMALL = 256


def drawn(figure: Figure, name: str) -> bytes:
    """Return a figure as the content of a file, in the format given by the suffix of its name."""
    picture = io.BytesIO()
    figure.savefig(picture, format=PurePosixPath(name).suffix[1:] or "png")
    return picture.getvalue()


def image_files(image: Figure | Image | ArrayLike, key: str, step: int, time: int) -> dict[str, bytes]:
    """Return the files of an image under the names by which MLflow's interface finds key, step and time.

    Parameters
    ----------
    image : Figure, PIL image, or array of shape (height, width) or (height, width, channels)
        An array has integers from 0 to 255, or other numbers from 0 to 1; 1, 3 or 4 channels.
    key : str
        Name of the series of images.
    step : int
        Step, such as the epoch.
    time : int
        Milliseconds since 1970.

    Raises
    ------
    ValueError
        If key or array are not of this form.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"The key of an image has letters, digits, spaces and any of '_-./', but this one is {key!r}.")
    picture = _opened(image)
    small = picture.copy()
    small.thumbnail((_SMALL, _SMALL))
    name = f"images/{key.replace('/', '~')}+step+{step}+timestamp+{time}+{uuid4()}"
    return {f"{name}.png": _encoded(picture, "png"), f"{name}+compressed.webp": _encoded(small, "webp")}


def _opened(image: Any) -> Image:
    import PIL.Image

    if hasattr(image, "savefig"):
        return PIL.Image.open(io.BytesIO(drawn(image, "image.png"))).convert("RGB")
    return image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(_pixels(np.asarray(image)))


def _pixels(values: Any) -> Any:
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))) or values.dtype.kind not in "biuf":
        raise ValueError(
            "An image is an array of numbers of shape (height, width) or (height, width, channels) with 1, 3 or 4 channels, "
            f"but this one has shape {values.shape} and dtype {values.dtype}."
        )
    largest = 255 if values.dtype.kind in "iu" else 1
    if values.size == 0 or not (values.min() >= 0 and values.max() <= largest):
        raise ValueError(
            f"The pixels of an image of dtype {values.dtype} are from 0 to {largest}, at least one of them: scale them first."
        )
    return (values if largest == 255 else np.round(255 * values.astype(float))).astype(np.uint8)


def _encoded(picture: Image, format: str) -> bytes:
    content = io.BytesIO()
    picture.save(content, format=format)
    return content.getvalue()
