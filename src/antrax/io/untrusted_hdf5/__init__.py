"""Safe reading of untrusted HDF5 files: no links out of a file, no unexpectedly large data.

Every HDF5 file that this package reads is opened here. `open_hdf5` opens it and nothing more; `open_untrusted` also
turns whatever goes wrong in its block into one of the package's errors. What a file holds is then taken out with
`dataset` (and `member`, `texts`, …), which look at it before the HDF5 library does more than open it: the library
crashes on some of what a file may say, and believes sizes.
"""

from antrax.io.untrusted_hdf5.chunks import has_plain_chunks, read_chunks
from antrax.io.untrusted_hdf5.datasets import dataset, dataset_id, dataset_names, has, member, names, values
from antrax.io.untrusted_hdf5.opening import ContentError, open_hdf5, open_untrusted
from antrax.io.untrusted_hdf5.texts import (
    number_attribute,
    short_texts_attribute,
    text_attribute,
    text_dataset,
    texts,
)

__all__ = [
    "ContentError",
    "dataset",
    "dataset_id",
    "dataset_names",
    "has",
    "has_plain_chunks",
    "member",
    "names",
    "number_attribute",
    "open_hdf5",
    "open_untrusted",
    "read_chunks",
    "short_texts_attribute",
    "text_attribute",
    "text_dataset",
    "texts",
    "values",
]
