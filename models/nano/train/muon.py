# SPDX-License-Identifier: Apache-2.0
"""Muon: momentum whose update is made (nearly) orthogonal; for matrices inside the network."""
import torch


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"]
                m.mul_(group["momentum"]).add_(p.grad)
                u = orthogonal(p.grad.add(m, alpha=group["momentum"]).flatten(1))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(u.view_as(p), alpha=-group["lr"] * max(1, u.shape[0] / u.shape[1]) ** 0.5)


def orthogonal(u):
    """Newton-Schulz iteration: singular values of u towards 1."""
    tall = u.shape[0] > u.shape[1]
    x = (u.T if tall else u).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if tall else x).float()
