"""How many keys a classifier takes: a simulated person labels tracklets in several ways, and training is tried between.

    python benchmarks/colour_heads.py --pack out/colours.npz [--shared DIR]
    python benchmarks/label_effort.py --data out/colours.npz [--fold 0] [--ways …] [--work DIR]    # real ants (JS16)
    python benchmarks/label_effort.py --demo [--seed 0] [--ways …] [--work DIR]                    # made-up ants

One experiment is made whose tracklets are all unlabelled. The person labels those of some movies, with the label that
is the truth, through what the page's buttons call; those of the other movies (a fold of four of the real set; half of
the made-up movies) only show, after each training, how good the classifier is. At the beginning there is no classifier.

- `random`: one tracklet at a time, in random order;
- `useful`: the same in the order *Most useful first*;
- `wall`: the first 32 like `useful`, then rounds: the wall of each predicted label, the 16 most useful tracklets that
  are left, and training;
- `groups`: the wall over the groups of `antrax group`, trained after them, then rounds like `wall`. (The groups are of
  all tracklets, also of those that nobody labels: no label is needed for them.)

Keys are those of the page, and a click counts as one: for one tracklet, the letters that choose its label, none where
the label offered is the right one, and Enter; on the wall, one for each tracklet that is struck out (or Ctrl+A and one
for each that is not), Enter, the letters of the label and Enter once more where the wall has none, and one to go on. A
wall of which accepting takes more keys than tracklets is passed. Decisions are tracklets that were given a label one at
a time, and walls that were accepted or passed.

Printed after each training: tracklets with examples, decisions and keys so far; of the tracklets that nobody labels:
images of ants whose most probable label is right, ants given an ID and of these wrong, others given an ID. A tracklet
to which people gave two labels is labelled with that of most images, and is not counted. At the end, what it took until
95 % of the images of ants are right (or as many as random order leads to, where that is less), and until a classifier
is usable: 80 % of the ants are given an ID and at most 2 % of these wrong. A way that was finished is not done again
while its folder lies in --work.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import antrax
from antrax.demo.writing import SessionTables, write_parameters
from antrax.io.labels_file import to_labels_file
from antrax.io.layout import SessionLayout
from antrax.io.sources import source_of
from antrax.io.stacks import write_stacks
from antrax.labels import Category, Labels, guess_category
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.tiles import read_images, spread_images
from antrax.review.tracklets.views import Filter, Order, labelling_of, make_view
from antrax.review.training_set.editing import Chosen, Examples
from colour_heads import LABELS, Data

# As the page has them: images of a tracklet that Enter and the wall export at most, and tracklets on a wall.
SINGLE, OF_EACH, TILES = 400, 20, 60
# Trainings of one tracklet at a time come after so many of them.
TRAINED_AT = (32, 64, 128, 256)
# Rounds of walls, and single tracklets in each.
ROUNDS, MORE = 3, 16
# A classifier is called usable where so many ants are given an ID and so few of these are wrong.
USABLE, WRONG = 0.8, 0.02
RIGHT = 0.95
FRAMES = 100_000


@dataclass
class Row:
    """What a classifier is worth, and what it took.

    Parameters
    ----------
    labelled, decisions, keys : int
    counts : Counter of str
    """

    labelled: int
    decisions: int
    keys: int
    counts: Counter[str]

    @property
    def right(self) -> float:
        """Share of the images of ants."""
        return self.counts["images right"] / max(1, self.counts["images"])

    @property
    def is_usable(self) -> bool:
        """Whether most ants are given their IDs."""
        given = self.counts["ants given"]
        return given >= USABLE * self.counts["ants"] and self.counts["ants wrong"] <= WRONG * given


@dataclass(frozen=True)
class Truth:
    """Labels of an experiment's tracklets.

    Parameters
    ----------
    label : dict of str to str
        Of all tracklets.
    tested : frozenset of str
        Those that only show how good a classifier is.
    contested : frozenset of str
        Those with images of two labels.
    """

    label: dict[str, str]
    tested: frozenset[str]
    contested: frozenset[str] = frozenset()


def main() -> None:
    """Make the experiment, let the person label in each way, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=antrax.TrainOptions().epochs)
    parser.add_argument("--work", type=Path, default=Path("out/label_effort"))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    args = parser.parse_args()
    if args.demo == bool(args.data):
        parser.error("give either --data or --demo")
    name = f"demo{args.seed}" if args.demo else f"fold{args.fold}"
    work = args.work / f"{name}-{args.epochs}"
    experiment = work / "experiment"
    if not experiment.is_dir():
        draft = work / "draft" / "experiment"
        shutil.rmtree(draft.parent, ignore_errors=True)
        truth = made_up(draft, args.seed) if args.demo else real(draft, args.data, args.fold)
        write_truth(work / "truth.json", truth)
        draft.rename(experiment)
        draft.parent.rmdir()
    truth = read_truth(work / "truth.json")
    curves = {}
    for way in args.ways:
        rows = work / f"{way}.json"
        if not rows.is_file():
            folder = work / way / "experiment"
            shutil.rmtree(folder.parent, ignore_errors=True)
            shutil.copytree(experiment, folder)
            person = Person(folder, truth, args.seed, args.epochs)
            WAYS[way](person)
            rows.write_text(json.dumps([vars(row) for row in person.curve]))
        curves[way] = [Row(**row | {"counts": Counter(row["counts"])}) for row in json.loads(rows.read_text())]
    show(name, curves)


