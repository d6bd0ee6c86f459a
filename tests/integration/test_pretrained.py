"""MobileNetV2's pre-trained weights: fetched once, kept, and trained on from. No test leaves this machine."""

from __future__ import annotations

import hashlib
import http.server
import threading

import numpy as np
import pytest

import antrax.networks.pretrained
from antrax.errors import ClassifierError, DownloadError, OutputError
from antrax.io.atomic import user_cache
from antrax.networks.mobilenet import build_mobilenet
from antrax.networks.pretrained import SIZES, load_pretrained, weights_file
from antrax.progress import Reporter
from tests.fixtures.training_tools import Listener
from tests.unit.test_mobilenet import distributed_file, seeded_weights

NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("ANTRAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Server:
    """Serves a folder on this machine; remembers what was asked for, and can misbehave."""

    def __init__(self, folder):
        self.asked, self.answer = [], None
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=folder)

            def do_GET(self):
                server.asked.append(self.path)
                if server.answer is None:
                    return super().do_GET()
                return server.answer(self)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.http.server_address[1]}/mobilenet_v2"

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    (tmp_path / "www" / "mobilenet_v2").mkdir(parents=True)
    serving = Server(str(tmp_path / "www"))
    yield serving
    serving.close()


@pytest.fixture(scope="module")
def weights():
    return seeded_weights(96, 2)


def test_the_cache_is_where_the_environment_says(cache, monkeypatch):
    assert user_cache() == cache
    monkeypatch.delenv("ANTRAX_CACHE")
    assert "antrax" in user_cache().parts


@pytest.mark.parametrize(("size", "nearest"), [(32, 96), (96, 96), (100, 96), (120, 128), (200, 192), (512, 224)])
def test_weights_for_the_nearest_size_are_taken(size, nearest):
    assert nearest in SIZES
    assert weights_file(size).name == NAME.replace("_96_", f"_{nearest}_")


def test_they_are_fetched_once_and_that_is_told(server, tmp_path, weights):
    distributed_file(tmp_path / "www" / "mobilenet_v2" / NAME, weights)
    listener = Listener()
    fetched = load_pretrained(96, listener, _base=server.base)
    assert listener.said == [f"fetching {server.base}/{NAME} once, to {weights_file(96)}"]
    assert all(np.array_equal(fetched[name], weights[name]) for name in fetched)
    again = load_pretrained(96, listener, _base=server.base)
    assert server.asked == [f"/mobilenet_v2/{NAME}"]
    assert len(listener.said) == 1
    assert list(again) == list(fetched)
    assert sorted(path.name for path in weights_file(96).parent.iterdir()) == [NAME, f"{NAME}.sha256"]


def test_a_file_that_is_not_the_one_that_was_fetched_is_refused(server, tmp_path, weights):
    distributed_file(tmp_path / "www" / "mobilenet_v2" / NAME, weights)
    load_pretrained(96, Reporter(), _base=server.base)
    file = weights_file(96)
    digest = file.with_name(f"{NAME}.sha256")
    assert digest.read_text() == hashlib.sha256(file.read_bytes()).hexdigest() + "\n"
    distributed_file(file, {name: value + 1 for name, value in weights.items()})
    with pytest.raises(ClassifierError, match=r"is not what was fetched .*delete it and .*sha256"):
        load_pretrained(96, Reporter(), _base=server.base)
    digest.unlink()  # the user put it there
    theirs = load_pretrained(96, Reporter(), _base=server.base)
    assert theirs["Conv1/kernel"] == pytest.approx(weights["Conv1/kernel"] + 1)


def test_what_is_in_the_cache_needs_no_network(weights, monkeypatch):
    weights_file(96).parent.mkdir(parents=True)
    distributed_file(weights_file(96), weights)
    monkeypatch.setattr("urllib.request.build_opener", lambda *a, **k: pytest.fail("went to the network"))
    assert set(load_pretrained(48, Reporter())) < set(build_mobilenet(96, 2).weight_shapes())


def offline(handler):
    handler.send_error(404)


def page(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>please log in</html>")


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        try:
            handler.wfile.write(bytes(2**20))
        except OSError:
            return


def broken_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "9000000")
    handler.end_headers()
    handler.wfile.write(bytes(1000))


def elsewhere(handler):
    handler.send_response(302)
    handler.send_header("Location", "ftp://127.0.0.1:1/x")
    handler.end_headers()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (offline, "404|Not Found"),
        (page, "no weights of MobileNetV2"),
        (endless, "larger than 2 MB"),
        (broken_off, "IncompleteRead|broke off"),
        (elsewhere, "leads to ftp"),
    ],
)
def test_what_cannot_be_fetched_is_an_error_that_says_where_to_put_it(server, monkeypatch, answer, reason):
    monkeypatch.setattr("antrax.networks.pretrained._LARGEST", 2 * 2**20)
    server.answer = answer
    with pytest.raises(DownloadError, match=reason) as raised:
        load_pretrained(96, Reporter(), _base=server.base)
    message = str(raised.value)
    assert str(weights_file(96)) in message
    assert f"{server.base}/{NAME}" in message
    assert "`pretrained=False`" in message
    assert not list(weights_file(96).parent.glob("*")) if weights_file(96).parent.exists() else True


def test_without_a_network_the_error_is_the_same():
    with pytest.raises(DownloadError, match=r"put it at .*no_top\.h5, or train without them: `pretrained=False`"):
        load_pretrained(96, Reporter(), _base="http://127.0.0.1:9/x")


def test_a_damaged_file_in_the_cache_is_an_error_that_says_to_delete_it():
    weights_file(96).parent.mkdir(parents=True)
    weights_file(96).write_bytes(b"half of it")
    with pytest.raises(ClassifierError, match="delete it, and it is fetched again"):
        load_pretrained(96, Reporter())


def test_a_cache_that_cannot_be_written_is_an_error(server, tmp_path, weights, cache):
    distributed_file(tmp_path / "www" / "mobilenet_v2" / NAME, weights)
    cache.write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be created"):
        load_pretrained(96, Reporter(), _base=server.base)


def test_keras_publishes_them_over_https():
    assert antrax.networks.pretrained._PUBLISHED.startswith("https://storage.googleapis.com/")
