"""What a record of a training tells people."""

from antrax.training.record import shortcomings


def record(capped: int, *, poor: bool) -> dict:
    return {
        "examples": {"files": 2000, "used": 2000 - capped, "capped": capped},
        "quality": {"of_held_out_images": True, "image_accuracy": 0.41, "poor": poor},
    }


def test_a_good_record_tells_nothing():
    assert shortcomings(record(0, poor=False)) == []
    assert shortcomings({**record(0, poor=False), "quality": None}) == []


def test_images_beyond_the_cap_and_a_poor_network_are_told():
    capped, poor = shortcomings(record(600, poor=True))
    assert capped == "600 of 2,000 images were not used: of each tracklet and label, 400 at most"
    assert "this network is poor (41% of held-out images right)" in poor
