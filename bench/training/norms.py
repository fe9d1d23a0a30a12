"""What a recipe says of batch normalisation, applied to every network alike: its statistics and its scale."""

from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.training.recipe import Recipe


def set_norms(model: nn.Module, recipe: Recipe) -> None:
    """Set the running statistics' momentum and the scale w of every batch normalisation of a new `model`.

    learned   w as the network has it: gamma, or |gamma + eps_i| where the network was built with `gamma_eps` (eq. 23)
    absolute  w = |gamma + eps_i| everywhere, with eps_i = `norm_scale_eps`, in ordinary batch normalisation too
    frozen    w = 1, not trained
    """
    norms: list[Any] = [each for each in model.modules() if hasattr(each, "running_mean") and hasattr(each, "momentum")]
    for norm in norms:
        norm.momentum = recipe.norm_momentum
        if recipe.norm_scale == "frozen":
            freeze(norm)
        elif recipe.norm_scale == "absolute":
            bound(norm, recipe.norm_scale_eps)


def freeze(norm: Any) -> None:
    """Set the scale to 1 for good: the parameter stays (below 1 where eps_i is added to it), without a gradient."""
    norm.weight.data.fill_(1 - getattr(norm, "gamma_eps", 0.0))
    norm.weight.requires_grad_(False)


def bound(norm: Any, eps: float) -> None:
    """Make the scale |gamma + eps|: an invertible layer can do that itself, an ordinary one is parametrised."""
    if hasattr(norm, "gamma_eps"):
        norm.gamma_eps = eps
    else:
        parametrize.register_parametrization(norm, "weight", AbsoluteScale(eps))


class AbsoluteScale(nn.Module):
    """gamma (C,) -> |gamma + eps| (eq. 23)."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, gamma: Tensor) -> Tensor:
        """The scale in use."""
        return (gamma + self.eps).abs()
