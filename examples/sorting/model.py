"""A small transformer of PyTorch learns to sort eight digits.

Run it:    study run examples/sorting/study.toml
Look for:  AdamW and SGD are about equally fast, at rates that differ by a factor of ten or more.
           A target on whole sequences is hard: one wrong digit of eight, and it does not count.

The data are a DataLoader, whose batch size the study takes. The loss is a function beside the
model. It also tells the metric that the study is about.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LENGTH, KINDS = 8, 10


class Sequences(Dataset):
    """Random digits, and the same digits sorted."""

    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.digits = torch.randint(KINDS, (count, LENGTH), generator=generator)

    def __len__(self):
        return len(self.digits)

    def __getitem__(self, place):
        digits = self.digits[place]
        return digits, digits.sort().values


def load():
    """Training and validation data."""
    training = DataLoader(Sequences(16_000, seed=0), batch_size=64, shuffle=True)
    return training, DataLoader(Sequences(1_000, seed=1), batch_size=500)


class Sorter(nn.Module):
    """An encoder: every place of the output looks at all places of the input."""

    def __init__(self, size):
        super().__init__()
        self.digits = nn.Embedding(KINDS, size)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, size))
        layer = nn.TransformerEncoderLayer(size, 4, 2 * size, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.read = nn.Linear(size, KINDS)

    def forward(self, digits):
        return self.read(self.encoder(self.digits(digits) + self.places))


def build(width=1):
    """The model; the study brings the optimizer."""
    return Sorter(4 * round(8 * width))


def loss(outputs, targets):
    """Cross entropy over all places, and the share of sequences that are right as a whole."""
    value = nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())
    right = (outputs.argmax(dim=-1) == targets).all(dim=1)
    return value, {"sorted": right.float().mean()}
