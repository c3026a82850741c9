"""MNIST is read once."""

from __future__ import annotations

from support.execution.mnist import mnist_once as mnist_once
