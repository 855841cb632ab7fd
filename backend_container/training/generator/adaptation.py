"""How strongly the discriminator's images are augmented (Karras et al. 2020, arXiv 2006.06676, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Adaptation:
    """p, the probability of each augmentation, 0 to 1; it rises while D is too sure of real images."""

    target: float
    """Wanted r_t, the mean sign of D's logits of real images."""
    images: float
    """In which p can go from 0 to 1."""
    p: float = 0.0

    def moved(self, overfitting: float, seen: int) -> Adaptation:
        """After `seen` more images whose mean sign, -1 to 1, was `overfitting`."""
        direction = (overfitting > self.target) - (overfitting < self.target)
        return replace(self, p=min(1.0, max(0.0, self.p + direction * seen / self.images)))