def real(folder: Path, data_file: Path, fold: int) -> Truth:
    """An experiment of the real examples, those of the fold in movies of their own."""
    data = Data(data_file)
    images: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    folds = {}
    order = np.argsort(data.tracklets, kind="stable")
    owners, starts = np.unique(data.tracklets[order], return_index=True)
    for owner, rows in zip(owners.tolist(), np.split(order, starts[1:]), strict=True):
        name = str(data.names[owner])
        images[name].append(data.images[rows])
        labels[name] += [LABELS[label] for label in data.labels[rows].tolist()]
        folds[name] = int(data.fold[owner])
    movies: dict[tuple[str, str, bool], int] = {}
    stacks: dict[int, list[tuple[str, NDArray[np.uint8]]]] = defaultdict(list)
    label, tested, contested = {}, set(), set()
    for name in sorted(images):
        experiment, tracklet = name.rsplit(".", 1)
        parts = re.fullmatch(r"(trj_id\d+)_ti(\d+)_(\d+)_tf\d+_(\d+)", tracklet)
        assert parts
        is_tested = folds[name] == fold
        movie = movies.setdefault((experiment, parts[2], is_tested), len(movies) + 1)
        here = f"{parts[1]}_ti{movie}_{parts[3]}_tf{movie}_{parts[4]}"
        stack = np.concatenate(images[name])
        stacks[movie].append((here, np.where((stack == 255).all(-1, keepdims=True), np.uint8(0), stack)))
        ((label[here], most),) = Counter(labels[name]).most_common(1)
        if most < len(labels[name]):
            contested.add(here)
        if is_tested:
            tested.add(here)
    layout = SessionLayout(folder / "session")
    for needed in (layout.parameters, layout.file("images", 1).parent):
        needed.mkdir(parents=True)
    write_parameters(layout, folder.name, SessionTables(len(movies), FRAMES, 48, labels=False))
    for movie, tracklets in stacks.items():
        write_stacks(layout.file("images", movie), tracklets)
    write_labels(layout, LABELS)
    return Truth(label, frozenset(tested), frozenset(contested))


