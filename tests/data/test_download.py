"""A download that breaks off: no part of a file is taken for the whole, and the next start fetches what is missing."""

import gzip
import hashlib
import http.server
import io
import pickle
import shutil
import tarfile
import threading

import numpy as np
import pytest
import torch

from bench import data
from bench.architectures.torchvision_import import import_torchvision
from bench.data import cifar10, fashion_mnist
from bench.errors import InputError
from tests.data.test_idx import idx_bytes


class Server:
    """Gives `files` (path -> content) away on this machine; the one that is `broken` only by half."""

    def __init__(self):
        self.files, self.broken, server = {}, None, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = server.files[self.path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path == server.broken else body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.http.server_port}/"

    def end(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(empty_folder, monkeypatch):
    made = Server()
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", empty_folder / "nowhere")
    yield made
    made.end()


def md5(content):
    return hashlib.md5(content).hexdigest()


def content(name):
    """A small file of Fashion-MNIST of that name, gzipped: 20 images of two values a class, or their labels."""
    values = torch.arange(20, dtype=torch.uint8) % 10
    if "images" in name:
        values = values.view(-1, 1, 1).expand(-1, 28, 28).contiguous()
    return gzip.compress(idx_bytes(values), mtime=0)


@pytest.mark.parametrize("name", fashion_mnist.FILES)
def test_an_interrupted_download_is_told_and_made_good(server, empty_folder, monkeypatch, name):
    server.files = {f"/{each}.gz": content(each) for each in fashion_mnist.FILES}
    data_set = import_torchvision().datasets.FashionMNIST
    monkeypatch.setattr(data_set, "mirrors", [server.address])
    monkeypatch.setattr(data_set, "resources", [(path[1:], md5(body)) for path, body in server.files.items()])
    settings = {"name": "fashion-mnist", "image_size": 32, "root": None}
    server.broken = f"/{name}.gz"
    with pytest.raises(InputError, match=r"downloading it failed \(.*\)\. To get it: ") as error:
        data.load(settings)
    assert "\n" not in str(error.value)
    server.broken = None
    try:
        images = data.load(settings)
    except InputError as error:
        # The last of the files: all are there, and the one that is damaged is named.
        left = empty_folder / "data" / "FashionMNIST" / "raw" / f"{name}.gz"
        assert name == fashion_mnist.FILES[-1] and f"{name}.gz cannot be read" in str(error)
        left.unlink()
        images = data.load(settings)
    assert images.train_labels.tolist() == [*range(10), *range(10)] and images.test.shape == (20, 3, 32, 32)


def cifar10_archive(data_set, monkeypatch):
    """A small archive in the form of CIFAR-10, ten images a file, whose digests `data_set` takes for the right ones."""
    files = {"batches.meta": pickle.dumps({"label_names": list(cifar10.CLASSES)})}
    for number, name in enumerate((*(f"data_batch_{each}" for each in range(1, 6)), "test_batch")):
        pixels = np.full((10, 3072), number, np.uint8)
        files[name] = pickle.dumps({"data": pixels, "labels": list(range(10))})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(f"{cifar10.PYTHON_FOLDER}/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    digests = [[name, md5(body)] for name, body in files.items()]
    monkeypatch.setattr(data_set, "meta", {**data_set.meta, "md5": digests[0][1]})
    monkeypatch.setattr(data_set, "train_list", digests[1:-1])
    monkeypatch.setattr(data_set, "test_list", digests[-1:])
    monkeypatch.setattr(data_set, "tgz_md5", md5(packed.getvalue()))
    return packed.getvalue()


def test_a_download_or_an_unpacking_of_cifar10_that_breaks_off_is_told_and_made_good(server, empty_folder, monkeypatch):
    data_set = import_torchvision().datasets.CIFAR10
    server.files = {f"/{data_set.filename}": cifar10_archive(data_set, monkeypatch)}
    monkeypatch.setattr(data_set, "url", f"{server.address}{data_set.filename}")
    settings = {"name": "cifar10", "image_size": 32, "root": None}
    server.broken = f"/{data_set.filename}"
    with pytest.raises(InputError, match=r"downloading it failed \(.*\)\. To get it: ") as error:
        data.load(settings)
    assert "\n" not in str(error.value)
    server.broken = None
    images = data.load(settings)
    assert images.train[:, 0, 9, 9].unique().tolist() == [0, 1, 2, 3, 4] and images.test.unique().tolist() == [5]
    assert images.classes == cifar10.CLASSES and len(images.train) == 50
    folder = empty_folder / "data" / cifar10.PYTHON_FOLDER
    (folder / "data_batch_4").unlink()  # as where the unpacking was killed
    with pytest.raises(InputError, match=f"data/{cifar10.PYTHON_FOLDER} is not CIFAR-10 as published .* delete it"):
        data.load(settings)
    shutil.rmtree(folder)
    server.files.clear()  # the archive is here and whole: it is unpacked, and not fetched again
    assert torch.equal(data.load(settings).train, images.train)
