"""A download that breaks off: no part of a file is taken for the whole, and the next start fetches what is missing."""

import gzip
import hashlib
import http.server
import threading

import pytest
import torch

from bench import data
from bench.architectures.torchvision_import import import_torchvision
from bench.data import fashion_mnist
from bench.errors import InputError
from tests.data.test_idx import idx_bytes

SETTINGS = {"name": "fashion-mnist", "image_size": 32, "root": None}


def content(name):
    """A small file of that name, gzipped: 20 images of two values a class, or their labels."""
    values = torch.arange(20, dtype=torch.uint8) % 10
    if "images" in name:
        values = values.view(-1, 1, 1).expand(-1, 28, 28).contiguous()
    return gzip.compress(idx_bytes(values), mtime=0)


@pytest.fixture
def source(empty_folder, monkeypatch):
    """A server of the four files on this machine, from which torchvision downloads; `broken` are sent by half."""
    files = {f"/{name}.gz": content(name) for name in fashion_mnist.FILES}

    class Handler(http.server.BaseHTTPRequestHandler):
        broken: str | None = None

        def do_GET(self):
            body = files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if self.path == Handler.broken else body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    data_set = import_torchvision().datasets.FashionMNIST
    monkeypatch.setattr(data_set, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    digests = [(path[1:], hashlib.md5(body).hexdigest()) for path, body in files.items()]
    monkeypatch.setattr(data_set, "resources", digests)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", empty_folder / "nowhere")
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", fashion_mnist.FILES)
def test_an_interrupted_download_is_told_and_made_good(source, empty_folder, name):
    source.broken = f"/{name}.gz"
    with pytest.raises(InputError, match=r"downloading it failed \(.*\)\. To get it: ") as error:
        data.load(SETTINGS)
    assert "\n" not in str(error.value)
    source.broken = None
    try:
        images = data.load(SETTINGS)
    except InputError as error:
        # The last of the files: all are there, and the one that is damaged is named.
        left = empty_folder / "data" / "FashionMNIST" / "raw" / f"{name}.gz"
        assert name == fashion_mnist.FILES[-1] and f"{name}.gz cannot be read" in str(error)
        left.unlink()
        images = data.load(SETTINGS)
    assert images.train_labels.tolist() == [*range(10), *range(10)] and images.test.shape == (20, 3, 32, 32)
