"""How long the experiments on noise may take: an order of magnitude, from counted operations and launches."""

from bench.configuration import Configuration
from bench.numerics.points import Point, all_places, depths_at

# Operations a second on a CPU's thread and on a GPU, for convolutions of few channels.
RATES = {"cpu": 3e10, "cuda": 5e12}
# Seconds that a layer's kernels take to start, a unit and step: forward and backward.
LAUNCH_S = {"ideal": 1e-3, "noisy": 2.5e-3, "renormalised": 3e-3}
# Forward passes that a training step comes to, hidden activations of a hybrid being computed twice more.
FORWARDS = {("layerwise", "ideal"): 3, ("layerwise", "noisy"): 4, ("hybrid", "ideal"): 3, ("hybrid", "noisy"): 5}
LAYERS_S = 3.0  # the experiment on single layers
TRAINING_IMAGES = {"digits": 1437, "fashion-mnist": 60_000}
OTHER_TRAINING_IMAGES = 50_000  # as many as CIFAR-10 has


def expected_seconds(configuration: Configuration, experiment: str, device: str) -> float:
    """Seconds of one experiment of a configuration; repairs are counted as if none failed before the last depth."""
    if experiment == "layers":
        return LAYERS_S
    points = {place.point for place in all_places(configuration)}
    return sum(_seconds(configuration, point, device) for point in points if device == "cuda" or not point.variant.tf32)


def _seconds(configuration: Configuration, point: Point, device: str) -> float:
    numerics = configuration["numerics"]
    data, training = numerics["data"], numerics["training"]
    images = data["train_images"] or TRAINING_IMAGES.get(data["name"], OTHER_TRAINING_IMAGES)
    channels, pixels, units, operations = numerics["initial_channels"], data["image_size"] ** 2, 0, 0.0
    width, chains = (channels, 1) if point.architecture == "layerwise" else (channels // 2, 4)
    for depth in depths_at(point.step):
        units += depth * chains
        operations += depth * chains * 9 * width**2 * pixels  # two convolutions of half the width, 2 operations each
        width, pixels = 4 * width, pixels // 4
    mode = "ideal" if point.mode == "ideal" else "noisy"
    computing = images * operations * FORWARDS[point.architecture, mode] / RATES[device]
    return training["epochs"] * (computing + images / training["batch_size"] * units * LAUNCH_S[point.mode])
