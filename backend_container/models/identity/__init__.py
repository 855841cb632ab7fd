"""Who is it? A vector for each face; two faces of one person lie near each other.

Distances are a screen for near-doubles and for gross differences. They say nothing about whether a lineup is fair.
"""

from backend_container.models.identity.embedding import Embeddings, IdentityEmbedding, distances
from backend_container.models.identity.loader import load_identity

__all__ = ["Embeddings", "IdentityEmbedding", "distances", "load_identity"]
