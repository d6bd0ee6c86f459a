"""Augmentation of training images, on whole batches, on the device that holds them.

A seed gives the same images on every processor, and others on a GPU. The generator is to be on the images' device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from antrax.errors import OptionError
from antrax.images import Background
from antrax.messages import parameter
from antrax.training.moving import is_compiled, vary

# Drift of a camera's exposure and white balance; hue tells the IDs apart and is not changed.
_BRIGHTNESS, _CHANNEL = 0.15, 0.05
_STRETCH = 0.03
_BLURRED = 0.25


@dataclass(frozen=True)
class Augmentation:
    """Options of augmentation. Names and meanings are those of Keras's image generator, which anTraX used.

    Parameters
    ----------
    width_shift_range, height_shift_range : float
        Largest shift, in pixels; below 1, as a fraction of the image. An animal is not shifted out of its image.
    shear_range, rotation_range : float
        Largest angle, in degrees.
    zoom_range : float
        Largest relative change of size.
    hsymmetry : bool
        Whether animals look the same mirrored left to right. The half turn (head for tail) is always used.
    """

    width_shift_range: float = 10
    height_shift_range: float = 10
    shear_range: float = 5
    rotation_range: float = 15
    zoom_range: float = 0.1
    hsymmetry: bool = False


_LIMITS = {
    "width_shift_range": 1000.0,
    "height_shift_range": 1000.0,
    "shear_range": 60.0,
    "rotation_range": 180.0,
    "zoom_range": 0.9,
}


def parse_augmentation(text: str | None, *, hsymmetry: bool = False) -> Augmentation:
    """Read `k=v,…` as given to `--aug-options`.

    Raises
    ------
    OptionError
        An unknown name, or a value that is no number or out of range.
    """
    values: dict[str, float] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in _LIMITS:
            raise OptionError(f"{parameter('aug_options')}: there is no {name!r}; there are {', '.join(_LIMITS)}")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not equals or not 0 <= number <= _LIMITS[name]:
            raise OptionError(
                f"{parameter('aug_options')}: {name} takes a number from 0 to {_LIMITS[name]:g}, not {value!r}"
            )
        values[name] = number
    return Augmentation(**values, hsymmetry=hsymmetry)


def describe(options: Augmentation) -> dict[str, float | bool]:
    """The options by name, for the record of a run."""
    return {field.name: getattr(options, field.name) for field in fields(options)}


def augment(
    images: Tensor, margins: Tensor, options: Augmentation, background: Background, generator: torch.Generator
) -> Tensor:
    """Augment a batch: rotate, shift, shear, resize and change the light at random.

    Parameters
    ----------
    images : Tensor
        Float 0–1, shape (N, 3, S, S).
    margins : Tensor
        How far each animal can be shifted sideways and up or down, see `margins_of`; shape (N, 2).
    options : Augmentation
    background : {"white", "black"}
        Fills what is uncovered; stays as it is when the light varies.
    generator : torch.Generator

    Returns
    -------
    Tensor
        Same shape and range, contiguous in the channels-last layout.
    """
    (count, _, size, _), device = images.shape, images.device
    ground = 1.0 if background == "white" else 0.0

    def uniform(limit: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=generator, device=device) * 2 - 1) * limit

    def either() -> Tensor:
        return torch.randint(0, 2, (count,), generator=generator, device=device) * 2 - 1

    angle = uniform(math.radians(options.rotation_range)) + math.pi / 2 * (1 - either())
    shear = uniform(math.radians(options.shear_range))
    zoom = 1 + uniform(options.zoom_range)
    stretch = 1 + uniform(_STRETCH)
    mirror = either() if options.hsymmetry else torch.ones(count, device=device)
    shifts = [
        # affine_grid's unit is half an image
        uniform(1) * 2 * margin.clamp_max(limit if limit < 1 else limit / size)
        for limit, margin in zip(
            (options.width_shift_range, options.height_shift_range), margins.unbind(1), strict=True
        )
    ]
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([zoom * cos * mirror, -zoom * torch.sin(angle + shear), shifts[0]], 1),
        torch.stack([zoom * stretch * sin * mirror, zoom * stretch * torch.cos(angle + shear), shifts[1]], 1),
    ]
    # some animals move or lie out of focus; how much of the blur is mixed in differs
    softness = torch.rand(count, generator=generator, device=device)
    softness = torch.where(torch.rand(count, generator=generator, device=device) < _BLURRED, softness, 0.0)
    light = (1 + uniform(_BRIGHTNESS, 1)) * (1 + uniform(_CHANNEL, 3))
    variation = _Variation(torch.stack(rows, 1), softness, light)
    if device.type == "cpu" and is_compiled():
        values = vary(images.contiguous().numpy(), variation.matrices.numpy(), softness.numpy(), light.numpy(), ground)
        return torch.from_numpy(values).permute(0, 3, 1, 2)
    return _changed(images, variation, ground)


@dataclass(frozen=True)
class _Variation:
    """What is drawn for each image of a batch: as `antrax.training.moving.vary` takes it."""

    matrices: Tensor
    softness: Tensor
    light: Tensor


def _changed(images: Tensor, variation: _Variation, ground: float) -> Tensor:
    """As `antrax.training.moving.vary`, for graphics cards and where nothing can be compiled."""
    grid = functional.affine_grid(variation.matrices, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images - ground, grid, align_corners=False)
    blurred = variation.softness.nonzero().flatten()
    moved[blurred] = _blur(moved[blurred], variation.softness[blurred])
    relit = ((moved + ground) * variation.light[:, :, None, None]).clamp(0, 1)
    # all differences from the ground have one sign, so only the ground's sum is zero
    varied = torch.where(moved.sum(1, keepdim=True) != 0, relit, ground)
    return varied.contiguous(memory_format=torch.channels_last)


def _blur(images: Tensor, softness: Tensor) -> Tensor:
    """Mix each image with its blurred self; `softness` (N,) from 0, as it is, to 1."""
    soft = images
    for axis in (2, 3):
        length = images.shape[axis]
        padded = functional.pad(soft, (0, 0, 1, 1) if axis == 2 else (1, 1))
        before, here, after = (padded.narrow(axis, start, length) for start in range(3))
        soft = (before + here + after) / 3
    return torch.lerp(images, soft, softness[:, None, None, None])


def margins_of(images: Tensor, background: Background) -> Tensor:
    """Share of the image that is free on the narrower side, beside and above or below each animal.

    Parameters
    ----------
    images : Tensor
        uint8, shape (N, 3, S, S).
    background : {"white", "black"}

    Returns
    -------
    Tensor
        Float, shape (N, 2).
    """
    animal = (images != (255 if background == "white" else 0)).any(1)
    sides = []
    for occupied in (animal.any(1), animal.any(2)):
        first, last = occupied.int().argmax(1), occupied.flip(1).int().argmax(1)
        sides.append(torch.minimum(first, last) / animal.shape[-1])
    return torch.stack(sides, 1)


@dataclass(frozen=True)
class Negatives:
    """Which ants of a batch `make_negatives` changes, and into what.

    Parameters
    ----------
    ants : Tensor
        Which labels are IDs, bool, shape (labels,).
    unknown, several : int
        Labels of the ants without a tag and of the pairs.
    share : float
        Share of the ants.
    """

    ants: Tensor
    unknown: int
    several: int
    share: float


def make_negatives(
    images: Tensor, labels: Tensor, negatives: Negatives, background: Background, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Change a share of a batch's ants into images that must not be given an ID.

    Half of them lose one tag, the other half get a second animal into their blob. People's `Unknown` examples show
    too few of the ways in which an animal can be unrecognisable; without these, blurred and touching animals get
    IDs.

    Parameters
    ----------
    images : Tensor
        Float 0–1, shape (N, 3, S, S); changed in place.
    labels : Tensor
        int64, shape (N,); changed in place.
    negatives : Negatives
        Which ants, and the labels that they get.
    background : Background
        Ground of the images: white or black.
    generator : torch.Generator
        Source of random numbers.
    """
    count, device = len(images), images.device

    def random(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    is_ant = negatives.ants[labels]
    chosen, hidden, upper = random() < negatives.share, random() < 0.5, random() < 0.5
    angle, offset = random() * 2 * math.pi, (random(2) * 2 - 1) * 0.45
    partner = torch.randperm(count, generator=generator, device=device)
    untagged = (chosen & hidden & is_ant).nonzero().flatten()
    others_too = is_ant[partner] & (partner != torch.arange(count, device=device))
    paired = (chosen & ~hidden & is_ant & others_too).nonzero().flatten()
    if len(paired):
        others = images[partner[paired]]
        images[paired] = _together(images[paired], others, angle[paired], offset[paired], background)
        labels[paired] = negatives.several
    if len(untagged):
        images[untagged] = _hide_tag(images[untagged], upper[untagged], background)
        labels[untagged] = negatives.unknown
    return images, labels


def add_brood(images: Tensor, share: float, background: Background, generator: torch.Generator) -> Tensor:
    """Draw a pale lump (brood) beside or under a share of the animals, whatever their label.

    Animals that carry brood are few in any training set and many in a colony; they keep their IDs.

    Parameters
    ----------
    images : Tensor
        Float 0–1, shape (N, 3, S, S).
    share : float
        Of the batch.
    background : Background
        Ground of the images: white or black.
    generator : torch.Generator
        Source of random numbers.

    Returns
    -------
    Tensor
        Same shape.
    """
    (count, _, size, _), device = images.shape, images.device
    chosen = (torch.rand(count, generator=generator, device=device) < share).nonzero().flatten()

    def uniform(low: float, high: float) -> Tensor:
        return (torch.rand(len(chosen), generator=generator, device=device) * (high - low) + low)[:, None, None]

    if not len(chosen):
        return images
    axis = (torch.arange(size, device=device) + 0.5) / size - 0.5
    rows, columns = axis[None, :, None] - uniform(-0.3, 0.3), axis[None, None, :] - uniform(-0.25, 0.25)
    turn = uniform(0, math.pi)
    along = rows * torch.cos(turn) + columns * torch.sin(turn)
    across = columns * torch.cos(turn) - rows * torch.sin(turn)
    long, short = uniform(0.1, 0.26), uniform(0.06, 0.16)
    bumps = 1 + 0.2 * torch.sin(3 * torch.atan2(across, along) + uniform(0, 6.28))
    lump = (along / long) ** 2 + (across / short) ** 2 < bumps
    bright, yellow = uniform(0.7, 0.97), uniform(0, 1)
    grain = 1 + 0.06 * torch.randn(len(chosen), size, size, generator=generator, device=device)
    color = torch.stack([bright * grain, bright * grain * (1 - 0.15 * yellow), bright * grain * (1 - 0.5 * yellow)], 1)
    animals = images[chosen]
    free = (animals >= 0.97).all(1) if background == "white" else (animals <= 0.03).all(1)
    images[chosen] = torch.where((lump & free)[:, None], color.clamp(0, 0.98), animals)
    return images


def _together(images: Tensor, others: Tensor, angle: Tensor, offset: Tensor, background: Background) -> Tensor:
    """Both animals in one blob, the second one turned by `angle` and shifted by `offset` half images."""
    ground = 1.0 if background == "white" else 0.0
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack([torch.stack([cos, -sin, offset[:, 0]], 1), torch.stack([sin, cos, offset[:, 1]], 1)], 1)
    grid = functional.affine_grid(matrix, list(others.shape), align_corners=False)
    moved = functional.grid_sample(others - ground, grid, align_corners=False) + ground
    return torch.minimum(images, moved) if background == "white" else torch.maximum(images, moved)


def _hide_tag(images: Tensor, upper: Tensor, background: Background) -> Tensor:
    """Paint the saturated pixels of the upper or lower half of each animal in the colour of its body."""
    brightest, darkest = images.amax(1), images.amin(1)
    saturation = brightest - darkest
    animal = darkest < 0.97 if background == "white" else brightest > 0.03
    occupied = animal.any(2)
    size = occupied.shape[1]
    first = occupied.int().argmax(1)
    last = size - 1 - occupied.flip(1).int().argmax(1)
    above = torch.arange(size, device=images.device)[None] < ((first + last) / 2)[:, None]
    half = animal & torch.where(upper[:, None], above, ~above)[:, :, None]

    def median(values: Tensor, mask: Tensor) -> Tensor:
        masked = torch.where(mask, values, torch.nan).flatten(1)
        return torch.nan_to_num(masked.nanmedian(1).values, nan=1.0)[:, None, None]

    tag = half & (saturation > median(saturation, half).clamp_min(0.18))
    contrast = (images.mean(1) - (1.0 if background == "white" else 0.0)).abs()
    rest = animal & ~half
    # legs are thin and pale, so the body is what stands out most and is not coloured
    body = rest & (saturation <= median(saturation, rest)) & (contrast >= median(contrast, rest))

    def mean(values: Tensor, mask: Tensor) -> Tensor:
        weight = mask[:, None].float()
        return (values * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_min(1)

    light = images.mean(1, keepdim=True)
    shade = (light / mean(light, tag).clamp_min(0.05)).clamp(0.6, 1.4)
    return torch.where(tag[:, None], (mean(images, body) * shade).clamp(0, 1), images)
