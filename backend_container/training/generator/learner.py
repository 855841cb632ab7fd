"""A network that learns: Adam, corrected for lazy regularisation, over all processes; gradients scaled for fp16."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend_container.training.processes import Processes
from backend_container.training.state_tree import State

_BETAS = (0.0, 0.99)


class Learner:
    """`every` steps between two regularisation steps; 0 for none."""

    def __init__(self, network: nn.Module, rate: float, every: int, scaled: bool, processes: Processes) -> None:
        self.network = network
        part = every / (every + 1) if every else 1.0  # StyleGAN2, appendix B, "lazy regularization"
        betas = (_BETAS[0] ** part, _BETAS[1] ** part)
        self._optimiser = torch.optim.Adam(network.parameters(), lr=rate * part, betas=betas, eps=1e-8)
        self._scaler = torch.amp.GradScaler(enabled=scaled)
        self._processes = processes

    def descend(self, loss: Tensor) -> None:
        """One step down the gradient of `loss`, averaged over the processes."""
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        gradients = (parameter.grad for parameter in self.network.parameters() if parameter.grad is not None)
        self._processes.mean(gradients)
        self._scaler.step(self._optimiser)
        self._scaler.update()

    def state(self) -> State:
        """Network, optimiser and scale."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: State) -> None:
        """Without an optimiser (a light checkpoint) Adam begins anew. Raises KeyError, ValueError or RuntimeError where
        it does not fit.
        """
        self.network.load_state_dict(state["network"])
        if "optimiser" in state:
            self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
