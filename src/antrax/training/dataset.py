"""Loading of training sets: reads the labelled examples, and leaves out unusable ones."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antrax.errors import TrainsetError
from antrax.images import Background, BadImageError, Preparation, detect_background, prepare, read_example
from antrax.io.examples import ClassDir, ExampleFile, ExamplesRead, copied_folders, pixel_digest, survey_examples
from antrax.io.session import Session
from antrax.labels import Category, guess_category, match_labels, spelling_notice
from antrax.networks.devices import processors
from antrax.training.image_store import empty_images, selected
from antrax.training.tracklets import Origin, find_units

# Largest number of images of a tracklet, evenly spread, since neighbouring images are nearly alike.
IMAGES_PER_TRACKLET = 400
# Images that a thread reads at a time: handing over one costs a quarter of reading it.
_AT_ONCE = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trainset:
    """Examples in memory, ready to train on.

    Parameters
    ----------
    images : NDArray[np.uint8]
        Shape (N, S, S, 3), as `antrax.images.prepare` gives them. In memory, the channels come first.
    label_index : NDArray[np.int64]
        Shape (N,), into `labels`.
    tracklet_index : NDArray[np.int64]
        Shape (N,), into `origins`.
    labels : tuple of str
        Labels that have examples, sorted.
    origins : tuple of Origin
        What is known of each tracklet.
    background : {"white", "black"}
    problems : tuple of str
        What was left out and why, a sentence each.
    digest : str
        Tells this set from any other: changes with any example used and with the size.
    files : int
        Number of example files found.
    capped : int
        How many of them were not read, because there are more than `IMAGES_PER_TRACKLET` of their tracklet.
    read : ExamplesRead or None
        The files as they were when they were read; None in sets that are made otherwise.
    """

    images: NDArray[np.uint8]
    label_index: NDArray[np.int64]
    tracklet_index: NDArray[np.int64]
    labels: tuple[str, ...]
    origins: tuple[Origin, ...]
    background: Background
    problems: tuple[str, ...] = ()
    digest: str = ""
    files: int = 0
    capped: int = 0
    read: ExamplesRead | None = None

    @property
    def tracklets(self) -> tuple[tuple[str, str], ...]:
        """Experiment and tracklet of each tracklet, as files' names tell them."""
        return tuple((origin.experiment, origin.tracklet) for origin in self.origins)


