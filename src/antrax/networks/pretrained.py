"""Weights pre-trained on ImageNet, downloaded once from Keras's site and kept in the user's cache."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from antrax.errors import ClassifierError, DownloadError
from antrax.io.atomic import make_folder, replacing, user_cache, write_atomically
from antrax.io.regular_files import read_regular
from antrax.messages import parameter
from antrax.networks.graph import Weights
from antrax.networks.mobilenet import read_mobilenet_weights
from antrax.progress import Reporter

# Sides of the images that there are weights for.
SIZES = (96, 128, 160, 192, 224)
_PUBLISHED = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2"
_NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5"
# Published ones have some 9.4 MB.
_LARGEST = 64 * 2**20
_PIECE = 2**18
_PATIENCE_S = 30.0


def weights_file(size: int) -> Path:
    """Where the weights for images of about `size` pixels are kept, or would be."""
    nearest = min(SIZES, key=lambda published: abs(published - size))
    return user_cache() / "weights" / _NAME.format(size=nearest)


def load_pretrained(size: int, reporter: Reporter, *, _base: str = _PUBLISHED) -> Weights:
    """MobileNetV2's pre-trained weights, all but those of the labels; fetched if they are not in the cache.

    No digest of them is published by Keras that we could compare with; that a file holds the right layers with
    weights of the right shapes is checked. The digest of what was fetched is kept beside it, and compared each time.

    Parameters
    ----------
    size : int
        Side length of the images, in pixels.
    reporter : Reporter
        Told what is fetched.

    Raises
    ------
    DownloadError
        They are not there and cannot be fetched.
    ClassifierError
        The file in the cache is damaged, or another one.
    OutputError
        The cache cannot be written.
    """
    path = weights_file(size)
    if not path.is_file():
        url = f"{_base}/{path.name}"
        make_folder(path.parent)  # where a user may put the file
        reporter.say(f"fetching {url} once, to {path}")
        try:
            _fetch(url, path, reporter)
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # the error is a response too, and holds the connection
            reason = getattr(error, "reason", None) or error
            reason = getattr(reason, "strerror", None) or reason
            raise DownloadError(
                f"the pre-trained weights cannot be fetched ({' '.join(str(reason).split())[:200]}); fetch {url} on "
                f"another machine and put it at {path}, or train without them: "
                f"{parameter('pretrained', False)}"
            ) from None
    _check_digest(path)
    try:
        return read_mobilenet_weights(path)
    except ClassifierError as error:
        raise ClassifierError(f"{error}; replace it, or delete it, and it is fetched again") from None


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _check_digest(path: Path) -> None:
    """Raise ClassifierError where a file is not the one that was fetched; one that a user put there passes."""
    digest = _digest_file(path)
    try:
        noted = read_regular(digest, 1024).decode(errors="replace").split()
        content = read_regular(path, _LARGEST)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ClassifierError(f"{path} cannot be read: {error.strerror or error}") from None
    if noted != [hashlib.sha256(content).hexdigest()]:
        raise ClassifierError(
            f"{path} is not what was fetched (its digest is another): delete it and {digest.name}, and it is fetched "
            "again; if you put another one there, delete the latter alone"
        )


class _SameProtocol(urllib.request.HTTPRedirectHandler):
    """Redirect handler that refuses redirects to a less secure protocol."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        if newurl.partition(":")[0] != req.type:
            fp.close()
            raise ValueError(f"it leads to {newurl[:200]}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, path: Path, reporter: Reporter) -> None:
    """Download a URL into a file, checking size and content."""
    with urllib.request.build_opener(_SameProtocol).open(url, timeout=_PATIENCE_S) as response:
        content = _read(response, int(response.headers.get("Content-Length") or 0), reporter)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        try:
            read_mobilenet_weights(temporary)
        except ClassifierError:
            raise ValueError("the answer holds no weights of MobileNetV2; is there a page to log in?") from None
    write_atomically(_digest_file(path), hashlib.sha256(content).hexdigest() + "\n")


def _read(response: IO[bytes], length: int, reporter: Reporter) -> bytes:
    content = bytearray()
    with reporter.bar("fetching", length or None, "B") as update:
        while piece := response.read(_PIECE):
            content += piece
            if len(content) > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST // 2**20} MB")
            update(len(content))
    if len(content) < length:
        raise ValueError(f"it broke off after {len(content):,} of {length:,} bytes")
    return bytes(content)
