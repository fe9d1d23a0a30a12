"""An ordinary PyTorch training script, for comparison: what one would write for the same network without this project.

A DataLoader over tensors, torch's own SGD, default memory formats, no augmentation, the loss asked for at every step.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def plain_epoch(
    model: nn.Module, images: Tensor, labels: Tensor, batch_size: int, rate: float, mixed: bool = False
) -> Iterator[float]:
    """Train one epoch on float images (N, C, H, W) and labels (N,); yields the loss of each step when it is done.

    `mixed`: under autocast to bfloat16.
    """
    loader = DataLoader(TensorDataset(images, labels), batch_size, shuffle=True, drop_last=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    device = next(model.parameters()).device
    model.train()
    for batch, targets in loader:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            loss = criterion(model(batch.to(device)), targets.to(device))
        loss.backward()
        optimizer.step()
        yield loss.item()
