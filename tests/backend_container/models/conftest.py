"""Tiny random stylegan2 weights: every part real, no face in them."""

import pytest
import torch

from backend_container.models.pca import LatentPCA
from backend_container.models.sampling import normal
from backend_container.models.stylegan2 import weights as files
from backend_container.models.stylegan2.config import EncoderConfig, NetworkConfig
from backend_container.models.stylegan2.encoder import Encoder
from backend_container.models.stylegan2.generator import Generator

TINY = NetworkConfig(resolution=64, latent=16, channel_base=512, channel_max=16, mapping_layers=2)
TINY_ENCODER = EncoderConfig(width=8, pyramid=8)


def random_weights(seed=0):
    """Noise and means are set away from zero, so that a test would notice if they were lost."""
    torch.manual_seed(seed)
    generator, encoder = Generator(TINY).eval(), Encoder(TINY, TINY_ENCODER).eval()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.3)
        generator.mapping.average.normal_()
        encoder.average.copy_(generator.mapping.average)
    styles, latent = TINY.latent_shape
    pca = LatentPCA.fit(normal(seed, count=60, dimension=styles * latent).reshape(-1, styles, latent), dimension=8)
    return files.Weights(TINY, TINY_ENCODER, 0.7, generator, encoder, pca)


@pytest.fixture
def stylegan2_weights():
    return random_weights()


@pytest.fixture(scope="session")
def stylegan2_directory(tmp_path_factory):
    """Read only: a test that damages files makes its own."""
    directory = tmp_path_factory.mktemp("stylegan2")
    files.save(directory, random_weights())
    return directory
