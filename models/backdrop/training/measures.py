"""What no classifier sees: stripes and bands in a clear sky, and how round a disc is. Pictures are uint8, H x W x 3."""

import numpy as np
from draw import LUMA
from scipy import ndimage

SKY = 0.35  # of the height from the top: over the sea and dunes nothing reaches into it

# Skies with nothing in them.
SKIES = [f"{subject} {time}, clear sky" for subject in ("the sea", "dunes") for time in ("at noon", "at dawn", "at dusk")]
SKIES += ["the sea at night, clear sky, no stars, no moon", "dunes at noon, blue, clear sky"]

# Discs before a clear sky, where nothing stands before them.
DISCS = [f"{subject} at night, full moon {where}, clear" for subject in ("the sea", "dunes", "a city", "a forest", "mountains") for where in ("on the left", "in the centre", "on the right")]
DISCS += [f"{subject} at dusk, the sun {where}, clear" for subject in ("the sea", "dunes", "a city", "a forest", "mountains") for where in ("on the left", "in the centre")]


def sky_luma(picture):
    return picture[: int(picture.shape[0] * SKY)].astype(np.float32) @ LUMA


def stripes(picture):
    """Mean difference of neighbouring columns of the sky's mean row, of 255."""
    return float(np.abs(np.diff(sky_luma(picture).mean(0))).mean())


def bands(picture):
    """How a smooth fall of light from row to row is broken at the period of a token: the mean of
    |p(y - 8) - 2 p(y) + p(y + 8)| over the sky's mean column, of 255. The generator's own skies have 0.7."""
    column = sky_luma(picture).mean(1)
    return float(np.abs(column[:-16] - 2 * column[8:-8] + column[16:]).mean())


def roundness(picture, middle, unit):
    """The shorter to the longer axis of the bright disc around `middle`, or None where there is none.

    The disc is what is connected to its middle and brighter than two thirds of the way from the sky around it to its
    inside; axes are those of the ellipse with the same second moments. `unit`: a disc's usual radius in pixels.
    """
    luma = picture.astype(np.float32) @ LUMA
    y, x = np.mgrid[0 : luma.shape[0], 0 : luma.shape[1]]
    away = np.hypot(x - middle[0], y - middle[1]) / unit
    inside, outside = np.median(luma[away < 0.6]), np.median(luma[(away > 1.7) & (away < 2.2) & (y < middle[1])])
    if inside - outside < 20:
        return None
    marked, _ = ndimage.label((luma > outside + 0.67 * (inside - outside)) & (away < 2))
    centre = marked[away < 0.6]
    if not centre.any():
        return None
    disc = ndimage.binary_fill_holes(marked == np.bincount(centre[centre > 0]).argmax())
    ys, xs = np.nonzero(disc)
    if len(ys) < 40:
        return None
    axes = np.linalg.eigvalsh(np.cov(np.stack([ys, xs])) + np.eye(2) / 12)
    return float(np.sqrt(axes[0] / axes[1]))

