"""Optimisers and schedules as the lectures use them; learning rates a CUDA graph can follow."""

import torch


def adam(parameters, lr: float = 1e-3, betas: tuple[float, float] = (0.5, 0.9)) -> torch.optim.Adam:
    """Adam, fused, and ready for a CUDA graph where there is a GPU (learning rate and step count on the device)."""
    parameters = list(parameters)
    on_gpu = parameters[0].is_cuda
    return torch.optim.Adam(
        parameters,
        torch.tensor(lr, device=parameters[0].device) if on_gpu else lr,
        betas=(float(betas[0]), float(betas[1])),  # fused Adam refuses an integer 0
        fused=True,
        capturable=on_gpu,
    )


def linear_decay(optimizer: torch.optim.Optimizer, steps: int, start: float = 0.5) -> torch.optim.lr_scheduler.LambdaLR:
    """Constant learning rate, then linear to zero from the share `start` of `steps` on."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (1 - i / steps) / (1 - start)))
