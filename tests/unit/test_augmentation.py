"""How training images are varied."""

import numpy as np
import pytest
import torch

from antrax.training.augmentation import Augmentation, Negatives, add_brood, augment, make_negatives, margins_of

STILL = Augmentation(0, 0, 0, 0, 0)
SIZE = 32


@pytest.fixture(params=["white", "black"])
def background(request) -> str:
    return request.param


def batch(background: str, count: int = 40) -> torch.Tensor:
    """Upright animals with a red tag above and a blue one below, as uint8 (N, 3, S, S)."""
    images = np.full((count, 3, SIZE, SIZE), 255 if background == "white" else 0, np.uint8)
    images[:, :, 6:26, 13:19] = np.array([90, 70, 60], np.uint8)[None, :, None, None]
    images[:, :, 8:12, 14:18] = np.array([230, 40, 40], np.uint8)[None, :, None, None]
    images[:, :, 20:24, 14:18] = np.array([40, 60, 230], np.uint8)[None, :, None, None]
    return torch.from_numpy(images)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def varied(background: str, options: Augmentation, seed: int = 0) -> torch.Tensor:
    images = batch(background)
    return augment(images.float() / 255, margins_of(images, background), options, background, generator(seed))


def redness_above(images: torch.Tensor) -> torch.Tensor:
    """How much redder than blue the upper half is, compared with the lower."""
    difference = images[:, 0] - images[:, 2]
    return difference[:, : SIZE // 2].mean((1, 2)) - difference[:, SIZE // 2 :].mean((1, 2))


def test_about_half_are_turned_head_for_tail(background):
    upright = (redness_above(varied(background, STILL)) > 0).float().mean()
    assert 0.25 < upright < 0.75


def test_the_background_stays_what_it_is(background):
    ground = 1.0 if background == "white" else 0.0
    images = varied(background, Augmentation())
    for corner in (images[:, :, 0, 0], images[:, :, -1, -1]):
        assert torch.all(corner == ground)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1


def test_the_same_seed_varies_alike_and_another_otherwise(background):
    assert torch.equal(varied(background, Augmentation(), 1), varied(background, Augmentation(), 1))
    assert not torch.equal(varied(background, Augmentation(), 1), varied(background, Augmentation(), 2))


@pytest.mark.parametrize("hsymmetry", [False, True])
def test_one_compiled_pass_gives_what_the_passes_one_after_the_other_give(background, hsymmetry, monkeypatch):
    random = torch.randint(0, 256, (60, 3, SIZE, SIZE), generator=generator(3), dtype=torch.uint8)
    images = batch(background, 60)
    images[20:40, :, 5:30, 2:25] = random[20:40, :, 5:30, 2:25]
    images[40:59] = random[40:59]  # up to the edge
    images[59] = 255 if background == "white" else 0  # nothing at all
    options = Augmentation(hsymmetry=hsymmetry)

    def vary() -> torch.Tensor:
        return augment(images.float() / 255, margins_of(images, background), options, background, generator(5))

    compiled = vary()
    monkeypatch.setattr("antrax.training.augmentation.is_compiled", lambda: False)
    by_passes = vary()
    assert not torch.equal(compiled, images.float() / 255)
    assert compiled.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(compiled, by_passes, rtol=0, atol=1e-4)


def centres(images: torch.Tensor, background: str) -> torch.Tensor:
    weight = (images != (1.0 if background == "white" else 0.0)).any(1).float()
    rows = (weight.sum(2) * torch.arange(SIZE)).sum(1) / weight.sum((1, 2))
    columns = (weight.sum(1) * torch.arange(SIZE)).sum(1) / weight.sum((1, 2))
    return torch.stack([columns, rows], 1) - (SIZE - 1) / 2


def test_shifts_go_as_far_as_they_are_told(background):
    sideways = centres(varied(background, Augmentation(5, 0, 0, 0, 0)), background).abs()
    assert 3.5 < float(sideways[:, 0].max()) < 5.5
    assert float(sideways[:, 1].max()) < 0.7


def test_a_shift_below_one_is_a_fraction_of_the_image(background):
    assert torch.equal(
        varied(background, Augmentation(0.125, 0, 0, 0, 0)), varied(background, Augmentation(0.125 * SIZE, 0, 0, 0, 0))
    )


def test_no_animal_is_shifted_out_of_its_image(background):
    before, after = varied(background, STILL), varied(background, Augmentation(1000, 1000, 0, 0, 0))
    area = [
        (images != (1.0 if background == "white" else 0.0)).any(1).sum((1, 2)).float() for images in (before, after)
    ]
    assert float((area[1] / area[0]).min()) > 0.85


@pytest.mark.parametrize("hsymmetry", [False, True])
def test_mirroring_happens_only_with_hsymmetry(background, hsymmetry):
    images = batch(background)
    images[:, :, 14:18, 19:24] = 120  # something on the animal's right side
    turned = augment(
        images.float() / 255,
        margins_of(images, background),
        Augmentation(0, 0, 0, 0, 0, hsymmetry),
        background,
        generator(),
    )
    upright = turned[redness_above(turned) > 0]
    occupied = (upright != (1.0 if background == "white" else 0.0)).any(1)
    on_the_right = occupied[:, 15, 20:24].all(1)
    assert bool(on_the_right.all()) is not hsymmetry


def negatives(background: str, share: float, count: int = 400) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    images = batch(background, count).float() / 255
    labels = torch.tensor([0, 1] * (count // 2))  # an ant, a non-ant
    ants = torch.tensor([True, False, False, False])
    made, targets = make_negatives(
        images.clone(), labels.clone(), Negatives(ants, 2, 3, share), background, generator()
    )
    return images, made, targets


def test_made_negatives_get_their_labels_and_only_ants_are_made_into_them(background):
    images, made, targets = negatives(background, 0.5)
    assert torch.all(targets[1::2] == 1)
    assert torch.equal(made[1::2], images[1::2])
    share = (targets[::2] != 0).float().mean()
    assert 0.2 < share < 0.6
    assert {2, 3} <= set(targets.tolist())
    assert torch.equal(made[targets == 0], images[targets == 0])


def test_an_animal_whose_tag_is_hidden_keeps_the_other(background):
    _, made, targets = negatives(background, 1.0)
    hidden = made[targets == 2]
    red = (hidden[:, 0] - hidden[:, 2]).amax((1, 2)) > 0.5
    blue = (hidden[:, 2] - hidden[:, 0]).amax((1, 2)) > 0.5
    assert torch.all(red ^ blue)
    assert bool(red.any()) and bool(blue.any())


def test_two_animals_in_one_blob_cover_more_than_one(background):
    images, made, targets = negatives(background, 1.0)
    ground = 1.0 if background == "white" else 0.0
    area = (made != ground).any(1).sum((1, 2))
    assert torch.all(area[targets == 3] >= (images[0] != ground).any(0).sum())
    assert area[targets == 3].float().mean() > 1.3 * (images[0] != ground).any(0).sum()


def test_nothing_is_made_without_a_share(background):
    images, made, _ = negatives(background, 0.0)
    assert torch.equal(images, made)


def test_brood_lies_beside_or_under_the_animal(background):
    images = batch(background).float() / 255
    ground = 1.0 if background == "white" else 0.0
    with_brood = add_brood(images.clone(), 1.0, background, generator())
    animal = (images != ground).any(1, keepdim=True).expand_as(images)
    assert torch.equal(with_brood[animal], images[animal])
    assert float((with_brood != images).any(1).float().mean()) > 0.02