def made_up(folder: Path, seed: int) -> Truth:
    """The demo's experiment without labels; the later half of its movies is tested."""
    antrax.generate_experiment(folder, seed=seed, labelled=False)
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    layout = antrax.open_session(folder).layout
    label = {row["tracklet"]: row["label"] for row in rows}
    write_labels(layout, sorted(set(label.values())))
    movies = sorted({int(row["movie"]) for row in rows})
    later = set(movies[len(movies) // 2 :])
    return Truth(label, frozenset(row["tracklet"] for row in rows if int(row["movie"]) in later))


def write_labels(layout: SessionLayout, labels: Sequence[str]) -> None:
    """The list of labels, which a person writes first."""
    to_labels_file(Labels.from_categories({label: guess_category(label) for label in labels}), layout.labels_file)


def write_truth(path: Path, truth: Truth) -> None:
    """Keep the labels beside the experiment."""
    path.write_text(
        json.dumps({"label": truth.label, "tested": sorted(truth.tested), "contested": sorted(truth.contested)})
    )


def read_truth(path: Path) -> Truth:
    """What `write_truth` wrote."""
    values = json.loads(path.read_text())
    return Truth(values["label"], frozenset(values["tested"]), frozenset(values["contested"]))


@dataclass
class Person:
    """Labels the tracklets of an experiment, and counts keys.

    Parameters
    ----------
    folder : Path
        The experiment.
    truth : Truth
    seed : int
        Of random orders.
    epochs : int
        Of each training.
    """

    folder: Path
    truth: Truth
    seed: int
    epochs: int
    keys: int = 0
    decisions: int = 0
    curve: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = antrax.open_session(self.folder)
        self.catalog, self.colonies = Catalog(self.session), Colonies(self.session)
        self.assignments, self.examples = Assignments(self.session), Examples(self.session)
        self.labels = self.session.labels
        self.labelled: set[str] = set()

    def view(self, label: str, order: Order) -> list[str]:
        """Tracklets without examples that this person may label."""
        found = make_view(
            self.catalog,
            self.assignments,
            self.colonies,
            Filter(label=label),
            order,
            seed=self.seed,
            labelling=labelling_of(self.labels, self.examples),
        )
        return [name for name in found.tracklets if name not in self.labelled | self.truth.tested]

    def label_single(self, name: str) -> None:
        """Give one tracklet its label, as in the panel *Label*."""
        label = self.truth.label[name]
        found = self.assignments.of(name)
        offered = found.label if found else None
        if offered not in self.labels.ants and offered not in self.labels.nonants:
            offered = None  # the page offers neither Unknown nor Multi
        self.keys += (0 if offered == label else self.typed(label)) + 1
        self.decisions += 1
        self._export([name], label, SINGLE)

    def wall(self, names: Sequence[str], label: str | None = None) -> None:
        """Look at walls of tracklets, and accept those of which that saves keys; `label` is the one of the wall."""
        for start in range(0, len(names), TILES):
            shown = names[start : start + TILES]
            truths = Counter(self.truth.label[name] for name in shown)
            wanted = label or truths.most_common(1)[0][0]
            kept = [name for name in shown if self.truth.label[name] == wanted]
            strikes = min(len(shown) - len(kept), 1 + len(kept))
            keys = strikes + 1 + (0 if label else self.typed(wanted) + 1)
            self.decisions += 1
            self.keys += 1  # to go on to the next label, or to others
            if keys <= len(kept):
                self.keys += keys
                self._export(kept, wanted, OF_EACH)

    def typed(self, label: str) -> int:
        """Letters that choose a label: as many as make it the first one that begins with them."""
        for count in range(1, len(label)):
            start = label[:count].lower()
            if next(one for one in self.labels.all if one.lower().startswith(start)) == label:
                return count
        return len(label)

    def _export(self, names: Sequence[str], label: str, most: int) -> None:
        chosen = []
        for name in names:
            tracklet, path = self.catalog.find(name)
            with source_of(self.session).open(path) as stack:
                count = stack.count(name)
                frames = spread_images(count, most)
                chosen.append(Chosen(tracklet, read_images(stack, name, frames), frames, count))
        self.examples.export_several(chosen, label, "person")
        self.labelled.update(names)

    def train(self) -> Row:
        """Train, classify all movies, and look at the tracklets that nobody labels."""
        antrax.train(self.folder, antrax.TrainOptions(epochs=self.epochs, seed=self.seed))
        antrax.classify(self.folder, antrax.ClassifyOptions())
        self.assignments.refresh()
        self.examples.refresh()
        row = Row(len(self.labelled), self.decisions, self.keys, self._measured())
        self.curve.append(row)
        print(f"{self.folder.parent.name}: {' '.join(cells(row))}", flush=True)
        return row

    def _measured(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for name in sorted(self.truth.tested - self.truth.contested):
            label, found = self.truth.label[name], self.assignments.of(name)
            assert found is not None
            is_ant, is_given = self.labels.category(label) is Category.ANT, found.label in self.labels.ants
            group = "ants" if is_ant else "others"
            counts[group] += 1
            counts[f"{group} given"] += is_given
            if is_ant:
                counts["ants wrong"] += is_given and found.label != label
                tracklet, _ = self.catalog.find(name)
                seen = antrax.read_frame_probabilities(self.session, tracklet.movie, name)
                best = seen.columns.to_numpy()[seen.to_numpy().argmax(1)]
                counts["images"] += len(best)
                counts["images right"] += int((best == label).sum())
        return counts


def one_at_a_time(person: Person, order: Order, until: Sequence[int]) -> None:
    """Label single tracklets; train after so many."""
    left: Iterator[str] = iter(())
    for goal in until:
        left = iter(person.view("", order))
        while len(person.labelled) < goal and (name := next(left, None)):
            person.label_single(name)
        person.train()
        if len(person.labelled) < goal:
            return


def rounds_of_walls(person: Person) -> None:
    """The wall of each label, some that are left one at a time, then training; again."""
    for _ in range(ROUNDS):
        for label in person.labels.all:
            person.wall(person.view(label, Order.USEFUL), label)
        one_at_a_time(person, Order.USEFUL, [len(person.labelled) + MORE])


def by_random(person: Person) -> None:
    """One at a time in random order."""
    one_at_a_time(person, Order.RANDOM, TRAINED_AT)


def by_use(person: Person) -> None:
    """One at a time, the most useful first."""
    one_at_a_time(person, Order.USEFUL, TRAINED_AT)


def by_wall(person: Person) -> None:
    """Few at a time, then walls of predicted labels."""
    one_at_a_time(person, Order.USEFUL, TRAINED_AT[:1])
    rounds_of_walls(person)


def by_groups(person: Person) -> None:
    """Walls of look-alikes, then walls of predicted labels."""
    found = antrax.group(person.folder, antrax.GroupOptions(seed=person.seed)).groups
    theirs = set(person.view("", Order.TIME))
    for number in range(1, int(found.groups.max()) + 1):
        places = np.flatnonzero(found.groups == number)
        closest = places[np.argsort(-found.closeness[places], kind="stable")]
        names = [found.tracklets[place] for place in closest.tolist()]
        person.wall([name for name in names if name in theirs])
    person.train()
    rounds_of_walls(person)


WAYS: dict[str, Callable[[Person], None]] = {
    "random": by_random,
    "useful": by_use,
    "wall": by_wall,
    "groups": by_groups,
}


def cells(row: Row) -> list[str]:
    """The columns of a row."""
    counts = row.counts
    return [
        f"{row.labelled}",
        f"{row.decisions}",
        f"{row.keys}",
        f"{row.right:.1%}",
        f"{counts['ants given']}/{counts['ants']}",
        f"{counts['ants wrong']}",
        f"{counts['others given']}/{counts['others']}",
    ]


def show(name: str, curves: dict[str, list[Row]]) -> None:
    """Print the curves, and what it took to reach the two aims."""
    table = Table(title=f"{name}: after each training")
    columns = ("way", "tracklets", "decisions", "keys", "ant images right", "ants given", "wrong", "others given")
    for column in columns:
        table.add_column(column, justify="left" if column == "way" else "right")
    for way, rows in curves.items():
        for row in rows:
            table.add_row(way, *cells(row))
        table.add_section()
    console = Console(width=110)
    console.print(table)
    # where not even all labels in random order lead there, what they lead to
    aim = min(RIGHT, max((row.right for row in curves.get("random", [])), default=RIGHT))
    for way, rows in curves.items():
        right = next((f"{row.keys} keys" for row in rows if row.right >= aim), "not reached")
        usable = next((f"{row.decisions} decisions, {row.keys} keys" for row in rows if row.is_usable), "not reached")
        console.print(f"{way}: {aim:.1%} of ant images right: {right}; a usable classifier: {usable}")


if __name__ == "__main__":
    main()
