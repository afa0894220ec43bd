"""Networks: one file per family."""

from course_lib.nets.cyclegan import bottleneck, critic, translator
from course_lib.nets.mlp import Ensemble, mlp
from course_lib.nets.vae import VAE
from course_lib.nets.vaegan import ConvDiscriminator, ConvEncoder, ConvGenerator
