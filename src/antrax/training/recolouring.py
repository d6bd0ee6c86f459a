"""Other colours for the tags of training images, so that a network learns colours and not the pairs that it is shown.

With few IDs, the colour at one place tells much of that at the other (of all that carry green in front, half may carry
blue behind), and a network learns these pairs: of eight IDs left out of sixteen of the JS16 set, 3 % of the tracklets
were right. With the tags of half of the training images in other colours, 78 % are (benchmarks/colour_heads.py).

No tag need be found for that, nor its place be known: one colour becomes another wherever it is, so that any code can
be made of any other. Which pixels are of which colour follows from the codes, for a colour is what images with it in
their code have in common. A mixture of normal distributions in (r, g, b) is fitted to the pixels of the animals, one
for each colour and a few for the bodies; the pixels of an image belong to a body or to a colour of its code.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from antrax.images import Background
from antrax.networks.heads import ColorHeads
from antrax.tag_codes import are_told_apart

# Share of a batch whose tags get other colours.
SHARE = 0.5
_BODIES = 6
_ROUNDS = 30
# Images and pixels of each that the colours are learned from; fewer pixels are no animal.
_IMAGES, _PIXELS, _LEAST_PIXELS = 1500, 80, 20
# Groups of pixels to begin with; spread of a colour and share of the tags to begin with, of 1; limits of these.
_GROUPS, _FIRST_SPREAD, _LEAST_SPREAD = 32, 0.08, 0.02
_FIRST_SHARE, _SHARES = 0.2, (0.05, 0.5)
# A pixel that is less than so much a tag's keeps its colour.
_LEAST_PART = 0.03


@dataclass(frozen=True)
class Palette:
    """Colours of tags and bodies, as normal distributions in (r, g, b) of 0 to 1.

    Parameters
    ----------
    colours : tuple of str
    means : NDArray[np.float64]
        Of the colours, then of the bodies; shape (colours + bodies, 3).
    covariances : NDArray[np.float64]
        Shape (colours + bodies, 3, 3).
    shares : NDArray[np.float64]
        Of the pixels; shape (colours + bodies,).
    """

    colours: tuple[str, ...]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    shares: NDArray[np.float64]


def fit_palette(
    images: NDArray[np.uint8],
    codes: Sequence[tuple[str, ...] | None],
    background: Background,
    seed: int,
    rows: NDArray[np.int64] | None = None,
) -> Palette | None:
    """Learn the colours of tags from images of animals with known codes.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3).
    codes : sequence of (tuple of str or None)
        Of each image.
    background : {"white", "black"}
    seed : int
    rows : NDArray[np.int64], optional
        Which of the images these are, in the order of the codes; all without.

    Returns
    -------
    Palette or None
        None where no image shows enough of an animal, or the codes leave open which colour is which.
    """
    rng = np.random.default_rng(seed)
    coded = np.array([place for place, code in enumerate(codes) if code], np.int64)
    chosen = np.sort(rng.permutation(coded)[:_IMAGES])
    colors = tuple(sorted({color for place in chosen for color in codes[place] or ()}))
    samples, shown = [], []
    for place in chosen:
        image = images[place if rows is None else rows[place]].reshape(-1, 3)
        animal = image[(image != (255 if background == "white" else 0)).any(1)] / 255
        if len(animal) >= _LEAST_PIXELS:
            samples.append(animal[rng.integers(0, len(animal), _PIXELS)])
            code = codes[place] or ()
            shown.append([code.count(color) / len(code) for color in colors])
    if not samples or not are_told_apart({code for place in chosen if (code := codes[place])}):
        return None
    return _fit_mixture(np.stack(samples), np.array(shown), colors, rng)


def _first_means(
    samples: NDArray[np.float64], shown: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means to begin with, of the colours and of the bodies.

    Pixels are divided into groups of about the same colour. Of which groups an image has more, the more its code has of
    a colour, belong to that; groups that all images have alike belong to bodies.
    """
    x = samples.reshape(-1, 3)
    centres = x[rng.choice(len(x), min(_GROUPS, len(x)), replace=False)]
    for _ in range(_ROUNDS // 2):
        group = ((centres**2).sum(1) - 2 * x @ centres.T).argmin(1)
        counts = np.bincount(group, minlength=len(centres))
        sums = np.stack([np.bincount(group, x[:, channel], len(centres)) for channel in range(3)], 1)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
    amounts = np.zeros((len(samples), len(centres)))
    np.add.at(amounts, (np.repeat(np.arange(len(samples)), samples.shape[1]), group), 1 / samples.shape[1])
    # what a code has of each colour adds up to one, so the amounts for each colour are told but for what all share
    ridge = 1e-3 * len(shown) * np.eye(shown.shape[1])
    by_color = np.linalg.solve(shown.T @ shown + ridge, shown.T @ amounts)  # (colours, groups)
    common = np.sort(by_color, 0)[: max(1, len(by_color) // 2)].mean(0)
    special = np.maximum(by_color - by_color.mean(0), 0) + 1e-9
    means = special @ centres / special.sum(1, keepdims=True)
    # bodies: pixels of the groups that do not depend on the code, from dark to bright
    is_body = common >= 0.5 * by_color.max(0)
    light = np.sort(np.flatnonzero(is_body[group]))
    if not len(light):
        light = np.arange(len(x))
    ordered = x[light][np.argsort(x[light].mean(1))]
    bodies = np.stack([part.mean(0) for part in np.array_split(ordered, _BODIES) if len(part)])
    return means, bodies


def _fit_mixture(
    samples: NDArray[np.float64], shown: NDArray[np.float64], colors: tuple[str, ...], rng: np.random.Generator
) -> Palette:
    """Expectation maximisation, where each pixel belongs to a body or to a colour that its image may show.

    Tags of all colours have the same share of the pixels, so that no body takes a colour for its own.
    """
    means, bodies = _first_means(samples, shown, rng)
    x, may = samples.reshape(-1, 3), np.repeat(shown, samples.shape[1], 0)
    count = len(colors)
    means = np.concatenate([means, bodies])
    covariances = np.repeat(np.eye(3)[None] * _FIRST_SPREAD**2, len(means), 0)
    tags, of_bodies = _FIRST_SHARE, np.full(len(bodies), 1 / len(bodies))
    with np.errstate(divide="ignore"):
        prior = np.concatenate([np.log(may), np.zeros((len(x), len(bodies)))], 1)
    terms = _terms(x)
    for _ in range(_ROUNDS):
        shares = np.r_[np.full(count, tags), (1 - tags) * of_bodies]
        logs = terms @ _coefficients(means, covariances, shares) + prior
        parts = np.exp(logs - logs.max(1, keepdims=True))
        parts /= parts.sum(1, keepdims=True)
        moments = parts.T @ terms + 1e-9  # (distributions, 10)
        weights = moments[:, 9]
        means = moments[:, 6:9] / weights[:, None]
        second = moments[:, _PAIR] / weights[:, None, None]
        covariances = second - means[:, :, None] * means[:, None] + _LEAST_SPREAD**2 * np.eye(3)
        tags = float(np.clip(weights[:count].sum() / len(x), *_SHARES))
        of_bodies = weights[count:] / weights[count:].sum()
    return Palette(colors, means, covariances, np.r_[np.full(count, tags), (1 - tags) * of_bodies])


# The density's logarithm is linear in these: rr gg bb rg rb gb r g b 1. Which of the first six is which product:
_PAIR = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])


def _terms(x: NDArray[np.float64]) -> NDArray[np.float64]:
    r, g, b = x.T
    return np.stack([r * r, g * g, b * b, r * g, r * b, g * b, r, g, b, np.ones_like(r)], 1)


def _coefficients(
    means: NDArray[np.float64], covariances: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By which `_terms` give the logarithm of share times density, but for a constant; shape (10, distributions)."""
    columns = []
    for mean, covariance, share in zip(means, covariances, shares, strict=True):
        precision = np.linalg.inv(covariance)
        linear = precision @ mean
        constant = np.log(share) - 0.5 * (np.linalg.slogdet(covariance)[1] + mean @ linear)
        squares = -0.5 * np.diag(precision)
        columns.append([*squares, -precision[0, 1], -precision[0, 2], -precision[1, 2], *linear, constant])
    return np.array(columns).T


class Recolouring:
    """Exchanges the colours of tags in batches."""

    def __init__(self, palette: Palette, background: Background) -> None:
        self.colours = palette.colours
        self._ground = 1.0 if background == "white" else 0.0
        count = len(palette.colours)
        coefficients = _coefficients(palette.means, palette.covariances, palette.shares)
        self._coefficients = torch.tensor(coefficients, dtype=torch.float32)
        roots = [_root(covariance) for covariance in palette.covariances[:count]]
        # what takes a pixel (r, g, b, 1) of one colour to another
        moves = np.zeros((count, count, 3, 4))
        for old in range(count):
            for new in range(count):
                turn = roots[new] @ np.linalg.inv(roots[old])
                moves[old, new] = np.c_[turn, palette.means[new] - turn @ palette.means[old]]
        self._moves = torch.tensor(moves, dtype=torch.float32)

    def on(self, device: str) -> Recolouring:
        """The same on a device, where the images are."""
        moved = copy.copy(self)
        moved._coefficients, moved._moves = self._coefficients.to(device), self._moves.to(device)
        return moved

    def __call__(self, images: Tensor, old: Tensor, new: Tensor) -> Tensor:
        """Exchange colours.

        Parameters
        ----------
        images : Tensor
            Float 0-1, shape (N, 3, S, S).
        old : Tensor
            Which colours an image may show, bool, shape (N, colours).
        new : Tensor
            By which colour each is replaced, int64, shape (N, colours).

        Returns
        -------
        Tensor
            Same shape.
        """
        count = len(self.colours)
        layout = images.permute(0, 2, 3, 1)
        animal = (layout != self._ground).any(3)
        owner = animal.nonzero()[:, 0]
        pixels = layout[animal]
        r, g, b = pixels.unbind(1)
        one = torch.ones_like(r)
        logs = torch.stack([r * r, g * g, b * b, r * g, r * b, g * b, r, g, b, one], 1) @ self._coefficients
        logs[:, :count].masked_fill_(~old[owner], -torch.inf)
        parts = logs.softmax(1)[:, :count]
        tags = (parts.sum(1) > _LEAST_PART).nonzero()[:, 0]
        parts, some = parts[tags], pixels[tags]
        moves = self._moves[torch.arange(count, device=new.device), new]  # (N, colours, 3, 4)
        affine = (parts[:, :, None, None] * moves[owner[tags]]).sum(1)  # (pixels, 3, 4)
        moved = (affine[:, :, :3] * some[:, None]).sum(2) + affine[:, :, 3]
        # neither white nor black, which are ground
        pixels[tags] = (moved + (1 - parts.sum(1, keepdim=True)) * some).clamp(0.004, 0.996)
        result = layout.clone()
        result[animal] = pixels
        return result.permute(0, 3, 1, 2).contiguous()


class RecolouredCodes:
    """Gives the tags of a share of a batch's images other colours, and says what codes they are then.

    Parameters
    ----------
    recolouring : Recolouring
    codes : NDArray[np.int64]
        Colour at each place of each label, by its place among those of the palette; -1 for labels that are no codes and
        for colours that are unknown; shape (labels, places).
    units : NDArray[np.int64]
        Unit of each colour at each place, -1 where there is none; shape (places, colours).
    share : float
        Of the images.
    """

    def __init__(
        self, recolouring: Recolouring, codes: NDArray[np.int64], units: NDArray[np.int64], share: float = SHARE
    ) -> None:
        self._recolouring, self._share = recolouring, share
        self._codes, self._units = torch.from_numpy(codes), torch.from_numpy(units)

    def on(self, device: str) -> RecolouredCodes:
        """The same on a device, where the images are."""
        moved = copy.copy(self)
        moved._recolouring = self._recolouring.on(device)
        moved._codes, moved._units = self._codes.to(device), self._units.to(device)
        return moved

    def __call__(
        self, images: Tensor, labels: Tensor, units: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Recolour a batch.

        Parameters
        ----------
        images : Tensor
            Float 0-1, shape (N, 3, S, S); changed in place.
        labels : Tensor
            int64, shape (N,).
        units : Tensor
            Which units the labels add up, shape (N, units).
        generator : torch.Generator
            Source of random numbers.

        Returns
        -------
        (Tensor, Tensor)
            Images, and the units that the codes which they show now add up.
        """
        count = len(self._recolouring.colours)
        codes = self._codes[labels]
        is_code = (codes >= 0).all(1)
        device = images.device
        chosen = torch.rand(len(images), generator=generator, device=device) < self._share
        # one colour becomes one other, wherever it is; which, is independent of what the others become
        new = torch.randint(count, (len(images), count), generator=generator, device=device)
        then = new.gather(1, codes.clamp_min(0))
        shown = self._units[torch.arange(codes.shape[1], device=device), then]
        chosen &= ~is_code | (shown >= 0).all(1)
        old = torch.zeros(len(images), count, dtype=torch.bool, device=device).scatter_(1, codes.clamp_min(0), True)
        old[~is_code] = True  # which colours they show is not known
        places = chosen.nonzero().flatten()
        images[places] = self._recolouring(images[places], old[places], new[places])
        turned = (chosen & is_code).nonzero().flatten()
        units = units.clone()
        units[turned] = torch.zeros(len(turned), units.shape[1], device=device).scatter_(1, shown[turned], 1.0)
        return images, units


def recoloured_codes(
    images: NDArray[np.uint8],
    targets: NDArray[np.int64],
    labels: Sequence[str],
    heads: ColorHeads,
    background: Background,
    seed: int,
    rows: NDArray[np.int64] | None = None,
) -> RecolouredCodes | None:
    """How the tags of a training set get other colours; None where `fit_palette` cannot learn them.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3).
    targets : NDArray[np.int64]
        Label of each image, shape (N,).
    labels : sequence of str
    heads : ColorHeads
        Their codes, and the units of the network.
    background : {"white", "black"}
    seed : int
    rows : NDArray[np.int64], optional
        Which of the images these are, in the order of the targets; all without.
    """
    codes = [heads.codes.get(label) for label in labels]
    palette = fit_palette(images, [codes[target] for target in targets.tolist()], background, seed, rows)
    if palette is None:
        return None
    number = {color: place for place, color in enumerate(palette.colours)}
    of_label = np.full((len(labels), len(heads.places)), -1, np.int64)
    for row, code in zip(of_label, codes, strict=True):
        if code and all(color in number for color in code):
            row[:] = [number[color] for color in code]
    units = np.full((len(heads.places), len(number)), -1, np.int64)
    for row, span, colors in zip(units, heads.spans, heads.places, strict=True):
        for unit, color in enumerate(colors, span.start):
            if color in number:
                row[number[color]] = unit
    return RecolouredCodes(Recolouring(palette, background), of_label, units)


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(values) @ vectors.T)
