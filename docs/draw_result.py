"""Draw `docs/images/result.png`, the picture in the README, from a classified demo experiment.

python docs/draw_result.py DEMO      (after `antrax demo DEMO --run`)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import antrax
from antrax.images import Preparation, prepare

COLUMNS, SCALE, TEXT = 10, 2, 190
WANTED = ("BG", "GO", "OP", "PB", "OO", "Unknown", "Unknown", "Multi", "NoAnt")


def main() -> None:
    """Choose a tracklet for each of the wanted labels and draw them in rows."""
    session = antrax.open_session(sys.argv[1])
    table = antrax.read_results(session, [3, 4])
    long_enough = table[table["images"] >= COLUMNS]
    by_name = {tracklet.name.name: tracklet for tracklet in antrax.iter_tracklets(session, [3, 4])}
    chosen: list[str] = []
    for label in WANTED:
        fitting = [name for name in long_enough.index[long_enough["label"] == label] if name not in chosen]
        chosen += fitting[:1]
    side = next(iter(by_name.values())).images().shape[1] * SCALE
    picture = Image.new("RGB", (TEXT + COLUMNS * side, len(chosen) * side), "white")
    draw = ImageDraw.Draw(picture)
    for row, name in enumerate(chosen):
        images = prepare(by_name[name].images(), Preparation(side // SCALE, "white"))
        for column, index in enumerate(np.linspace(0, len(images) - 1, COLUMNS).astype(int)):
            image = Image.fromarray(np.ascontiguousarray(images[index])).resize((side, side), Image.Resampling.NEAREST)
            picture.paste(image, (TEXT + column * side, row * side))
        result = table.loc[name]
        sure = f"{min(result['confidence'], 0.99):.0%} sure"  # nobody is surer
        if result["label"] != result["best_label"]:
            sure = f"{result['best_label']}? only {result['confidence']:.0%} sure"
        middle = row * side + side // 2
        draw.text((12, middle - 24), str(result["label"]), "black", ImageFont.load_default(26))
        draw.text((12, middle + 8), f"{sure}, {result['images']} images", "#666666", ImageFont.load_default(12))
        draw.line((0, row * side, picture.width, row * side), "#dddddd")
    picture.quantize(128).save(Path(__file__).with_name("images") / "result.png", optimize=True)


main()
