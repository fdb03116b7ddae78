"""Networks of the same graph with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from deconv_core.graph.steps import Affine, Convolution, Graph, Node
from deconv_core.network.network import Network

RANDOM_NETWORKS = 3
"""How many random networks a picture is compared with."""


def random_network(network: Network, layer: str, seed: int) -> Network:
    """The network up to a layer, with weights drawn as by He et al. (2015).

    Weights are normal with variance 2 / inputs, biases 0; batch normalisation does nothing.
    """
    own = np.random.SeedSequence([seed, 2015]).generate_state(1)  # never the weights of "random"
    generator = torch.Generator().manual_seed(int(own[0]))
    given = network.graph
    nodes = tuple(_drawn(node, generator) for node in given.nodes[: network.value_of(layer)])
    graph = Graph(nodes, given.input_shape)
    return replace(network, source=f"random {seed}", graph=graph, fingerprint="", head=None)


def _drawn(node: Node, generator: torch.Generator) -> Node:
    step = node.step
    if isinstance(step, Convolution):
        deviation = (2 / step.weight[0].numel()) ** 0.5
        weight = torch.randn(step.weight.shape, generator=generator) * deviation
        return replace(node, step=replace(step, weight=weight, bias=torch.zeros_like(step.bias)))
    if isinstance(step, Affine):
        ones, zeros = torch.ones_like(step.scale), torch.zeros_like(step.shift)
        return replace(node, step=Affine(ones, zeros))
    return node
