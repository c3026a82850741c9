"""Two interleaved spirals, told apart by a small network of PyTorch: any script that trains.

It knows nothing of this project. It takes its settings as arguments, and prints a JSON line now and
then, the first one before it trains.
"""

import argparse
import json

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--opt", default="Adam")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=3000)
args = parser.parse_args()

torch.manual_seed(args.seed)
radius = torch.rand(2000)
side = (torch.arange(2000) % 2).float()
angle = 7 * radius + torch.pi * side
x = torch.stack([radius * angle.cos(), radius * angle.sin()], 1) + 0.01 * torch.randn(2000, 2)
train, test = slice(0, 1500), slice(1500, 2000)

model = nn.Sequential(
    *(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
)
optimizer = getattr(torch.optim, args.opt)(model.parameters(), lr=args.lr)
loss_of = nn.BCEWithLogitsLoss()

for step in range(args.steps + 1):
    if step % 25 == 0:
        with torch.no_grad():
            guess = model(x[test])[:, 0]
            accuracy = ((guess > 0) == (side[test] > 0)).float().mean().item()
            loss = loss_of(guess, side[test]).item()
        print(json.dumps({"step": step, "accuracy": accuracy, "loss": loss}))
    batch = torch.randint(0, 1500, (100,))
    optimizer.zero_grad()
    loss_of(model(x[train][batch])[:, 0], side[train][batch]).backward()
    optimizer.step()
