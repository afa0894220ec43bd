"""The convolutional nets of the VAE-GAN: shapes at every size, the features D hands out, and bad sizes."""

import pytest
import torch

from course_lib import losses, nets


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (32, 2), (64, 1)])
def test_shapes_and_range(size, channels):
    x = torch.rand(3, channels, size, size) * 2 - 1
    mu, logvar = nets.ConvEncoder(size, 5, 4, channels)(x)
    assert mu.shape == logvar.shape == (3, 5)
    fake = nets.ConvGenerator(size, 5, 4, channels)(mu)
    assert fake.shape == x.shape and fake.abs().max() <= 1
    D = nets.ConvDiscriminator(size, 4, channels)
    logits, layers = D.layers(x)
    assert logits.shape == (3,) and torch.equal(D(x), logits)
    assert [f.shape[-1] for f in layers] == [size // 2 // 2**i for i in range(len(layers) - 1)] + [4]


def test_an_image_s_result_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    x, D = torch.randn(4, 1, 16, 16), nets.ConvDiscriminator(16, 4)
    logits, layers = D.layers(x)
    alone, own = D.layers(x[1:2])
    torch.testing.assert_close(alone[0], logits[1])
    for a, b in zip(own, layers, strict=True):
        torch.testing.assert_close(a[0], b[1])


def test_a_loss_on_a_layer_reaches_what_lies_before_it_and_nothing_behind():
    D = nets.ConvDiscriminator(16, 4)
    D.layers(torch.randn(2, 1, 16, 16))[1][1].sum().backward()
    assert all(p.grad.abs().sum() > 0 for block in D.blocks[:2] for p in block.parameters())
    assert all(p.grad is None for p in [*D.blocks[2].parameters(), *D.head.parameters()])


def test_the_penalty_of_lecture_03_works_on_it():
    D = nets.ConvDiscriminator(8, 4)
    losses.adversarial.r1(D, torch.randn(2, 1, 8, 8)).backward()
    assert all(p.grad is not None for p in D.blocks.parameters())


@pytest.mark.parametrize("size", [4, 12, 28])
def test_other_sizes_get_a_sentence(size):
    with pytest.raises(ValueError, match="8, 16, 32"):
        nets.ConvGenerator(size, 2)