def load_trainset(
    classdir: ClassDir,
    preparation: Preparation | int | None = None,
    *,
    relabel: Mapping[str, str | None] | None = None,
    crop_size: int | None = None,
    background: Background | None = None,
    progress: Progress | None = None,
) -> Trainset:
    """Read a training set.

    Damaged files, exact duplicates and images that lie under two labels are left out and listed in `problems`, as are
    files that are no examples. The order of the images is the same whatever their files are called.

    Parameters
    ----------
    classdir : ClassDir
    preparation : Preparation or int, optional
        How an existing network wants its images; or their side length in pixels, that of the first image in sorted
        order by default. Its background is not looked at.
    relabel : mapping of str to (str or None), optional
        Labels to take for others, or with None to pass over.
    crop_size : int, optional
        Of a new network: larger images are cut to the centre of so many pixels.
    background : {"white", "black"}, optional
        Ground that the images are put on; that of most examples by default.
    progress : callable, optional
        Called with the number of files read and of all files.

    Returns
    -------
    Trainset

    Raises
    ------
    TrainsetError
        No usable example, or examples of one label only.
    LabelsError
        The session's labels.csv is missing or broken.
    """
    listing = survey_examples(classdir.examples_dir)
    as_read = ExamplesRead(classdir.examples_dir, (file.path for file in listing.files))
    problems = list(listing.passed_over)
    found = _relabelled(listing.files, relabel or {}, problems)
    if not found:
        why = f" ({'; '.join(problems)[:500]})" if problems else ""
        raise TrainsetError(
            f"{classdir.examples_dir} holds no examples; it needs one folder per label with PNG images in it{why}"
        )
    listed = frozenset(classdir.session.labels.all) if classdir.session else frozenset[str]()
    matched = match_labels({file.label for file in found}, listed)
    if notice := spelling_notice(matched):
        problems.append(notice)
    found = [replace(file, label=matched[file.label]) for file in found]
    files = _thin(found)
    if capped := len(found) - len(files):
        problems.append(
            f"{capped:,} of {len(found):,} images are not used: of each tracklet and label, "
            f"{IMAGES_PER_TRACKLET} that are spread evenly over it"
        )
    detected, first_size = _look_ahead(files)
    background = background or detected
    files.sort(key=lambda file: (*_by_place(file), file.path))
    if not isinstance(preparation, Preparation):
        first_size = min(first_size, crop_size or first_size)
        preparation = Preparation(preparation or first_size, background, crop_size=crop_size)
    preparation = replace(preparation, background=background)
    images = empty_images(len(files), preparation.size, classdir.path)
    outcomes: list[bytes | str] = []
    other_ground: list[Path] = []

    def read(index: int) -> bytes | str:
        as_read.note(files[index].path)
        try:
            image = read_example(files[index].path, background)
        except BadImageError as error:
            return str(error)
        if (ground := ground_of(image)) and ground != background:
            other_ground.append(files[index].path)
            image = _on_ground(image, background)
        images[index] = prepare(image[None], preparation)[0]
        return pixel_digest(image)

    def read_some(start: int) -> list[bytes | str]:
        return [read(index) for index in range(start, min(start + _AT_ONCE, len(files)))]

    with ThreadPoolExecutor(min(8, processors())) as pool:
        for some in pool.map(read_some, range(0, len(files), _AT_ONCE)):
            outcomes += some
            if progress:
                progress(len(outcomes), len(files))

    problems += [
        f"{file.path}: {outcome}; left out"
        for file, outcome in zip(files, outcomes, strict=True)
        if isinstance(outcome, str)
    ]
    if other_ground:
        problems.append(mixed_grounds(len(other_ground), len(files), background, min(other_ground)))
    digests = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, bytes)}
    copies = _unambiguous(files, digests, listed, problems)
    if not copies:
        raise TrainsetError(f"{classdir.examples_dir} holds no usable example: {problems[0]}")
    keep = [same[0] for same in copies]
    kept = [files[index] for index in keep]
    labels = tuple(sorted({file.label for file in kept}))
    if len(labels) < 2:
        raise TrainsetError(
            f"{classdir.examples_dir} has usable examples of one label only ({labels[0]}); a classifier tells at least "
            "two apart, so add examples of another"
        )
    # a selection copies, and the set may fill half the memory
    used = images
    if keep != list(range(len(images))):
        used = selected(images, np.array(keep, np.int64), classdir.path)
    read_files = {file.path for file in files}
    origins, tracklet_index = find_units(
        kept,
        [[files[index] for index in same] for same in copies],
        (file for file in found if file.path not in read_files),
        [digests[index] for index in keep],
        used,
    )
    special = preparation.antrax or preparation.crop_size
    basis = f"{preparation.size} {background}" + (repr(preparation) if special else "")
    state = hashlib.blake2b(basis.encode(), digest_size=16)
    for file, index, tracklet in zip(kept, keep, tracklet_index.tolist(), strict=True):
        origin = origins[tracklet]
        state.update(f"{file.label}\0{origin.experiment}\0{origin.tracklet}\0".encode() + digests[index])
    return Trainset(
        images=used,
        label_index=np.array([labels.index(file.label) for file in kept], np.int64),
        tracklet_index=tracklet_index,
        labels=labels,
        origins=origins,
        background=background,
        problems=tuple(problems),
        digest=state.hexdigest(),
        files=len(found),
        capped=capped,
        read=as_read,
    )


def _relabelled(
    files: Sequence[ExampleFile], relabel: Mapping[str, str | None], problems: list[str]
) -> list[ExampleFile]:
    """Files under the labels that they are to have; which are passed over is told."""
    found = []
    dropped: dict[str, int] = defaultdict(int)
    renamed: dict[str, int] = defaultdict(int)
    meant = _folders_meant({file.label for file in files}, relabel)
    for file in files:
        label = relabel.get(meant.get(file.label, file.label), file.label)
        if label is None:
            dropped[file.label] += 1
        else:
            renamed[file.label] += label != file.label
            found.append(file if label == file.label else replace(file, label=label))
    for name, count in dropped.items():
        problems.append(
            f"{count} examples of {name} are passed over, as asked; they are learned again in the next training unless "
            "their folder is moved out of examples/"
        )
    problems += [
        f"{count} examples in the folder of {name} are learned as {relabel[meant.get(name, name)]}, as asked; the next "
        f"training learns {name} as a new label unless the folder is renamed too"
        for name, count in renamed.items()
        if count
    ]
    return found


def _folders_meant(folders: Collection[str], labels: Collection[str]) -> dict[str, str]:
    """Which label folders of another spelling stand for: only where the label has no folder, and it is the only one."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder, label in match_labels(folders, labels).items():
        found[label].append(folder)
    return {alike[0]: label for label, alike in found.items() if label in labels and len(alike) == 1}


def _thin(files: Sequence[ExampleFile]) -> list[ExampleFile]:
    """Files of at most `IMAGES_PER_TRACKLET` frames of each tracklet and label, evenly spread over it."""
    groups: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, file in enumerate(files):
        # copies of a frame are found by their pixels later, and count once
        groups[file.tracklet if file.named else str(file.path), file.label][file.frame or file.path.name].append(index)
    chosen: list[int] = []
    for frames in groups.values():
        ordered = sorted(frames, key=lambda frame: (len(frame), frame))  # for names sort 10 before 9
        count = min(len(ordered), IMAGES_PER_TRACKLET)
        for place in np.linspace(0, len(ordered) - 1, count):
            chosen += frames[ordered[round(place)]]
    return [files[index] for index in sorted(chosen)]


def _look_ahead(files: list[ExampleFile]) -> tuple[Background, int]:
    """Background of the set, and the size of its first usable image in sorted order."""
    size = 0
    sample = []
    for file in files[:: max(1, len(files) // 100)]:
        try:
            sample.append(read_example(file.path))
        except BadImageError:
            continue
    for file in files:
        try:
            size = len(read_example(file.path))
            break
        except BadImageError:
            continue
    return detect_background(sample), max(size, 1)


def ground_of(image: NDArray[np.uint8]) -> Background | None:
    """Background of an image, from the majority of its outermost pixels; None if it is neither white nor black.

    Parameters
    ----------
    image : NDArray[np.uint8]
        Shape (S, S, 3).
    """
    edge = np.concatenate([image[[0, -1]].reshape(-1, 3), image[:, [0, -1]].reshape(-1, 3)])
    if 2 * (edge == 255).all(-1).sum() > len(edge):
        return "white"
    return "black" if 2 * (edge == 0).all(-1).sum() > len(edge) else None


def mixed_grounds(others: int, files: int, background: Background, first: Path) -> str:
    """Warning for a set in which some images have another background than the rest.

    Parameters
    ----------
    others : int
        Number of images on another ground.
    files : int
        Number of all images.
    background : Background
        Ground of most.
    first : Path
        One of the others.
    """
    other = "black" if background == "white" else "white"
    return (
        f"{others:,} of {files:,} images have a {other} background, the others a {background} one ({first}): do they "
        f"show the same kind of animals? Their background is made {background}"
    )


def _on_ground(image: NDArray[np.uint8], background: Background) -> NDArray[np.uint8]:
    """An image with its other ground replaced."""
    old, new = (0, 255) if background == "white" else (255, 0)
    return np.where((image == old).all(-1, keepdims=True), np.uint8(new), image)


def _unambiguous(
    files: list[ExampleFile], digests: dict[int, bytes], listed: Collection[str], problems: list[str]
) -> list[list[int]]:
    """Files of each image that is used, the best first, in an order that does not depend on their names.

    An image is used once; one under two labels is not, unless one of them is a folder that looks like a copy of the
    other's, or that the session does not list.
    """
    places: dict[bytes, list[int]] = defaultdict(list)
    for index, digest in digests.items():
        places[digest].append(index)
    copied = _copied_folders(files, places.values(), listed)
    kept: list[list[int]] = []
    duplicates = 0
    ambiguous: dict[tuple[str, ...], list[int]] = defaultdict(list)
    of_copies: dict[str, list[int]] = defaultdict(list)
    for same in places.values():
        labels = {files[index].label for index in same}
        likely = labels.difference(copied) or labels
        likely = likely.intersection(listed) or likely
        if len(likely) > 1:
            ambiguous[tuple(sorted(likely))] += same
        elif (label := min(likely)) in copied:
            of_copies[label] += same
        else:
            kept.append(sorted(same, key=lambda index: (files[index].label != label, *_by_name(files[index]))))
            duplicates += len(same) - 1
    for labels_, indices in ambiguous.items():
        paths = [str(files[index].path) for index in sorted(indices)]
        more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
        problems.append(f"the same image under {' and '.join(labels_)}: {' and '.join(paths[:2])}{more}; left out")
    for label, indices in of_copies.items():
        problems.append(
            f"{files[indices[0]].path.parent} looks like a copy of the folder of {copied[label]}, which lacks "
            f"{len(indices)} of its images: move them there if they belong there; left out"
        )
    if duplicates:
        problems.append(f"{duplicates} exact duplicates: each image is used once")
    return sorted(kept, key=lambda same: (*_by_place(files[same[0]]), digests[same[0]]))


def _by_name(file: ExampleFile) -> tuple[bool, bool, Path]:
    """Orders files by how much their names tell."""
    return not file.named_as_written, not file.named, file.path


def _by_place(file: ExampleFile) -> tuple[str, str, int]:
    """Orders images by label, tracklet and frame."""
    return file.label, file.tracklet if file.named else "", int(file.frame or -1)


def _copied_folders(
    files: Sequence[ExampleFile], places: Iterable[Sequence[int]], listed: Collection[str]
) -> dict[str, str]:
    """Folders that are copies of a label's folder, by name and, without a list of the labels, by what they hold."""
    labels = {file.label for file in files}
    copies = copied_folders(labels, listed)
    if listed:
        return copies
    pairs = [{files[index].label for index in same} for same in places]
    return {label: name for label, name in copies.items() if any({label, name} <= pair for pair in pairs)}


def label_categories(labels: Iterable[str], session: Session | None) -> dict[str, Category]:
    """Category of each label: what the session says, else what the name says.

    Raises
    ------
    LabelsError
        The session's labels.csv is missing or broken.
    """
    known = session.labels if session else None
    return {label: known.likely_category(label) if known else guess_category(label) for label in labels}
